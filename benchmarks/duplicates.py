"""Precision, recall and cost of `corpus dedup` on planted duplicates.

    python benchmarks/duplicates.py corpus/*.jsonl.xz [--planted 0.05] [--engines ray]

Plants copies (other case and white space) and near copies (words replaced, omitted and repeated;
truncated beginnings and ends) of random documents, half of each, and runs the command. The truth is
the exact Jaccard index of the sets of shingles. Prints

* the share of planted copies that are dropped, by similarity to their original;
* recall: this share for all with a similarity of at least the threshold;
* precision: the share of dropped documents, planted or not, with this similarity to their original;
  also with 0.05 less, because the command's estimate has an error;
* documents per second of processor time, and memory per document;
* whether each of `--engines` with `--processes` workers writes the same files.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from command_usage import selectra
from processor import conclude

from spacy_selectra.corpus.compression import write_documents
from spacy_selectra.corpus.documents import Document, read_documents
from spacy_selectra.corpus.shingles import shingle_hashes, words_of

GROUPS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.6, 0.0)  # lower ends, but for the first


def resemblance(first: str, second: str, width: int) -> float:
    """The Jaccard index of the sets of shingles of two texts."""
    sets = [set(shingle_hashes(words_of(text), width).tolist()) for text in (first, second)]
    union = len(sets[0] | sets[1])
    return len(sets[0] & sets[1]) / union if union else float(words_of(first) == words_of(second))


def near_copy(text: str, chance: random.Random) -> str:
    """The text with up to one word in 15 changed, or without up to a third of it."""
    words = text.split(" ")
    if chance.random() < 0.25:
        cut = round(len(words) * chance.uniform(0, 1 / 3))
        return " ".join(words[cut:] if chance.random() < 0.5 else words[: len(words) - cut])
    rate = chance.uniform(0, 1 / 15)
    result: list[str] = []
    for word in words:
        if chance.random() >= rate:
            result.append(word)
        elif (kind := chance.randrange(3)) == 0:
            result.append(chance.choice(words))
        elif kind == 1:
            result += [word, word]
    return " ".join(result)


def with_planted(
    documents: list[Document], share: float, width: int, seed: int
) -> tuple[list[Document], dict[str, float]]:
    """The documents with planted ones behind their originals, and the resemblance of each."""
    chance = random.Random(seed)
    found: dict[str, float] = {}
    places: list[tuple[float, Document]] = [(float(n), d) for n, d in enumerate(documents)]
    for number in chance.sample(range(len(documents)), round(share * len(documents))):
        original = documents[number]
        if len(found) % 2:
            text = near_copy(original.text, chance)
        else:
            text = original.text.swapcase().replace(" ", "  ")
        identity = f"planted-{number}"
        found[identity] = resemblance(original.text, text, width) if len(found) % 2 else 1.0
        place = chance.uniform(number, len(documents))
        places.append((place, replace(original, text=text, source="planted", id=identity)))
    return [document for _, document in sorted(places, key=lambda pair: pair[0])], found


def texts_of(path: Path, identities: set[str]) -> dict[str, str]:
    """Texts of some documents."""
    documents = read_documents(path, id_key="id")
    return {d.id: d.text for d in documents if d.id in identities}


def grouped(planted: dict[str, float], dropped: set[str]) -> Iterator[tuple[str, int, float]]:
    """(resemblance, planted, share dropped) of each group."""
    for lower, upper in zip(GROUPS, (2.0, *GROUPS), strict=False):
        names = [name for name, value in planted.items() if lower <= value < upper]
        if names:
            label = "1" if lower == 1 else f"{lower:g} to {upper:g}"
            yield label, len(names), sum(name in dropped for name in names) / len(names)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("corpus", nargs="+")
    parser.add_argument("--documents", type=int, help="only so many")
    parser.add_argument("--planted", type=float, default=0.05, help="share of the documents")
    parser.add_argument("--threshold", type=float, default=0.8)
    parser.add_argument("--shingle", type=int, default=5)
    parser.add_argument("--permutations", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engines", nargs="*", default=[], help="local, ray")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()

    read = read_documents(options.corpus)
    # numbered anew: ids have to be distinct in several files
    documents = [
        replace(document, id=str(number))
        for number, document in zip(range(options.documents or 10**12), read, strict=False)
    ]
    mixed, planted = with_planted(documents, options.planted, options.shingle, options.seed)
    count, characters = len(mixed), sum(len(document.text) for document in mixed)
    settings = [f"--{name}={getattr(options, name)}" for name in ("threshold", "shingle")]
    settings += [f"--permutations={options.permutations}", "--id-key=id", "--json", "--quiet"]
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        write_documents(place / "mixed.jsonl", mixed)
        write_documents(place / "few.jsonl", mixed[:100])
        del documents, mixed

        def dedup(source: str, name: str, *more: str) -> Any:
            files = [str(place / f"{name}.jsonl"), "--dropped", str(place / f"{name}-gone.jsonl")]
            return selectra(
                "corpus", "dedup", str(place / source), *files, "--replace", *settings, *more
            )

        base = dedup("few.jsonl", "few")
        usage = dedup("mixed.jsonl", "alone")
        summary = json.loads(usage.printed)
        lines = (place / "alone-gone.jsonl").read_text(encoding="utf-8").splitlines()
        pairs = [json.loads(line) for line in lines]
        texts = texts_of(
            place / "mixed.jsonl",
            {record["id"] for record in pairs} | {record["twin"]["id"] for record in pairs},
        )
        values = [
            1.0
            if record["exact"]
            else resemblance(texts[record["id"]], texts[record["twin"]["id"]], options.shingle)
            for record in pairs
        ]
        same = {
            engine: all(
                (place / f"{engine}{end}").read_bytes() == (place / f"alone{end}").read_bytes()
                for end in (".jsonl", "-gone.jsonl")
            )
            for engine in options.engines
            if dedup(
                "mixed.jsonl", engine, "--engine", engine, "--processes", str(options.processes)
            )
        }
    dropped = {record["id"] for record in pairs}
    table = list(grouped(planted, dropped))
    print("| resemblance of the planted copy | planted | dropped |\n|---|---|---|")
    for label, number, share in table:
        print(f"| {label} | {number:,} | {share:.1%} |")
    above = [name for name, value in planted.items() if value >= options.threshold]
    recall = sum(name in dropped for name in above) / len(above)
    precision = sum(value >= options.threshold for value in values) / len(values)
    looser = sum(value >= options.threshold - 0.05 for value in values) / len(values)
    processor_seconds = usage.processor_seconds - base.processor_seconds
    memory = (usage.peak - base.peak) / summary["kept"]
    natural = sum(not name.startswith("planted") for name in dropped)
    print(
        f"\nOf {count:,} documents ({characters / 1e6:,.0f} million characters), {len(planted):,} "
        f"of them planted, {len(dropped):,} were dropped ({natural:,} others).\n"
        f"Recall {recall:.1%}; precision {precision:.1%}, {looser:.1%} with 0.05 less.\n"
        f"{count / processor_seconds:,.0f} documents per second of one core, "
        f"{characters / processor_seconds / 1e6:.1f} million characters; "
        f"{usage.seconds:,.0f} s by the clock.\n"
        f"{memory:,.0f} bytes of memory for each document that is kept "
        f"(peak {usage.peak / 1e6:,.0f} MB, {base.peak / 1e6:,.0f} MB of it without documents)."
    )
    for engine, equal in same.items():
        print(
            f"{engine} with {options.processes} workers: {'the same' if equal else 'OTHER'} files."
        )
    conclude(
        {
            "documents": count,
            "characters": characters,
            "planted": len(planted),
            "dropped": len(dropped),
            "others": natural,
            "groups": table,
            "recall": recall,
            "precision": precision,
            "precision_looser": looser,
            "documents_per_processor_second": count / processor_seconds,
            "characters_per_processor_second": characters / processor_seconds,
            "bytes_per_document": memory,
            "peak": usage.peak,
            "same": same,
        }
    )


if __name__ == "__main__":
    main()
