"""Learning from a larger model that knows the task (Hinton et al. 2015; Sanh et al. 2019)."""

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
    """What a teacher says of a split, and how much a student's answers differ from it.

    Args:
        task: the student's.
        inputs: the split, tokenised for the student.
        teacher_logits: (total, outputs) float32 logits of the teacher.
        settings: temperature and weights.
        hidden: (total, W) float16 last hidden states of the teacher, None if not to be learnt.
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
        """Draw a projection to the teacher's width for a new student."""
        if self.hidden is not None:
            width = self.hidden.shape[1]
            self._projection = nn.Linear(model.config.hidden_size, width).to(
                next(model.parameters()).device
            )

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Of the projection, which is trained along with the student."""
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
        """The loss of some sequences of a batch.

        Args:
            hard: their share of the batch's loss from labels.
            logits: of their answers, as the model gives them.
            members: their numbers.
            share: of the batch's answers, those they have.
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
        """Part of a batch's answers that some of its sequences have."""
        counts = [
            self.task.soft_count([len(self.inputs.places[index]) for index in members])
            for members in (some, batch)
        ]
        return counts[0] / max(1, counts[1])

    def _rows(self, lengths: Sequence[int], members: Sequence[int] | np.ndarray) -> Tensor:
        """Rows of the packed logits that answer something."""
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
    """Ask a teacher about every example of a split, once for all trials.

    The teacher may be of another type and have another tokenizer: classes, values and tags of
    words are the same for all. Spans are spans of pieces, which have to be the same.

    Args:
        task: the student's.
        inputs: the split, tokenised for the student.
        examples: the split.
        teacher: directory of a model fine-tuned for this task.
        settings: temperature and weights.
        mode: precision of the teacher.
        device: where it runs.
        warn: takes one sentence for the user.

    Raises:
        SelectraError: as `check_teacher`.
    """
    model, order, own = _read_teacher(task, teacher)
    model = model.to(device)
    asked = own.inputs(examples)
    if asked.truncated > inputs.truncated:
        warn(f"the teacher reads {asked.truncated:,} examples cut at {own.max_length} pieces")
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
    """Read a teacher to see that it can teach this task.

    Raises:
        SelectraError: it has other labels, or, for spans, another tokenizer.
    """
    _read_teacher(task, teacher)


def _read_teacher(task: Task, teacher: Path) -> tuple[TaskModel, list[int], Task]:
    """The model, its logits in the task's order, and the task as it is posed to it."""
    model = trained_task_model(teacher, task.spec.head)
    order = _label_order(model, task, teacher)
    tokenizer = task_tokenizer(teacher)
    limit = min(task.max_length, longest_sequence(teacher, usable_positions(model.config)))
    same = fingerprint_of(tokenizer) == fingerprint_of(task.tokenizer)
    if task.spec.head == "spans" and not (same and limit == task.max_length):
        raise SelectraError(
            f"{teacher}: answers are spans of pieces, and this teacher has another tokenizer or "
            "reads shorter sequences than the student"
        )
    return model, order, make_task(task.spec, task.labels, tokenizer, limit)


class _WithHidden(nn.Module):
    """A model's logits with its hidden states beside them."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor, lengths: list[int], types: Tensor) -> Tensor:
        """(R, outputs + H)."""
        logits, hidden = forward_with_hidden(self.model, ids, lengths, types)
        return torch.cat([logits.float(), hidden.float()], dim=1)


def _label_order(model: TaskModel, task: Task, teacher: Path) -> list[int]:
    """Which of the teacher's logits goes with each of the student's."""
    if task.spec.head == "spans" or len(task.outputs) == 1:
        return list(range(len(task.outputs)))
    names = list(model.labels)
    if sorted(names) != sorted(task.outputs):
        raise SelectraError(
            f"{teacher}: this teacher's labels are {', '.join(names)}, the task's are "
            f"{', '.join(task.outputs)}"
        )
    return [names.index(name) for name in task.outputs]
