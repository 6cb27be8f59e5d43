"""Do the probabilities of `selectra_ner` mean what they say, and what do they cost?

    python benchmarks/entity_scores.py es_selectra_tiny --dev dev.tsv --test test.tsv

The temperature is fitted on the first file. Prints, for both files, the expected calibration error
(Naeini et al. 2015, in ten bins of equal width) before and after, F1 at some thresholds, a
reliability curve, and what scores add to the processor time of the tagger, and of the transformer
with it. One JSON line last, of which `docs/reliability.py` makes a picture.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from processor import conclude
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from spacy_selectra.components.corpora.labelled import read_entities
from spacy_selectra.packaging.pipeline_scores import forget_types

BINS = 10
BATCH = 64  # documents
THRESHOLDS = (0.0, 0.5, 0.7, 0.9)


def calibration_error(scores: np.ndarray, right: np.ndarray) -> tuple[float, list[list[float]]]:
    """Expected calibration error, and of each bin: mean score, share that is right, how many."""
    bins = np.minimum((scores * BINS).astype(int), BINS - 1)
    rows, error = [], 0.0
    for place in range(BINS):
        inside = bins == place
        if inside.any():
            mean, share = float(scores[inside].mean()), float(right[inside].mean())
            error += inside.mean() * abs(mean - share)
            rows.append([mean, share, int(inside.sum())])
    return float(error), rows


def f1(found: int, right: int, gold: int) -> float:
    """Of entities."""
    return 2 * right / max(1, found + gold)


def judged(examples: Sequence[Example]) -> tuple[np.ndarray, np.ndarray, int]:
    """Scores of the entities found, whether each is right, and how many there should be."""
    scores, right, gold = [], [], 0
    for example in examples:
        true = {(e.start, e.end, e.label_) for e in example.reference.ents}
        gold += len(true)
        for entity in example.predicted.ents:
            scores.append(entity._.score)
            right.append((entity.start, entity.end, entity.label_) in true)
    return np.array(scores), np.array(right), gold


def read(nlp: Language, path: str) -> list[Example]:
    """The examples of a file, whose documents the transformer has read; types that the tagger does
    not know are left out."""
    examples = [example for _, example in read_entities(nlp, Path(path), {})]
    forget_types(nlp, examples)
    with nlp.select_pipes(enable=["transformer"]):
        docs = list(nlp.pipe(example.predicted for example in examples))
    return [Example(doc, e.reference) for doc, e in zip(docs, examples, strict=True)]


def forget(docs: Sequence[Doc]) -> None:
    """Take the entities off, so that they can be found anew."""
    for doc in docs:
        doc.set_ents([], default="missing")


def annotate(tagger: Any, docs: Sequence[Doc]) -> None:
    """Have the tagger find the entities."""
    for start in range(0, len(docs), BATCH):
        part = docs[start : start + BATCH]
        tagger.set_annotations(part, tagger.predict(part))


def seconds(nlp: Language, tagger: Any, docs: Sequence[Doc], repeats: int) -> dict[str, float]:
    """Median processor seconds of the tagger without and with scores, batch by batch in turn, and
    of the transformer before it."""
    rounds: list[dict[str, float]] = []
    for number in range(repeats):
        taken = {"transformer": 0.0, "without": 0.0, "with": 0.0}
        for batch, start in enumerate(range(0, len(docs), BATCH)):
            part = docs[start : start + BATCH]
            forget(part)
            with timed(taken, "transformer"):
                annotate(nlp.get_pipe("transformer"), part)
            turns = ("without", "with") if (number + batch) % 2 else ("with", "without")
            for turn in turns:
                tagger.scores = turn == "with"
                forget(part)
                with timed(taken, turn):
                    annotate(tagger, part)
        rounds.append(taken)
    tagger.scores = True
    return {key: statistics.median(taken[key] for taken in rounds) for key in rounds[0]}


@contextmanager
def timed(taken: dict[str, float], key: str) -> Iterator[None]:
    """Add the processor time of what is done to what has been taken."""
    start = time.process_time()
    yield
    taken[key] += time.process_time() - start


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("pipeline", help="package or path")
    parser.add_argument("--dev", required=True, help="CoNLL columns, to fit the temperature on")
    parser.add_argument("--test", required=True, help="CoNLL columns, not fitted on")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    nlp = spacy.load(arguments.pipeline)
    tagger: Any = next(
        nlp.get_pipe(name)
        for name in nlp.pipe_names
        if nlp.get_pipe_meta(name).factory == "selectra_ner"
    )
    tagger.scores = True
    sets = {"dev": read(nlp, arguments.dev), "test": read(nlp, arguments.test)}
    results: dict[str, Any] = {}
    for when in ("before", "after"):
        if when == "after":
            results["temperature"] = tagger.calibrate(sets["dev"])
        for name, examples in sets.items():
            docs = [example.predicted for example in examples]
            forget(docs)
            annotate(tagger, docs)
            scores, right, gold = judged(examples)
            error, curve = calibration_error(scores, right)
            results[f"{name} {when}"] = {"ece": error, "curve": curve}
            if when == "after":
                results[f"{name} f1"] = {
                    threshold: f1(
                        int((scores >= threshold).sum()),
                        int(right[scores >= threshold].sum()),
                        gold,
                    )
                    for threshold in THRESHOLDS
                }
    docs = [example.predicted for example in sets["dev"]]
    taken = seconds(nlp, tagger, docs, arguments.repeats)
    results["seconds"] = taken
    print("| file | ECE before | after | " + " | ".join(f"F1 from {t}" for t in THRESHOLDS) + " |")
    print("|---" * (3 + len(THRESHOLDS)) + "|")
    for name in sets:
        values = " | ".join(f"{value:.4f}" for value in results[f"{name} f1"].values())
        before, after = results[f"{name} before"]["ece"], results[f"{name} after"]["ece"]
        print(f"| {name} | {before:.4f} | {after:.4f} | {values} |")
    print("\n| mean score | share right | entities |\n|---|---|---|")
    for mean, share, count in results["test after"]["curve"]:
        print(f"| {mean:.3f} | {share:.3f} | {count} |")
    extra = taken["with"] - taken["without"]
    alone, all_of_it = extra / taken["without"], extra / (taken["without"] + taken["transformer"])
    print(f"\nScores add {alone:.1%} to the tagger, {all_of_it:.2%} to transformer and tagger.")
    conclude({"pipeline": arguments.pipeline, **results})


if __name__ == "__main__":
    main()
