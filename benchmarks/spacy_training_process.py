"""The process of one contender of spacy_training.py: an update whenever it is asked for one."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # torch's optimisers import it when the first of them is made
from process_memory import peak_memory, reset_peak, resident_memory
from spacy import registry
from spacy.training import Example
from spacy.training.batchers import minibatch_by_padded_size
from spacy_models import load_pipeline, selectra_model, stock_model
from thinc.api import fix_random_seed
from turns import serve

from spacy_selectra.components.corpora.labelled import conll_reader

BUFFER = 256  # sentences sorted by length together, as in spaCy's template


@dataclass(frozen=True)
class Task:
    """What is trained on what; only the first two differ between contenders."""

    kind: str
    precision: str
    pipeline: str
    encoder: str
    train: str
    dev: str
    steps: int
    batch: int
    rate: float
    dropout: float
    threads: int | None
    seed: int


def optimizer_config(task: Task) -> dict[str, Any]:
    """spaCy's Adam or ours, at the same rate: up for a tenth of the steps, then down to 0."""
    schedule = {
        "@schedules": "warmup_linear.v1",
        "warmup_steps": max(1, task.steps // 10),
        "total_steps": task.steps,
        "initial_rate": task.rate,
    }
    if task.kind == "ours":
        return {"@optimizers": "spacy-selectra.LayerwiseAdam.v1", "learn_rate": schedule}
    return {
        "@optimizers": "Adam.v1",
        "beta1": 0.9,
        "beta2": 0.999,
        "L2_is_weight_decay": True,
        "L2": 0.01,
        "grad_clip": 1.0,
        "use_averages": False,
        "eps": 1e-8,
        "learn_rate": schedule,
    }


def training_batches(examples: list[Example], task: Task) -> list[list[Example]]:
    """Sentences in random order, those of a batch of similar length."""
    rng = random.Random(task.seed)
    shuffled = list(examples)
    rng.shuffle(shuffled)
    batches = [
        list(batch)
        for batch in minibatch_by_padded_size(shuffled, task.batch, buffer=BUFFER, get_length=_size)
    ]
    rng.shuffle(batches)
    return batches


def build(values: dict[str, Any]) -> dict[str, Callable[[int], dict[str, Any]]]:
    """A pipeline in training, and what can be asked of it."""
    task = Task(**values)
    if task.threads is not None:
        torch.set_num_threads(task.threads)
    if task.kind == "stock":
        model = stock_model(Path(task.encoder))
    else:
        model = selectra_model(Path(task.encoder), task.precision, strided=True)
    if task.precision == "medium":
        torch.set_float32_matmul_precision("medium")
    nlp = load_pipeline(Path(task.pipeline), model)
    examples = list(conll_reader(task.train)(nlp))
    held_out = list(conll_reader(task.dev)(nlp))
    batches = training_batches(examples, task)
    fix_random_seed(task.seed)
    optimizer: Any = registry.resolve({"optimizer": optimizer_config(task)})["optimizer"]
    before = resident_memory()
    reset_peak()

    def step(number: int) -> dict[str, Any]:
        """As `spacy train` does it: gradients of all components first, then the weights."""
        batch = batches[number % len(batches)]
        losses: dict[str, float] = {}
        begin = time.perf_counter()
        nlp.update(batch, drop=task.dropout, sgd=False, losses=losses)  # type: ignore[arg-type]
        for _, pipe in nlp.pipeline:
            pipe.finish_update(optimizer)  # type: ignore[attr-defined]
        optimizer.step_schedules()
        seconds = time.perf_counter() - begin
        words = sum(len(example.predicted) for example in batch)
        loss = float(losses["ner"])
        return {"seconds": seconds, "words": words, "loss": loss, "finite": math.isfinite(loss)}

    return {
        "started": lambda _: {"threads": torch.get_num_threads(), "batches": len(batches)},
        "step": step,
        "memory": lambda _: {"bytes": peak_memory() - before},
        "score": lambda _: {"f1": nlp.evaluate(held_out)["ents_f"] or 0.0},
    }


def _size(example: Example) -> int:
    return len(example.predicted)


if __name__ == "__main__":
    serve(build)
