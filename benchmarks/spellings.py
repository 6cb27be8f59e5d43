"""What do capitals and missing accents cost, and how much of it is regained?

    python benchmarks/spellings.py es_selectra_tiny --test test.tsv

F1 of entities on a column file, as it is, in capitals, without accents, and both, read as it stands
and with case and accents restored. One JSON line last.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import spacy
from processor import conclude
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_selectra.components.corpora.labelled import read_entities
from spacy_selectra.packaging.pipeline_scores import entity_scores
from spacy_selectra.text.normalization import strip_accents

SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "capitals": str.upper,
    "no accents": strip_accents,
    "both": lambda word: strip_accents(word.upper()),
}


def respelled(nlp: Language, doc: Doc, spell: Callable[[str], str]) -> Example:
    """The document with all its words spelled otherwise, and its entities."""
    words = [spell(word.text) for word in doc]
    spaces = [bool(word.whitespace_) for word in doc]
    gold = Doc(nlp.vocab, words=words, spaces=spaces)
    gold.ents = [Span(gold, ent.start, ent.end, label=ent.label_) for ent in doc.ents]
    return Example(Doc(nlp.vocab, words=words, spaces=spaces), gold)


def measure(nlp: Language, test: str) -> dict[str, dict[str, float]]:
    """F1 in percent of each spelling, as it stands and restored."""
    docs = [example.reference for _, example in read_entities(nlp, Path(test), {})]
    transformer: Any = nlp.get_pipe("transformer")
    results: dict[str, dict[str, float]] = {}
    for name, spell in SPELLINGS.items():
        results[name] = {}
        for way, restore in (("as it stands", False), ("restored", True)):
            transformer.model.attrs.update(restore_case=restore, restore_accents=restore)
            examples = [respelled(nlp, doc, spell) for doc in docs]
            results[name][way] = round(100 * entity_scores(nlp, examples)["ents_f"], 2)
        print(f"{name:10}", results[name], flush=True)
    return results


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("pipeline", help="name or directory")
    parser.add_argument("--test", required=True, help="column file with entities")
    options = parser.parse_args()
    nlp = spacy.load(options.pipeline)
    conclude({"f1": measure(nlp, options.test)})


if __name__ == "__main__":
    main()
