"""How does the cost of preparing a corpus grow with its size?

    python benchmarks/scale.py corpus/*.jsonl.xz [--sizes 10000 20000 40000 80000] [--plan 150e9]

Takes the first documents of a corpus and runs, for each size, the commands that lead from raw text
to a packed corpus, each as a process of its own:

    corpus clean, corpus dedup, corpus dedup --unit paragraphs, vocab train, corpus pack

Prints seconds of processor time and memory of each, and what the commands would take for a corpus
of `--plan` bytes of UTF-8 text if time and output grow on as from the second largest to the largest
size, with the memory of each further document there.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from command_usage import selectra
from processor import conclude

from spacy_selectra.corpus.compression import write_documents
from spacy_selectra.corpus.documents import Document, read_documents

STEPS = ("clean", "dedup", "dedup paragraphs", "vocabulary", "pack")


def bytes_below(path: Path) -> int:
    """Size of a file, or of the files of a folder."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def costs(documents: Iterable[Document], place: Path, vocabulary: int) -> dict[str, Any]:
    """What each step costs; its input is the output of an earlier one."""
    names = ("raw", "clean", "dedup", "dedup paragraphs")
    files = {name: str(place / f"{name.split()[-1]}.jsonl.zst") for name in names}
    size = {"documents": 0, "bytes": 0}

    def counted() -> Iterable[Document]:
        for document in documents:
            size["documents"] += 1
            size["bytes"] += len(document.text.encode())
            yield document

    write_documents(files["raw"], counted())
    tokenizer, packed = str(place / "tokenizer"), str(place / "packed")
    commands = {
        "clean": ("corpus", "clean", files["raw"], files["clean"]),
        "dedup": ("corpus", "dedup", files["clean"], files["dedup"]),
        "dedup paragraphs": (
            *("corpus", "dedup", files["dedup"], files["dedup paragraphs"]),
            *("--unit", "paragraphs"),
        ),
        "vocabulary": ("vocab", "train", files["dedup"], tokenizer, "--size", str(vocabulary)),
        "pack": ("corpus", "pack", files["dedup"], packed, "--tokenizer", tokenizer),
    }
    outputs = {**files, "vocabulary": tokenizer, "pack": packed}
    steps: dict[str, Any] = {}
    for name, command in commands.items():
        usage = selectra(*command, "--quiet")
        steps[name] = {
            "processor_seconds": usage.processor_seconds,
            "peak": usage.peak,
            "output": bytes_below(Path(outputs[name])),
        }
    return {**size, "steps": steps}


def planned(smaller: dict[str, Any], larger: dict[str, Any], step: str, size: float) -> Any:
    """Hours of one core and bytes of output for so many bytes of text, and how memory grows."""

    def growth(field: str, by: str) -> float:
        at, before = larger["steps"][step][field], smaller["steps"][step][field]
        return (at - before) / (larger[by] - smaller[by])

    def total(field: str) -> float:
        more = size - larger["bytes"]
        return larger["steps"][step][field] + growth(field, "bytes") * more

    return {
        "hours": total("processor_seconds") / 3600,
        "output": total("output"),
        "bytes_per_second": 1 / growth("processor_seconds", "bytes"),
        "memory_per_document": growth("peak", "documents"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("corpus", nargs="+")
    parser.add_argument("--sizes", nargs="+", type=int, default=[10_000, 20_000, 40_000, 80_000])
    parser.add_argument("--vocabulary", type=int, default=30_000)
    parser.add_argument("--plan", type=float, default=150e9, help="bytes of text")
    options = parser.parse_args()

    print(f"| documents | MB | {' | '.join(STEPS)} |")
    print("|---|---|" + "---|" * len(STEPS))
    rows = []
    for size in sorted(options.sizes):
        some = zip(range(size), read_documents(options.corpus), strict=False)
        with tempfile.TemporaryDirectory() as scratch:
            row = costs((document for _, document in some), Path(scratch), options.vocabulary)
        rows.append(row)
        cells = [
            f"{step['processor_seconds']:.1f} s, {step['peak'] / 1e6:,.0f} MB"
            for step in (row["steps"][name] for name in STEPS)
        ]
        print(
            f"| {row['documents']:,} | {row['bytes'] / 1e6:,.1f} | {' | '.join(cells)} |",
            flush=True,
        )
    plan = {}
    if len(rows) > 1:
        print(
            "\n| step | MB per second of one core | memory per further document | "
            f"hours of one core for {options.plan / 1e9:,.0f} GB | output |"
        )
        print("|---|---|---|---|---|")
        for name in STEPS:
            plan[name] = found = planned(rows[-2], rows[-1], name, options.plan)
            print(
                f"| {name} | {found['bytes_per_second'] / 1e6:.1f} | "
                f"{found['memory_per_document']:,.0f} bytes | {found['hours']:,.1f} | "
                f"{found['output'] / 1e9:,.2f} GB |"
            )
    conclude({"sizes": rows, "plan_bytes": options.plan, "plan": plan})


if __name__ == "__main__":
    main()
