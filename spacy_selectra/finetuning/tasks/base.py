"""The interface of a task: inputs and targets, loss and scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from spacy_selectra.finetuning.tasks.registry import TaskSpec
from spacy_selectra.text.encode import TypedPieces

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Target of pieces without loss, as torch's default `ignore_index`.
IGNORED = -100


@dataclass
class Inputs:
    """Tokenised examples of a split.

    Attributes:
        sequences: N sequences; a long example may have several.
        targets: N arrays, in the form that `Task.loss` needs.
        truncated: number of truncated examples.
        rows: N arrays of int64: rows of a sequence's logits that are answers; 0 if there is only
            one row.
        places: N arrays of int64: number, within the split, of the answer in each of `rows`.
            Except for spans, numbers are the same for every tokenizer.
        total: number of answers.
    """

    sequences: list[TypedPieces]
    targets: list[np.ndarray]
    truncated: int
    rows: list[np.ndarray]
    places: list[np.ndarray]
    total: int

    def __len__(self) -> int:
        """Number of sequences."""
        return len(self.sequences)

    def answers(self, values: Sequence[np.ndarray], dtype: Any = np.float32) -> np.ndarray:
        """(total, W) values of all answers; zeros for answers without a row.

        Args:
            values: N arrays of logits or vectors, (W,) for a sequence or (n, W) for its pieces.
            dtype: type of the result.
        """
        result = np.zeros((self.total, values[0].shape[-1]), dtype=dtype)
        for rows, places, own in zip(self.rows, self.places, values, strict=True):
            result[places] = np.atleast_2d(own)[rows]
        return result


class Task(ABC):
    """A task with its labels, for the tokenizer of one encoder.

    Args:
        spec: entry of the table of tasks.
        labels: classes, entity types or tags.
        tokenizer: of the encoder, padding and truncation off.
        max_length: maximum pieces of a sequence.
    """

    def __init__(
        self, spec: TaskSpec, labels: Sequence[str], tokenizer: Tokenizer, max_length: int
    ) -> None:
        self.spec, self.tokenizer, self.max_length = spec, tokenizer, max_length
        self.labels = list(labels)

    @property
    def outputs(self) -> list[str]:
        """Names of the model's logits."""
        return self.labels

    @property
    def per_piece(self) -> bool:
        """Whether logits are per piece and not per sequence."""
        return self.spec.head in ("tags", "spans")

    @abstractmethod
    def inputs(self, examples: Sequence[Any]) -> Inputs:
        """Tokenise examples; unlabelled ones get targets without loss.

        Raises:
            SelectraError: `max_length` is too small for an example.
        """

    @abstractmethod
    def loss(self, logits: Tensor, lengths: Sequence[int], targets: Sequence[np.ndarray]) -> Tensor:
        """Sum of the losses of all targets of a packed batch.

        Args:
            logits: (B, outputs), or (T, outputs) if logits are per piece.
            lengths: pieces of each of B sequences.
            targets: B arrays.
        """

    @abstractmethod
    def count(self, targets: Sequence[np.ndarray]) -> int:
        """Number of targets, by which the loss is divided."""

    @abstractmethod
    def scores(self, inputs: Any, logits: Sequence[np.ndarray]) -> dict[str, float]:
        """All metrics of the task, by name.

        Args:
            inputs: from `inputs`.
            logits: of its sequences, (outputs,) or (n, outputs) each.
        """

    @abstractmethod
    def only_answer(self, inputs: Any, logits: Sequence[np.ndarray]) -> str | None:
        """The answer to every example, if it is always the same (collapsed); else None."""

    def soft_loss(
        self, logits: Tensor, teacher_logits: Tensor, sizes: Sequence[int], temperature: float
    ) -> Tensor:
        """KL divergence from a teacher's probabilities, summed over R answers.

        The temperature softens both sides. Its square scales the result, so that the size of
        gradients does not depend on it (Hinton et al. 2015, section 2).

        Args:
            logits: (R, outputs), the student's.
            teacher_logits: (R, outputs), the teacher's.
            sizes: number of answers of each sequence.
            temperature: divides logits.
        """
        del sizes
        return softened_divergence(logits, teacher_logits, temperature)

    def soft_count(self, sizes: Sequence[int]) -> int:
        """Divisor of `soft_loss` for its mean."""
        return sum(sizes)


def class_targets(labels: Sequence[str], names: Sequence[str]) -> list[np.ndarray]:
    """The index of each label; `IGNORED` for "" (unlabelled)."""
    numbers = {label: number for number, label in enumerate(names)} | {"": IGNORED}
    return [np.array(numbers[label], dtype=np.int64) for label in labels]


def softened_divergence(
    logits: Tensor, teacher_logits: Tensor, temperature: float, dim: int = 1
) -> Tensor:
    """t^2 * KL(softmax(teacher_logits / t) || softmax(logits / t)), summed, at temperature t."""
    student = torch.log_softmax(logits.float() / temperature, dim)
    teacher = torch.log_softmax(teacher_logits.float() / temperature, dim)
    differences = torch.nan_to_num(teacher - student)  # padding is -inf on both sides
    return (teacher.exp() * differences).sum() * temperature**2
