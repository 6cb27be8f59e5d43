"""Does memory grow while a data set is streamed as from the hub, and what does going on cost?

    python benchmarks/streaming.py [--documents 1000000] [--shards 20]

Writes a data set in the hub's own layout (parquet files in `data/`) to a temporary folder, reads it
as `hub:FOLDER`, and prints the memory of this process after each tenth, and in the end what is left
when Arrow has given back the pages that it keeps for later. Then a second stream goes on from where
the first was after two thirds: how long until its first document, and is the rest the same? One
JSON line last.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa
from process_memory import peak_memory, reset_peak, resident_memory
from processor import conclude

from spacy_selectra.corpus.documents import Document, DocumentStream

_LINE = """el la un una de que y a en los las con por para su se no más como pero sus le ya o este
sí porque esta entre cuando sin sobre también me hasta hay donde quien desde todo nos durante año
ciudad gobierno mundo agua casa niño camino corazón montaña canción reunión presidente"""
_WORDS = _LINE.split()


def write_data_set(folder: Path, documents: int, shards: int) -> None:
    """Documents of 20 to 200 words, all different."""
    import pyarrow.parquet as pq

    (folder / "data").mkdir()
    chance = random.Random(0)
    schema = pa.schema({"id": pa.string(), "text": pa.string(), "url": pa.string()})
    number = 0
    for shard in range(shards):
        name = f"train-{shard:05}-of-{shards:05}.parquet"
        with pq.ParquetWriter(folder / "data" / name, schema) as writer:
            left = documents * (shard + 1) // shards - number
            while left:
                size = min(left, 1000)
                texts = [
                    f"{number + n}: {' '.join(chance.choices(_WORDS, k=chance.randint(20, 200)))}"
                    for n in range(size)
                ]
                names = [f"<{number + n}>" for n in range(size)]
                writer.write_table(pa.table({"id": names, "text": texts, "url": names}, schema))
                number, left = number + size, left - size


def digest(documents: Iterator[Document]) -> str:
    """Of all texts."""
    found = hashlib.sha256()
    for document in documents:
        found.update(document.text.encode())
    return found.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--shards", type=int, default=20)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        write_data_set(Path(scratch), options.documents, options.shards)
        address = f"hub:{scratch}"
        stream = DocumentStream(address)
        next(stream)
        reset_peak()
        memory = []
        part = max(1, options.documents // 10)
        print("| documents read | MB in memory |\n|---|---|")
        began, counted = time.process_time(), 1
        while count := sum(1 for _ in islice(stream, part)):
            counted += count
            memory.append(resident_memory())
            print(f"| {counted:,} | {memory[-1] / 1e6:.1f} |", flush=True)
        rate = (counted - 1) / (time.process_time() - began)
        peak = peak_memory()
        pool = pa.default_memory_pool()
        pool.release_unused()
        left = resident_memory()

        first = DocumentStream(address)
        for _ in islice(first, options.documents * 2 // 3):
            pass
        position = json.loads(json.dumps(first.position()))
        began = time.perf_counter()
        second = DocumentStream(address, position=position)
        document = next(second)
        waited = time.perf_counter() - began
        same = next(first) == document and digest(first) == digest(second)
    print(
        f"\nAt most {peak / 1e6:.1f} MB; {left / 1e6:.1f} MB when Arrow ({pool.backend_name}) has "
        f"given back what it kept.\n"
        f"Arrow had at most {pool.max_memory() / 1e6:.1f} MB in use.\n"
        f"{rate:,.0f} documents per second of one core.\n"
        f"Going on after {position['documents']:,}: {waited:.2f} s to the first document, "
        f"the rest is {'the same' if same else 'OTHER'}."
    )
    conclude(
        {
            "documents": counted,
            "memory": memory,
            "peak": peak,
            "after_release": left,
            "arrow_peak": pool.max_memory(),
            "documents_per_processor_second": rate,
            "seconds_to_go_on": waited,
            "same": same,
        }
    )


if __name__ == "__main__":
    main()
