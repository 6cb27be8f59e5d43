"""Classification and regression of texts and pairs of texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.examples import Example, Scored
from spacy_selectra.finetuning.metrics import class_scores, value_scores
from spacy_selectra.finetuning.tasks.base import IGNORED, Inputs, Task, class_targets
from spacy_selectra.text.encode import Template, TypedPieces, encode_ids, join

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class Classification(Task):
    """One class per text or pair, with cross-entropy."""

    def inputs(self, examples: Sequence[Example]) -> Inputs:
        """One sequence per example; its target is the class."""
        return self._inputs(examples, class_targets([e.label for e in examples], self.labels))

    def _inputs(self, examples: Sequence[Any], targets: list[np.ndarray]) -> Inputs:
        texts = [example.text for example in examples]
        pairs = [example.pair or "" for example in examples] if self.spec.pairs else None
        features = build_features(self.tokenizer, texts, pairs, self.max_length)
        count = len(examples)
        rows = [np.zeros(1, dtype=np.int64)] * count
        places = list(np.arange(count)[:, None])
        return Inputs(features.sequences, targets, features.truncated, rows, places, count)

    def loss(self, logits: Tensor, lengths: Sequence[int], targets: Sequence[np.ndarray]) -> Tensor:
        """Sum over B of the cross-entropy of (B, labels) logits."""
        classes = torch.from_numpy(np.stack(targets)).to(logits.device)
        return F.cross_entropy(logits.float(), classes, reduction="sum", ignore_index=IGNORED)

    def count(self, targets: Sequence[np.ndarray]) -> int:
        """Number of examples with a label."""
        return sum(int(target != IGNORED) for target in targets)

    def scores(self, inputs: Inputs, logits: Sequence[np.ndarray]) -> dict[str, float]:
        """Accuracy and macro-averaged F1."""
        predicted = np.stack(logits).argmax(1)
        return class_scores(np.stack(inputs.targets), predicted, range(len(self.labels)))

    def only_answer(self, inputs: Inputs, logits: Sequence[np.ndarray]) -> str | None:
        """The class of all examples."""
        found = np.unique(np.stack(logits).argmax(1))
        return self.labels[found[0]] if len(found) == 1 else None


class Regression(Classification):
    """A value per pair, with squared error, as in transformers' models with one label."""

    @property
    def outputs(self) -> list[str]:
        """The value."""
        return [self.spec.name]

    def inputs(self, examples: Sequence[Scored]) -> Inputs:  # type: ignore[override]
        """One sequence per pair; its target is the value."""
        return self._inputs(examples, [np.array(e.value, dtype=np.float32) for e in examples])

    def loss(self, logits: Tensor, lengths: Sequence[int], targets: Sequence[np.ndarray]) -> Tensor:
        """Sum over B of the squared error of (B, 1) logits."""
        values = torch.from_numpy(np.stack(targets)).to(logits.device)
        errors = (logits.float().squeeze(-1) - values).square()
        return torch.where(values.isnan(), 0.0, errors).sum()

    def count(self, targets: Sequence[np.ndarray]) -> int:
        """Number of pairs with a value."""
        return sum(int(not np.isnan(target)) for target in targets)

    def scores(self, inputs: Inputs, logits: Sequence[np.ndarray]) -> dict[str, float]:
        """Pearson's and Spearman's correlation."""
        return value_scores(np.stack(inputs.targets), np.stack(logits)[:, 0])

    def only_answer(self, inputs: Inputs, logits: Sequence[np.ndarray]) -> str | None:
        """The value of all pairs."""
        values = np.stack(logits)[:, 0]
        return f"{values[0]:.2f}" if np.ptp(values) < 1e-3 else None

    def soft_loss(
        self, logits: Tensor, teacher_logits: Tensor, sizes: Sequence[int], temperature: float
    ) -> Tensor:
        """Sum of squared differences of (R, 1) values."""
        return (logits.float() - teacher_logits).square().sum()


# From texts to sequences: adding special pieces and truncating.


def longest_first(text: int, pair: int, room: int) -> tuple[int, int]:
    """Number of pieces to keep of a text and of its pair so that both fit into `room`.

    The longer one is truncated until both are equal, then both: transformers' "longest_first".
    """
    if text + pair <= room:
        return text, pair
    shorter = min(text, pair, room // 2)
    return (room - shorter, shorter) if text > pair else (shorter, room - shorter)


class Features(NamedTuple):
    """Tokenised examples.

    Attributes:
        sequences: with special pieces.
        truncated: number of truncated examples.
    """

    sequences: list[TypedPieces]
    truncated: int


def build_features(
    tokenizer: Tokenizer, texts: Sequence[str], pairs: Sequence[str] | None, max_length: int
) -> Features:
    """Tokenise texts, or pairs of texts, and truncate each to `max_length` pieces.

    Raises:
        SelectraError: `max_length` is too small for special pieces and text.
    """
    template = Template.of(tokenizer, pairs=pairs is not None)
    room = max_length - template.added
    if room < 1 + template.pairs:
        raise SelectraError(f"max_length {max_length} leaves no room for text")
    firsts = encode_ids(tokenizer, texts)
    seconds: Iterable[np.ndarray | None]
    seconds = encode_ids(tokenizer, pairs) if pairs is not None else [None] * len(firsts)
    sequences, truncated = [], 0
    for first, second in zip(firsts, seconds, strict=True):
        length = 0 if second is None else len(second)
        keep, keep_pair = longest_first(len(first), length, room)
        truncated += keep + keep_pair < len(first) + length
        left = template.left(first[:keep])
        right = template.right(None if second is None else second[:keep_pair])
        sequences.append(join([left, right]))
    return Features(sequences, truncated)
