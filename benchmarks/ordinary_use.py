"""What pipelines make of ordinary Spanish that nobody tuned them on.

    python benchmarks/ordinary_use.py es_selectra_tiny es_core_news_sm

Sixty sentences with their names (`assets/ordinary_use.txt`): news, mail, reviews, clinical notes,
Latin America, capitals, text without accents, names of recent years. Prints for each kind how many
names were found with the right type, with another one, and how many others were found. Forty
sentences with one absurd word (`assets/absurd_words.txt`), for pipelines with a component
`replaced`: how often that word is the most probable replacement. One JSON line last.
"""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import spacy
from marked_texts import without_marks
from processor import conclude

ASSETS = Path(__file__).parents[1] / "assets"
TYPES = ("PER", "LOC", "ORG", "MISC")
_NAME = re.compile(r"\[([A-Z]+) ([^\]]+)\]")
_WORD = re.compile(r"\[([^\]]+)\]")

Name = tuple[int, int, str]


def read_names(path: Path) -> list[tuple[str, str, set[Name]]]:
    """Kind, sentence, and first character, the one after the last, and type of its names."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        kind, marked = line.split("\t")
        text, places = without_marks(marked, _NAME)
        types = [match.group(1) for match in _NAME.finditer(marked)]
        names = {(*place, one) for place, one in zip(places, types, strict=True)}
        found.append((kind, text, names))
    return found


def count_names(nlp: Any, rows: list[tuple[str, str, set[Name]]]) -> dict[str, dict[str, int]]:
    """For each kind, and for all: names, those found right, with another type, and superfluous."""
    counts: dict[str, dict[str, int]] = defaultdict(
        lambda: dict.fromkeys(("names", "right", "other_type", "superfluous"), 0)
    )
    docs = nlp.pipe(text for _, text, _ in rows)
    for doc, (kind, _, names) in zip(docs, rows, strict=True):
        own = {
            (one.start_char, one.end_char, one.label_) for one in doc.ents if one.label_ in TYPES
        }
        places = {name[:2] for name in names}
        right = own & names
        for key in (kind, "all"):
            counts[key]["names"] += len(names)
            counts[key]["right"] += len(right)
            counts[key]["other_type"] += sum(one[:2] in places for one in own - right)
            counts[key]["superfluous"] += sum(one[:2] not in places for one in own)
    return dict(counts)


def count_absurd(nlp: Any, path: Path) -> tuple[int, int]:
    """Sentences whose absurd word is the most probable replacement, and sentences."""
    right = 0
    lines = path.read_text(encoding="utf-8").splitlines()
    for marked in lines:
        text, [(start, _)] = without_marks(marked, _WORD)
        doc = nlp(text)
        first = max(doc, key=lambda token: token._.replaced)
        right += first.idx == start
    return right, len(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("pipelines", nargs="+", help="names or directories")
    parser.add_argument("--names", type=Path, default=ASSETS / "ordinary_use.txt")
    parser.add_argument("--absurd", type=Path, default=ASSETS / "absurd_words.txt")
    options = parser.parse_args()
    rows = read_names(options.names)
    results: dict[str, Any] = {}
    for pipeline in options.pipelines:
        nlp = spacy.load(pipeline)
        names = count_names(nlp, rows)
        results[pipeline] = {"names": names}
        print(f"\n{pipeline}\n{'kind':10} names right other type superfluous")
        for kind, row in names.items():
            print(
                f"{kind:10} {row['names']:5} {row['right']:5} {row['other_type']:10} "
                f"{row['superfluous']:11}"
            )
        if "replaced" in nlp.pipe_names:
            right, count = count_absurd(nlp, options.absurd)
            results[pipeline]["absurd"] = {"first": right, "sentences": count}
            print(f"absurd word first in {right} of {count} sentences")
    conclude(results)


if __name__ == "__main__":
    main()
