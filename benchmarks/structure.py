"""Do entities keep to the lines, cells and paragraphs of a text, and names to their line breaks?

    python benchmarks/structure.py es_selectra_tiny [--texts assets/structured_texts.txt]

Reads texts with their entities in brackets, separated by lines of "%%". For each value of
`boundaries`, prints how many entities are found exactly, precision and recall, and how many of
those found reach over more than one, types left aside. One JSON line last.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import spacy
from marked_texts import without_marks
from processor import conclude

from spacy_selectra.components.entity_spans import BOUNDARIES

TEXTS = Path(__file__).parents[1] / "assets" / "structured_texts.txt"
_MARKED = re.compile(r"\[([^\]]+)\]")


def read_texts(path: Path) -> list[tuple[str, list[tuple[int, int]]]]:
    """Each text without brackets, and first character and the one after the last of entities."""
    found = []
    for marked in path.read_text(encoding="utf-8").split("%%\n"):
        text, entities = without_marks(marked, _MARKED)
        found.append((text.strip("\n"), entities))
    return found


def measure(nlp: Any, texts: list[tuple[str, list[tuple[int, int]]]]) -> dict[str, float]:
    """How entities found compare with those that should be."""
    right = found = gold = joined = 0
    for doc, (_, entities) in zip(nlp.pipe(text for text, _ in texts), texts, strict=True):
        own = [(entity.start_char, entity.end_char) for entity in doc.ents]
        right += len(set(own) & set(entities))
        found += len(own)
        gold += len(entities)
        joined += sum(sum(begin < e and b < end for b, e in entities) > 1 for begin, end in own)
    return {
        "precision": round(right / max(1, found), 4),
        "recall": round(right / max(1, gold), 4),
        "f1": round(2 * right / max(1, found + gold), 4),
        "joined": joined,
        "right": right,
        "gold": gold,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("pipeline", help="name or directory; its `ner` is selectra_ner")
    parser.add_argument("--texts", type=Path, default=TEXTS)
    options = parser.parse_args()
    nlp = spacy.load(options.pipeline)
    nlp.select_pipes(enable=[name for name in nlp.pipe_names if name in ("transformer", "ner")])
    tagger: Any = nlp.get_pipe("ner")
    texts = read_texts(options.texts)
    results = {}
    for value in BOUNDARIES:
        tagger.boundaries = value
        results[value] = measure(nlp, texts)
        print(f"{value:10}", results[value])
    conclude({"texts": len(texts), "boundaries": results})


if __name__ == "__main__":
    main()
