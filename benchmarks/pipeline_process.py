"""The process of one contender of pipeline.py: annotates the corpus whenever it is asked to."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from pipeline_contenders import Contender, PlainTransformers, SpacyPipeline, Task
from process_memory import peak_memory, reset_peak, resident_memory
from turns import serve


def build(values: dict[str, Any]) -> dict[str, Callable[[int], dict[str, Any]]]:
    """The contender, and what can be asked of it."""
    name = values.pop("name")
    task = Task(**values)
    if task.threads is not None:
        torch.set_num_threads(task.threads)
    contender: Contender = PlainTransformers(task) if task.kind == "plain" else SpacyPipeline(task)
    texts = task.texts
    before = resident_memory()

    def run(number: int) -> dict[str, Any]:
        begin = time.perf_counter()
        contender.run(texts)
        seconds = time.perf_counter() - begin
        if number == 0:  # the first run may try several settings
            reset_peak()
        return {"seconds": seconds}

    wishes: dict[str, Callable[[int], dict[str, Any]]] = {
        "started": lambda _: {"threads": torch.get_num_threads()},
        "run": run,
        "memory": lambda _: {"bytes": peak_memory() - before},
        "about": lambda _: contender.about(),
    }
    if isinstance(contender, SpacyPipeline):
        path = Path(task.directory) / f"{re.sub('[^a-z0-9]+', '-', name)}.npy"
        wishes["outputs"] = lambda _: contender.outputs(texts, path)
        wishes["profile"] = lambda _: contender.profile(texts)
    return wishes


if __name__ == "__main__":
    serve(build)
