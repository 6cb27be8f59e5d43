"""What a project run measured and found, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spacy_selectra.errors import SelectraError
from spacy_selectra.packaging.card import SCORES
from spacy_selectra.util.files import read_json


def summarise(directory: str | Path) -> str:
    """Text from the files `pipeline.json` and `try.json` of a directory.

    Raises:
        SelectraError: none of them is there.
    """
    directory = Path(directory)
    files = {
        name: read_json(directory / f"{name}.json")
        for name in ("pipeline", "try")
        if (directory / f"{name}.json").is_file()
    }
    if not files:
        raise SelectraError(f"{directory}: no metrics there; run the project first")
    lines: list[str] = []
    if "pipeline" in files:
        lines += ["Measured on texts no model was trained on", "", *score_lines(files["pipeline"])]
    if "try" in files:
        lines += ["", *trial_lines(files["try"])]
    return "\n".join(lines)


def trial_lines(trial: Mapping[str, Any]) -> Iterator[str]:
    """Lines for the answer of `try_wheel`."""
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
            yield f"    odd word   {word} {score:.2f} ({verdict})"


def score_lines(scores: Mapping[str, Any]) -> Iterator[str]:
    """Lines for the answer of `evaluate_pipeline`."""
    for key, title in SCORES.items():
        if key in scores:
            yield f"  {title:<64} {scores[key]:.3f}"
    if "speed" in scores:
        yield f"  {'whole pipeline on this machine, words a second':<64} {scores['speed']:.0f}"
