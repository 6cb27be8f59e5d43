"""transformers' Trainer for finetuning.py: the same batches as ours, and a turn after each step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from torch.utils.data import Sampler
from transformers import (
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from spacy_selectra.finetuning.tasks.base import Inputs


class StepClock(Protocol):
    """What is told of the beginning and the end of steps."""

    def begin(self) -> bool:
        """The next step begins when this returns."""
        ...

    def end(self, sequences: int, pieces: int) -> bool:
        """A step has been made; whether it was the last."""
        ...


class GivenOrder(Sampler[int]):
    """Every epoch in the next of the given orders."""

    def __init__(self, orders: Iterator[np.ndarray], count: int) -> None:
        self._orders, self._count = orders, count

    def __len__(self) -> int:
        """Sequences of an epoch."""
        return self._count

    def __iter__(self) -> Iterator[int]:
        """Their numbers."""
        return iter(next(self._orders).tolist())


class Turns(TrainerCallback):
    """A step lasts from the end of the one before, so that it includes the making of its batch."""

    def __init__(self, clock: StepClock) -> None:
        self._clock = clock
        self.sequences, self.pieces = 0, 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """The first step may begin."""
        self._clock.begin()

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """The next step may begin, if there is one."""
        if self._clock.end(self.sequences, self.pieces):
            control.should_training_stop = True
        else:
            self._clock.begin()


class InTurns(Trainer):
    """A Trainer that says what its steps hold.

    Args:
        clock: told of every step.
        orders: of the sequences in each epoch; None leaves it to the Trainer.
        others: the Trainer's own arguments.
    """

    def __init__(
        self, *, clock: StepClock, orders: Iterator[np.ndarray] | None, **others: Any
    ) -> None:
        self._orders, self._turns = orders, Turns(clock)
        super().__init__(**others, callbacks=[self._turns])
        self.remove_callback(PrinterCallback)  # of times, which turns make meaningless

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        if self._orders is None:
            return super()._get_train_sampler(train_dataset)
        return GivenOrder(self._orders, len(self.train_dataset))  # type: ignore[arg-type]

    def training_step(
        self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> Any:
        """Gradients of a batch."""
        mask = inputs["attention_mask"]
        self._turns.sequences, self._turns.pieces = len(mask), int(mask.sum())
        return super().training_step(model, inputs, num_items_in_batch)


def examples(inputs: Inputs) -> list[dict[str, Any]]:
    """Tokenised examples as tokenizers return them, with labels; padding is for the collator."""
    return [
        {
            "input_ids": sequence.ids.tolist(),
            "token_type_ids": sequence.types.tolist(),
            "attention_mask": [1] * len(sequence),
            "labels": target.tolist(),
        }
        for sequence, target in zip(inputs.sequences, inputs.targets, strict=True)
    ]


def grouping() -> dict[str, Any]:
    """The argument by which a Trainer makes batches of similar lengths."""
    name = "train_sampling_strategy"  # since transformers 5
    if name in TrainingArguments.__dataclass_fields__:
        return {name: "group_by_length"}
    return {"group_by_length": True}


def collator(tokenizer: Any, per_piece: bool) -> Any:
    """Pads each batch to its longest sequence."""
    kind = DataCollatorForTokenClassification if per_piece else DataCollatorWithPadding
    return kind(tokenizer)


def padded_logits(found: Any, inputs: Inputs, per_piece: bool) -> list[np.ndarray]:
    """A Trainer's predictions without padding: (labels,) or (n, labels) of each sequence."""
    if not per_piece:
        return list(found)
    return [row[: len(pieces)] for row, pieces in zip(found, inputs.sequences, strict=True)]
