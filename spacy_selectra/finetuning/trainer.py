"""Training one classifier from one seed, selected on the development split only."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

from spacy_selectra.encoder.models import SequenceClassifier
from spacy_selectra.encoder.precision import precision
from spacy_selectra.finetuning.features import Pieces, packed
from spacy_selectra.finetuning.inference import predict_logits
from spacy_selectra.finetuning.metrics import all_scores
from spacy_selectra.finetuning.optimizer import make_optimizer, parameter_groups, warmup_linear
from spacy_selectra.finetuning.settings import TrainingSettings
from spacy_selectra.progress import Progress


class Interrupted(Exception):  # noqa: N818
    """Training was asked to stop before its end."""


class Labelled(NamedTuple):
    """Examples ready to be batched.

    Attributes:
        sequences: N tokenised sequences.
        classes: (N,) int64 class of each.
    """

    sequences: Sequence[Pieces]
    classes: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """What training did to the model, which is left with its best weights.

    Attributes:
        best_epoch: the epoch (from 1) with the highest score on the development split.
        dev: scores there, by metric.
        collapsed: whether the selected model gives every development example one class.
        epochs: one row an epoch: epoch, loss, dev, collapsed, seconds,
            examples_per_second.
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


def train_classifier(
    model: SequenceClassifier,
    train: Labelled,
    dev: Labelled,
    settings: TrainingSettings,
    *,
    metric: str,
    seed: int,
    warn: Callable[[str], None],
    should_stop: Callable[[], bool] = lambda: False,
    progress: Progress | None = None,
) -> Outcome:
    """Train, evaluate on `dev` after every epoch, and go back to the best epoch's weights.

    Of epochs with equal scores the earliest is kept. After the first epoch that ends with one
    class for every development example, `warn` is called with what to do about it.

    Args:
        model: on its device; its random head already drawn.
        train: N examples; the last batch of an epoch may be smaller.
        dev: examples for selection.
        settings: the recipe.
        metric: score that selects.
        seed: order of examples and dropout.
        warn: takes one sentence for the user.
        should_stop: asked before every step.
        progress: counts examples.

    Raises:
        Interrupted: `should_stop` said so.
    """
    seed_everything(seed)
    device = model.encoder.device
    order = np.random.default_rng(seed)
    optimizer = make_optimizer(
        parameter_groups(
            model,
            model.config.num_hidden_layers,
            settings.learning_rate,
            settings.layer_decay,
            settings.weight_decay,
        )
    )
    total = settings.epochs * math.ceil(len(train.sequences) / settings.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: warmup_linear(step, total, settings.warmup)
    )
    best: tuple[float, int, dict[str, float], dict[str, torch.Tensor], bool] | None = None
    rows: list[dict[str, Any]] = []
    for epoch in range(1, settings.epochs + 1):
        start, losses = time.monotonic(), []
        model.train()
        for batch in _batches(order.permutation(len(train.sequences)), settings.batch_size):
            if should_stop():
                raise Interrupted
            losses.append(_step(model, train, batch, settings, device))
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            if progress is not None:
                progress.update(len(batch), note=f"epoch {epoch} of {settings.epochs}")
        seconds = time.monotonic() - start
        predicted = predict_logits(model, dev.sequences, mode=settings.precision).argmax(axis=1)
        scores = all_scores(dev.classes, predicted, len(model.labels))
        collapsed = bool((predicted == predicted[0]).all())
        if collapsed and not any(row["collapsed"] for row in rows):
            warn(
                f"after epoch {epoch} all {len(predicted)} development examples are classified as "
                f"'{model.labels[predicted[0]]}'; if that lasts, lower learning_rate, raise "
                "warmup or use another seed"
            )
        rows.append(
            {
                "epoch": epoch,
                "loss": float(torch.stack(losses).mean()),
                "dev": scores,
                "collapsed": collapsed,
                "seconds": round(seconds, 3),
                "examples_per_second": round(len(train.sequences) / seconds, 1),
            }
        )
        if best is None or scores[metric] > best[0]:
            weights = {name: value.clone() for name, value in model.state_dict().items()}
            best = (scores[metric], epoch, scores, weights, collapsed)
    assert best is not None  # at least one epoch
    model.load_state_dict(best[3])
    return Outcome(best_epoch=best[1], dev=best[2], collapsed=best[4], epochs=rows)


def _batches(order: np.ndarray, size: int) -> list[np.ndarray]:
    return [order[begin : begin + size] for begin in range(0, len(order), size)]


def _step(
    model: SequenceClassifier,
    train: Labelled,
    batch: np.ndarray,
    settings: TrainingSettings,
    device: torch.device,
) -> torch.Tensor:
    """Gradients of one batch, clipped to a global norm; the mean loss, detached."""
    # sorted, so that attention finds sequences of one length side by side
    members = sorted(batch, key=lambda index: len(train.sequences[index]), reverse=True)
    sequences = [train.sequences[index] for index in members]
    ids, types = packed(sequences, device)
    classes = torch.from_numpy(train.classes[members]).to(device)
    with precision(settings.precision, device):
        logits = model(ids, [len(sequence) for sequence in sequences], types)
        loss = F.cross_entropy(logits.float(), classes)
        loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), settings.gradient_clip)
    return loss.detach()
