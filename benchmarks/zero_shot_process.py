"""The process of one contender of zero_shot.py: classifies its texts whenever it is asked to."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from turns import serve


@dataclass(frozen=True)
class Task:
    """What is classified by whom, the same for all contenders but for the first three."""

    kind: str
    mode: str
    checked: bool
    model: str
    matching: str
    texts: str
    peer_documents: int
    labels: list[str]
    template: str
    threads: int | None


def theirs(task: Task) -> Callable[[list[str], int], list[list[float]]]:
    """transformers' pipeline, batch by batch in the order of the texts."""
    from transformers import pipeline

    if task.mode == "medium":
        torch.set_float32_matmul_precision("medium")
    oracle: Any = pipeline("zero-shot-classification", model=task.model, device="cpu")

    def classify(texts: list[str], batch: int) -> list[list[float]]:
        with torch.autocast("cpu", torch.bfloat16, enabled=task.mode == "bf16"):
            answers = oracle(
                texts, task.labels, hypothesis_template=task.template, batch_size=batch
            )
        if isinstance(answers, dict):  # of a single text
            answers = [answers]
        rows = [dict(zip(row["labels"], row["scores"], strict=True)) for row in answers]
        return [[row[label] for label in task.labels] for row in rows]

    return classify


def ours(task: Task) -> Callable[[list[str], int], list[list[float]]]:
    """The component in a blank pipeline, spaCy's own tokenizer included."""
    import spacy

    settings: dict[str, Any] = {"model": task.matching, "labels": task.labels}
    if task.kind != "matching":
        settings["model"] = task.model
        settings |= {"hypothesis_template": task.template, "precision": task.mode}
    nlp = spacy.blank("es")
    nlp.add_pipe("selectra_zero_shot", config=settings)

    def classify(texts: list[str], batch: int) -> list[list[float]]:
        del batch  # the component packs its own
        return [[doc.cats[label] for label in task.labels] for doc in nlp.pipe(texts)]

    return classify


def build(values: dict[str, Any]) -> dict[str, Callable[[int], dict[str, Any]]]:
    """The contender, and what can be asked of it."""
    task = Task(**values)
    if task.threads is not None:
        torch.set_num_threads(task.threads)
    texts: list[str] = json.loads(Path(task.texts).read_text(encoding="utf-8"))
    if task.kind == "transformers":
        texts = texts[: task.peer_documents]
    run = (theirs if task.kind == "transformers" else ours)(task)
    last: list[list[float]] = []

    def classify(batch: int) -> dict[str, Any]:
        begin = time.perf_counter()
        last[:] = run(texts, batch)
        return {"documents_per_second": len(texts) / (time.perf_counter() - begin)}

    return {
        "started": lambda _: {"threads": torch.get_num_threads()},
        "classify": classify,
        "scores": lambda _: {"scores": last},
    }


if __name__ == "__main__":
    serve(build)
