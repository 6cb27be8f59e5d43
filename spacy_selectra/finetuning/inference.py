"""Running a sequence classifier over many texts, and scoring labels by entailment."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from spacy_selectra.encoder.batching import length_batches
from spacy_selectra.encoder.models import SequenceClassifier
from spacy_selectra.encoder.precision import precision
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.features import Pieces, Template, packed, tokenize

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Pieces of one batch. Larger batches gain nothing on a CPU once the products are
# large enough, and leave its caches.
MAX_PIECES = 4096

ENTAILMENT_NAMES = ("entail", "implica")
CONTRADICTION_NAMES = ("contradic", "not_entail", "no_implica")


def predict_logits(
    model: SequenceClassifier,
    sequences: Sequence[Pieces],
    *,
    mode: str = "fast",
    max_pieces: int = MAX_PIECES,
) -> np.ndarray:
    """Logits of each sequence, (N, labels) float32, in the order given.

    Sequences are sorted by length and packed into batches of at most `max_pieces` pieces. The
    model is put in evaluation mode and left in it. `mode` is a name `precision` knows; "fast"
    keeps float32 accuracy.
    """
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    logits = np.empty((len(sequences), len(model.labels)), dtype=np.float32)
    device = model.encoder.device
    model.eval()
    with torch.inference_mode(), precision(mode, device):
        for batch in length_batches(lengths, max_pieces):
            ids, types = packed([sequences[index] for index in batch], device)
            logits[batch] = model(ids, lengths[batch].tolist(), types).float().cpu().numpy()
    return logits


class EntailmentScorer:
    """How far texts entail hypotheses.

    Args:
        model: classifier of pairs, one of whose labels is called entailment.
        tokenizer: the tokenizer the model was trained with, padding and truncation off.
        mode: arithmetic, see `spacy_selectra.encoder.precision`; "fast" keeps float32 accuracy.
        max_pieces: pieces of one batch.

    Raises:
        SelectraError: no label is called entailment.
    """

    def __init__(
        self,
        model: SequenceClassifier,
        tokenizer: Tokenizer,
        *,
        mode: str = "fast",
        max_pieces: int = MAX_PIECES,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.mode = mode
        self.max_pieces = max_pieces
        self.max_length = model.config.max_position_embeddings
        self.entailment, self.contradiction = entailment_labels(model.labels)
        self._template = Template.of(tokenizer, pairs=True)

    def logits(self, texts: Sequence[str], hypotheses: Sequence[str]) -> tuple[np.ndarray, int]:
        """Score every text against every hypothesis.

        Each text and each hypothesis is tokenised once; all pairs are then sorted by length.
        A text too long is cut at its end, a hypothesis never.

        Returns:
            (texts, hypotheses, labels) float32 logits, and how many texts were cut.

        Raises:
            SelectraError: a hypothesis that leaves no room for the text.
        """
        lefts = [self._template.left(ids) for ids in tokenize(self.tokenizer, texts)]
        rights = [self._template.right(ids) for ids in tokenize(self.tokenizer, hypotheses)]
        rooms = self.max_length - np.array([len(right) for right in rights], dtype=np.int64)
        for hypothesis, room in zip(hypotheses, rooms, strict=True):
            if room <= len(self._template.before):
                raise SelectraError(
                    f"hypothesis '{hypothesis[:40]}…' fills all {self.max_length} positions of "
                    "the model; use a shorter label or template"
                )
        sizes = np.array([len(left) for left in lefts], dtype=np.int64)
        kept = np.minimum(sizes[:, None], rooms[None, :])
        lengths = (kept + self.max_length - rooms[None, :]).reshape(-1)
        logits = np.empty((lengths.size, len(self.model.labels)), dtype=np.float32)
        device = self.model.encoder.device
        self.model.eval()
        with torch.inference_mode(), precision(self.mode, device):
            for batch in length_batches(lengths, self.max_pieces):
                parts: list[Pieces] = []
                for text, hypothesis in zip(*np.divmod(batch, len(rights)), strict=True):
                    keep = kept[text, hypothesis]
                    left = lefts[text]
                    parts.append(Pieces(left.ids[:keep], left.types[:keep]))
                    parts.append(rights[hypothesis])
                ids, types = packed(parts, device)
                scores = self.model(ids, lengths[batch].tolist(), types)
                logits[batch] = scores.float().cpu().numpy()
        truncated = int((sizes > rooms.min(initial=self.max_length)).sum()) if len(rights) else 0
        return logits.reshape(len(texts), len(hypotheses), -1), truncated

    def scores(
        self, texts: Sequence[str], hypotheses: Sequence[str], *, multi_label: bool
    ) -> tuple[np.ndarray, int]:
        """Probability of each hypothesis for each text, as transformers' zero-shot pipeline.

        With `multi_label`, or a single hypothesis, each is judged alone: softmax over its
        entailment and contradiction logits (Yin et al. 2019). Otherwise one is right: softmax
        of the entailment logits over the hypotheses, which then add up to 1.

        Returns:
            (texts, hypotheses) float32 in [0, 1], and how many texts were cut.
        """
        logits, truncated = self.logits(texts, hypotheses)
        if multi_label or len(hypotheses) == 1:
            both = logits[..., [self.contradiction, self.entailment]]
            return _softmax(both)[..., 1], truncated
        return _softmax(logits[..., self.entailment]), truncated


def entailment_labels(labels: Sequence[str]) -> tuple[int, int]:
    """Positions of entailment and contradiction among a model's labels, found by name.

    Where no label is called contradiction it is the first one, or the last if the first is
    entailment, as transformers' zero-shot pipeline assumes.

    Raises:
        SelectraError: no label is called entailment (or implicación).
    """
    names = [_plain(label) for label in labels]
    entailment = _position(names, ENTAILMENT_NAMES)
    if entailment is None or len(names) < 2:
        raise SelectraError(
            "zero-shot classification needs a model with a label called 'entailment'; this one "
            f"has: {', '.join(labels)}. Name its labels in id2label of its config.json"
        )
    contradiction = _position(names, CONTRADICTION_NAMES)
    if contradiction is None:
        contradiction = len(names) - 1 if entailment == 0 else 0
    return entailment, contradiction


def _plain(label: str) -> str:
    decomposed = unicodedata.normalize("NFD", label.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def _position(names: Sequence[str], prefixes: tuple[str, ...]) -> int | None:
    return next((place for place, name in enumerate(names) if name.startswith(prefixes)), None)


def _softmax(values: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    if values.shape[-1] == 0:
        return values
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
