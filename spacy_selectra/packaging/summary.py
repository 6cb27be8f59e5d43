"""Scores and annotations of a project run, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wasabi import table

from spacy_selectra.errors import SelectraError
from spacy_selectra.packaging.card import SCORES
from spacy_selectra.util.files import read_json


def summarise(directory: str | Path) -> str:
    """Text from the files `pipeline.json` and `try.json` of a directory.

    Raises:
        SelectraError: both are missing.
    """
    directory = Path(directory)
    files = {
        name: read_json(directory / f"{name}.json")
        for name in ("pipeline", "try")
        if (directory / f"{name}.json").is_file()
    }
    if not files:
        raise SelectraError(f"{directory}: no metrics; run the project first")
    lines: list[str] = []
    if "pipeline" in files:
        lines += ["Scores on the test files", "", *score_lines(files["pipeline"])]
    if "try" in files:
        lines += ["", *trial_lines(files["try"])]
    return "\n".join(lines)


def trial_lines(trial: Mapping[str, Any]) -> Iterator[str]:
    """Lines for the result of `try_wheel`."""
    yield (
        f"From the installed wheel {trial['package']} {trial['version']} "
        f"(loaded in {trial['load_seconds']:.1f} s, offline)"
    )
    for doc in trial["docs"]:
        yield ""
        yield f"  {doc['text']}"
        entities = ", ".join(f"{ent['text']} ({ent['label']})" for ent in doc["ents"])
        yield f"    entities   {entities or 'none'}"
        for key, title in (("cats", "topic"), ("zero_shot", "zero-shot")):
            if doc.get(key):
                ranked = sorted(doc[key].items(), key=lambda item: -item[1])[:3]
                scores = ", ".join(f"{label} {score:.2f}" for label, score in ranked)
                yield f"    {title:<10} {scores}"
        if doc.get("words"):
            word, score = max(doc["words"], key=lambda item: item[1])
            verdict = "replaced" if doc.get("replaced") else "below the threshold"
            yield f"    replaced?  {word} {score:.2f} ({verdict})"


def score_lines(scores: Mapping[str, Any]) -> Iterator[str]:
    """Lines of a table for the result of `evaluate_pipeline`."""
    rows = [(title, f"{scores[key]:.3f}") for key, title in SCORES.items() if key in scores]
    if "speed" in scores:
        title = "whole pipeline on this machine, words per second"
        rows.append((title, f"{scores['speed']:.0f}"))
    text = table(rows, aligns=("l", "r"), max_col=80) if rows else ""
    yield from (f"  {line}" for line in text.strip("\n").split("\n") if line)
