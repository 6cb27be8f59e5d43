"""Distillation: learning from the logits of a larger model, the teacher.

(Hinton et al. 2015; Sanh et al. 2019.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spacy_selectra.encoder.predict import predict
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.config import DistillationSettings
from spacy_selectra.finetuning.models import (
    TaskModel,
    forward_with_hidden,
    task_tokenizer,
    trained_task_model,
)
from spacy_selectra.finetuning.tasks.base import Inputs, Task
from spacy_selectra.finetuning.tasks.choose import make_task
from spacy_selectra.text.tokenizer import fingerprint_of, longest_sequence, usable_positions


class Distiller:
    """The teacher's logits for a split, and the student's loss against them.

    Args:
        task: the student's.
        inputs: the split, tokenised for the student.
        teacher_logits: (total, outputs) float32 logits of the teacher.
        settings: temperature and weights.
        hidden: (total, W) float16 last hidden states of the teacher, None if they have no weight.
    """

    def __init__(
        self,
        task: Task,
        inputs: Inputs,
        teacher_logits: np.ndarray,
        settings: DistillationSettings,
        hidden: np.ndarray | None = None,
    ) -> None:
        self.task, self.inputs, self.teacher_logits = task, inputs, teacher_logits
        self.settings, self.hidden = settings, hidden
        self._projection: nn.Linear | None = None
        self._vectors: Tensor | None = None

    def begin(self, model: TaskModel) -> None:
        """Initialise the projection to the teacher's hidden size for a new student."""
        if self.hidden is not None:
            width = self.hidden.shape[1]
            self._projection = nn.Linear(model.config.hidden_size, width).to(
                next(model.parameters()).device
            )

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Parameters of the projection, which is trained together with the student."""
        if self._projection is None:
            return []
        return [{"params": list(self._projection.parameters()), "lr": learning_rate}]

    def forward(self, model: TaskModel, ids: Tensor, lengths: list[int], types: Tensor) -> Tensor:
        """The model's logits; its hidden states are kept for `loss`."""
        if self._projection is None:
            return model(ids, lengths, types)
        logits, self._vectors = forward_with_hidden(model, ids, lengths, types)
        return logits

    def loss(
        self, hard: Tensor, logits: Tensor, members: Sequence[int] | np.ndarray, share: float
    ) -> Tensor:
        """Loss of a part of a batch.

        Args:
            hard: loss from labels, as a share of the batch's.
            logits: the student's packed logits.
            members: numbers of the sequences.
            share: share of the batch's answers in this part.
        """
        rows = self._rows([len(self.inputs.sequences[index]) for index in members], members)
        rows = rows.to(logits.device)
        places = np.concatenate([self.inputs.places[index] for index in members])
        sizes = [len(self.inputs.places[index]) for index in members]
        if not len(places):
            return hard
        teacher_logits = torch.from_numpy(self.teacher_logits[places]).to(logits.device)
        soft = self.task.soft_loss(logits[rows], teacher_logits, sizes, self.settings.temperature)
        soft = soft / self.task.soft_count(sizes) * share
        weight = self.settings.weight
        total = (1 - weight) * hard + weight * soft
        if self._projection is not None and self._vectors is not None:
            assert self.hidden is not None
            wanted = torch.from_numpy(self.hidden[places]).to(logits.device).float()
            found = self._projection(self._vectors[rows].float())
            total = total + self.settings.hidden_weight * share * F.mse_loss(found, wanted)
        return total

    def share(self, some: Sequence[int] | np.ndarray, batch: Sequence[int] | np.ndarray) -> float:
        """Share of a batch's answers that belong to some of its sequences."""
        counts = [
            self.task.soft_count([len(self.inputs.places[index]) for index in members])
            for members in (some, batch)
        ]
        return counts[0] / max(1, counts[1])

    def _rows(self, lengths: Sequence[int], members: Sequence[int] | np.ndarray) -> Tensor:
        """Rows of the packed logits that hold answers."""
        starts = np.cumsum([0, *lengths[:-1]]) if self.task.per_piece else range(len(lengths))
        parts = [
            self.inputs.rows[index] + start for index, start in zip(members, starts, strict=True)
        ]
        return torch.from_numpy(np.concatenate(parts).astype(np.int64))


def make_distiller(
    task: Task,
    inputs: Inputs,
    examples: Sequence[Any],
    teacher: Path,
    settings: DistillationSettings,
    *,
    mode: str,
    device: torch.device,
    warn: Callable[[str], None],
) -> Distiller:
    """Compute the teacher's logits for a split, once for all trials.

    The teacher may have another architecture. For classes, values and tags of words it may also
    have another tokenizer; for spans of pieces the tokenizer must be the same.

    Args:
        task: the student's.
        inputs: the split, tokenised for the student.
        examples: the split.
        teacher: directory of a model fine-tuned for this task.
        settings: temperature and weights.
        mode: precision of the teacher.
        device: device of the teacher.
        warn: called with warnings for the user.

    Raises:
        SelectraError: as `check_teacher`.
    """
    model, order, own = _read_teacher(task, teacher)
    model = model.to(device)
    asked = own.inputs(examples)
    if asked.truncated > inputs.truncated:
        warn(
            f"{asked.truncated:,} examples are truncated to {own.max_length} pieces for the teacher"
        )
    with_hidden = settings.hidden_weight > 0
    found = predict(
        _WithHidden(model) if with_hidden else model,
        asked.sequences,
        per_piece=task.per_piece,
        mode=mode,
    )
    outputs = len(own.outputs)
    own_logits = [scores[..., :outputs] for scores in found]
    hidden = None
    if with_hidden:
        hidden = asked.answers([scores[..., outputs:] for scores in found], np.float16)
    return Distiller(task, inputs, asked.answers(own_logits)[:, order], settings, hidden)


def check_teacher(task: Task, teacher: Path) -> None:
    """Load a teacher to check that it suits the task.

    Raises:
        SelectraError: it has other labels or, for spans, another tokenizer.
    """
    _read_teacher(task, teacher)


def _read_teacher(task: Task, teacher: Path) -> tuple[TaskModel, list[int], Task]:
    """The model, the order of its logits, and the task with its tokenizer."""
    model = trained_task_model(teacher, task.spec.head)
    order = _label_order(model, task, teacher)
    tokenizer = task_tokenizer(teacher)
    limit = min(task.max_length, longest_sequence(teacher, usable_positions(model.config)))
    same = fingerprint_of(tokenizer) == fingerprint_of(task.tokenizer)
    if task.spec.head == "spans" and not (same and limit == task.max_length):
        raise SelectraError(
            f"{teacher}: answers are spans of pieces, but this teacher has another tokenizer or "
            "shorter sequences than the student"
        )
    return model, order, make_task(task.spec, task.labels, tokenizer, limit)


class _WithHidden(nn.Module):
    """A model that returns its logits concatenated with its last hidden states."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor, lengths: list[int], types: Tensor) -> Tensor:
        """(R, outputs + H)."""
        logits, hidden = forward_with_hidden(self.model, ids, lengths, types)
        return torch.cat([logits.float(), hidden.float()], dim=1)


def _label_order(model: TaskModel, task: Task, teacher: Path) -> list[int]:
    """Index of the teacher's logit for each of the student's."""
    if task.spec.head == "spans" or len(task.outputs) == 1:
        return list(range(len(task.outputs)))
    names = list(model.labels)
    if sorted(names) != sorted(task.outputs):
        raise SelectraError(
            f"{teacher}: the teacher's labels are {', '.join(names)}, those of the task "
            f"{', '.join(task.outputs)}"
        )
    return [names.index(name) for name in task.outputs]
