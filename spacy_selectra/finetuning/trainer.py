"""Training one model with one seed, with model selection on the development split."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from spacy_selectra.encoder.precision import precision
from spacy_selectra.encoder.predict import predict, to_tensors
from spacy_selectra.finetuning.config import TrainingSettings
from spacy_selectra.finetuning.distillation import Distiller
from spacy_selectra.finetuning.layer_rates import (
    freeze_layers,
    make_optimizer,
    parameter_groups,
    warmup_linear,
)
from spacy_selectra.finetuning.tasks.base import Inputs, Task
from spacy_selectra.text.encode import join
from spacy_selectra.util.progress import Progress


class Interrupted(Exception):  # noqa: N818
    """Training was asked to stop before its end."""


@dataclass(frozen=True)
class Outcome:
    """Result of a training; the model has the weights of the best epoch.

    Attributes:
        best_epoch: the epoch (from 1) with the highest score on the development split.
        dev: scores on the development split, by metric.
        collapsed: whether the model gives the same answer to every development example.
        epochs: one row per epoch: epoch, loss, dev, collapsed, seconds, examples_per_second.
    """

    best_epoch: int
    dev: dict[str, float]
    collapsed: bool
    epochs: list[dict[str, Any]]


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch on all devices."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def train_model(
    model: Any,
    task: Task,
    train: Inputs,
    dev: Inputs,
    settings: TrainingSettings,
    *,
    seed: int,
    warn: Callable[[str], None],
    distiller: Distiller | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    progress: Progress | None = None,
) -> Outcome:
    """Train, evaluate on `dev` after every epoch, and restore the weights of the best epoch.

    If several epochs have the same score, the earliest is kept. After the first epoch in which the
    model has collapsed, `warn` is called with advice.

    Args:
        model: with its head, on its device.
        task: loss and scores.
        train: N sequences; the last batch of an epoch may be smaller.
        dev: sequences for model selection.
        settings: the recipe.
        seed: of the order of sequences and dropout.
        warn: called with warnings for the user.
        distiller: the teacher's logits for `train`, None without distillation.
        should_stop: called before every step.
        progress: counts sequences.

    Raises:
        Interrupted: `should_stop` returned True.
        SelectraError: more layers to freeze than there are.
    """
    seed_everything(seed)
    order = np.random.default_rng(seed)
    metric = task.spec.metric
    layers = model.config.num_hidden_layers
    freeze_layers(model, layers, settings.frozen_layers)
    groups = parameter_groups(
        model, layers, settings.learning_rate, settings.layer_decay, settings.weight_decay
    )
    if distiller is not None:
        groups += distiller.parameter_groups(settings.learning_rate)
    optimizer = make_optimizer(groups)
    total = settings.epochs * math.ceil(len(train) / settings.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: warmup_linear(step, total, settings.warmup_ratio)
    )
    best: tuple[float, int, dict[str, float], dict[str, torch.Tensor], bool] | None = None
    rows: list[dict[str, Any]] = []
    for epoch in range(1, settings.epochs + 1):
        start, losses = time.monotonic(), []
        model.train()
        for batch in _batches(order.permutation(len(train)), settings.batch_size):
            if should_stop():
                raise Interrupted
            losses.append(_step(model, task, train, batch, settings, distiller))
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            if progress is not None:
                progress.update(len(batch), note=f"epoch {epoch} of {settings.epochs}")
        seconds = time.monotonic() - start
        logits = predict(model, dev.sequences, per_piece=task.per_piece, mode=settings.precision)
        scores = task.scores(dev, logits)
        answer = task.only_answer(dev, logits)
        if answer is not None and not any(row["collapsed"] for row in rows):
            warn(
                f"after epoch {epoch} the model predicts '{answer}' for all {len(dev)} development "
                "examples; if this does not change, lower learning_rate, raise warmup_ratio or use "
                "another seed"
            )
        rows.append(
            {
                "epoch": epoch,
                "loss": float(torch.stack(losses).mean()),
                "dev": scores,
                "collapsed": answer is not None,
                "seconds": round(seconds, 3),
                "examples_per_second": round(len(train) / seconds, 1),
            }
        )
        if best is None or scores[metric] > best[0]:
            weights = {name: value.clone() for name, value in model.state_dict().items()}
            best = (scores[metric], epoch, scores, weights, answer is not None)
    assert best is not None  # at least one epoch
    model.load_state_dict(best[3])
    return Outcome(best_epoch=best[1], dev=best[2], collapsed=best[4], epochs=rows)


def _batches(order: np.ndarray, size: int) -> list[np.ndarray]:
    return [order[begin : begin + size] for begin in range(0, len(order), size)]


def _step(
    model: Any,
    task: Task,
    train: Inputs,
    batch: np.ndarray,
    settings: TrainingSettings,
    distiller: Distiller | None,
) -> torch.Tensor:
    """Compute and clip the gradients of one batch; returns the mean loss, detached."""
    # sorted, because attention is faster if sequences of the same length are adjacent
    members = np.array(sorted(batch, key=lambda index: -len(train.sequences[index])))
    targets = [train.targets[index] for index in members]
    count = max(1, task.count(targets))
    losses = []
    for part in np.array_split(members, min(settings.gradient_accumulation_steps, len(members))):
        share = distiller.share(part, members) if distiller is not None else 1.0
        losses.append(
            _gradients(model, task, train, part, settings.precision, count, distiller, share)
        )
    torch.nn.utils.clip_grad_norm_(model.parameters(), settings.max_grad_norm)
    return torch.stack(losses).sum()


def _gradients(
    model: Any,
    task: Task,
    train: Inputs,
    members: np.ndarray,
    mode: str,
    count: int,
    distiller: Distiller | None,
    share: float,
) -> torch.Tensor:
    """Add the gradients of a part of a batch; returns its share of the loss, detached."""
    device = next(model.parameters()).device
    sequences = [train.sequences[index] for index in members]
    lengths = [len(sequence) for sequence in sequences]
    ids, types = to_tensors(join(sequences), device)
    with precision(mode, device):
        if distiller is None:
            logits = model(ids, lengths, types)
        else:
            logits = distiller.forward(model, ids, lengths, types)
        loss = task.loss(logits, lengths, [train.targets[index] for index in members]) / count
        if distiller is not None:
            loss = distiller.loss(loss, logits, members, share)
        loss.backward()
    return loss.detach()
