"""Zero-shot classification by entailment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_selectra.encoder.checkpoint import load_classifier
from spacy_selectra.encoder.heads import SequenceClassifier
from spacy_selectra.encoder.predict import (
    inference,
    packed_batches,
    suitable_pieces,
    to_tensors,
)
from spacy_selectra.errors import SelectraError
from spacy_selectra.text.encode import Template, TypedPieces, encode_ids, join, pieces_of
from spacy_selectra.text.normalization import strip_accents
from spacy_selectra.text.pieces import sentence_windows
from spacy_selectra.text.tokenizer import load_backend, longest_sequence
from spacy_selectra.util.arrays import softmax

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

ENTAILMENT_NAMES = ("entail", "implica")
CONTRADICTION_NAMES = ("contradic", "not_entail", "no_implica")

LONG_TEXTS = ("cut", "max", "mean")


class EntailmentScorer:
    """Scores whether texts entail hypotheses.

    Args:
        model: classifier of pairs with a label called entailment.
        tokenizer: the tokenizer of the model, padding and truncation off.
        mode: precision, see `spacy_selectra.encoder.precision`; "fast" keeps float32 accuracy.
        max_pieces: maximum pieces of a batch; None chooses by device.
        long_texts: how to read texts longer than the model's positions: "cut" truncates them;
            "max" and "mean" read windows and combine their scores.
        max_length: maximum pieces of a sequence; None for the model's positions.

    Raises:
        SelectraError: no label is called entailment, or `long_texts` is unknown.
    """

    def __init__(
        self,
        model: SequenceClassifier,
        tokenizer: Tokenizer,
        *,
        mode: str = "fast",
        max_pieces: int | None = None,
        long_texts: str = "cut",
        max_length: int | None = None,
    ) -> None:
        if long_texts not in LONG_TEXTS:
            raise SelectraError(f"long_texts '{long_texts}' is not one of {', '.join(LONG_TEXTS)}")
        self.model = model
        self.tokenizer = tokenizer
        self.mode = mode
        self.max_pieces = max_pieces
        self.long_texts = long_texts
        self.max_length = max_length or model.config.max_position_embeddings
        self.entailment, self.contradiction = entailment_labels(model.labels)
        self._template = Template.of(tokenizer, pairs=True)

    @classmethod
    def of(cls, directory: Path, device: torch.device, **settings: Any) -> EntailmentScorer:
        """Load model and tokenizer from a directory; `settings` are arguments of the class.

        Raises:
            SelectraError: there is no model, or it cannot be read.
        """
        model = load_classifier(directory).to(device)
        longest = longest_sequence(directory, model.config.max_position_embeddings)
        return cls(model, load_backend(directory), max_length=longest, **settings)

    def probabilities(
        self,
        texts: Sequence[str],
        wordings: Mapping[str, Sequence[str]],
        template: str,
        *,
        multi_label: bool,
    ) -> tuple[np.ndarray, int]:
        """(texts, labels) probabilities, and the number of truncated texts.

        If labels are independent, the probability of a label is the maximum over its wordings. If
        one label is correct, it is their sum.

        Args:
            texts: texts.
            wordings: one or several wordings of each label.
            template: hypothesis with {} in place of the wording.
            multi_label: whether labels are independent, see `scores`.
        """
        hypotheses = _hypotheses(wordings, template)
        scores, truncated = self.scores(texts, hypotheses, multi_label=multi_label)
        firsts = np.cumsum([0, *(len(own) for own in wordings.values())])[:-1]
        combine = np.maximum if multi_label else np.add
        return combine.reduceat(scores, firsts, axis=1), truncated

    def too_long(
        self, texts: Sequence[str], wordings: Mapping[str, Sequence[str]], template: str
    ) -> list[bool]:
        """Whether each text is too long for one sequence with the longest hypothesis.

        Args:
            texts: texts.
            wordings: one or several wordings of each label.
            template: hypothesis with {} in place of the wording.
        """
        rights = self._rights(_hypotheses(wordings, template))
        longest = max(map(len, rights), default=0)
        room = self.max_length - longest - len(self._template.before)
        return [len(ids) > room for ids in encode_ids(self.tokenizer, texts)]

    def logits(self, texts: Sequence[str], hypotheses: Sequence[str]) -> tuple[np.ndarray, int]:
        """Logits of every text with every hypothesis; long texts are truncated.

        Each text and each hypothesis is tokenised once, and all pairs are sorted by length.
        Hypotheses are never truncated.

        Returns:
            (texts, hypotheses, labels) float32 logits, and the number of truncated texts.

        Raises:
            SelectraError: a hypothesis leaves no room for the text.
        """
        rights = self._rights(hypotheses)
        return self._pair_logits(encode_ids(self.tokenizer, texts), rights)

    def scores(
        self, texts: Sequence[str], hypotheses: Sequence[str], *, multi_label: bool
    ) -> tuple[np.ndarray, int]:
        """Probability of each hypothesis for each text, as in transformers' zero-shot pipeline.

        With `multi_label`, or a single hypothesis, hypotheses are independent: softmax over the
        entailment and contradiction logits of each (Yin et al. 2019). Otherwise one is correct:
        softmax of the entailment logits over the hypotheses.

        With `long_texts` "max" or "mean", long texts are read in windows. The probabilities of a
        text are the maximum or mean over its windows; without `multi_label` they are then scaled
        to a sum of 1.

        Returns:
            (texts, hypotheses) float32 in [0, 1], and the number of truncated texts.

        Raises:
            SelectraError: a hypothesis leaves no room for the text.
        """
        rights = self._rights(hypotheses)
        ids = encode_ids(self.tokenizer, texts)
        counts = np.ones(len(texts), dtype=np.int64)
        if self.long_texts != "cut" and rights:
            ids, counts = self._windows(texts, ids, max(len(right) for right in rights))
        logits, truncated = self._pair_logits(ids, rights)
        alone = multi_label or len(hypotheses) == 1
        if alone:
            both = logits[..., [self.contradiction, self.entailment]]
            probabilities = softmax(both)[..., 1]
        else:
            probabilities = softmax(logits[..., self.entailment])
        if len(ids) > len(texts):
            probabilities = _combined(probabilities, counts, self.long_texts)
            if not alone:
                probabilities /= probabilities.sum(axis=-1, keepdims=True)
        return probabilities, truncated

    def _rights(self, hypotheses: Sequence[str]) -> list[TypedPieces]:
        rights = [self._template.right(ids) for ids in encode_ids(self.tokenizer, hypotheses)]
        for hypothesis, right in zip(hypotheses, rights, strict=True):
            if self.max_length - len(right) <= len(self._template.before):
                raise SelectraError(
                    f"hypothesis '{hypothesis[:40]}…' takes all {self.max_length} positions of "
                    "the model; use a shorter label or template"
                )
        return rights

    def _windows(
        self, texts: Sequence[str], ids: list[np.ndarray], longest: int
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Ids of all windows, which leave room for `longest` pieces, and number of windows per
        text."""
        room = self.max_length - longest - len(self._template.before)
        windows: list[np.ndarray] = []
        counts = np.ones(len(texts), dtype=np.int64)
        for place, (text, pieces) in enumerate(zip(texts, ids, strict=True)):
            if len(pieces) <= room:
                windows.append(pieces)
                continue
            encoded = pieces_of(self.tokenizer.encode(text, add_special_tokens=False))
            parts = sentence_windows(encoded.offsets, text, room)
            windows += [pieces[part.begin : part.end] for part in parts]
            counts[place] = len(parts)
        return windows, counts

    def _pair_logits(
        self, texts: list[np.ndarray], rights: list[TypedPieces]
    ) -> tuple[np.ndarray, int]:
        """(texts, rights, labels) float32 logits, and the number of truncated texts."""
        lefts = [self._template.left(ids) for ids in texts]
        left_sizes = np.array([len(left) for left in lefts], dtype=np.int64)
        right_sizes = np.array([len(right) for right in rights], dtype=np.int64)
        rooms = self.max_length - right_sizes
        kept = np.minimum(left_sizes[:, None], rooms[None, :]).reshape(-1)
        sizes = np.stack([kept, np.tile(right_sizes, len(lefts))], axis=1)
        logits = np.empty((len(sizes), len(self.model.labels)), dtype=np.float32)
        if len(sizes):
            starts = np.cumsum([0, *left_sizes, *right_sizes])[:-1]
            text, right = np.divmod(np.arange(len(sizes)), len(rights))
            begins = np.stack([starts[text], starts[len(lefts) + right]], axis=1)
            everything = join([*lefts, *rights])
            with inference(self.mode, self.model) as device:
                max_pieces = self.max_pieces or suitable_pieces(device)
                for batch in packed_batches(begins, sizes, max_pieces):
                    ids, types = to_tensors(everything.at(batch.rows), device)
                    scores = self.model(ids, batch.lengths, types)
                    logits[batch.members] = scores.float().cpu().numpy()
        truncated = int((left_sizes > rooms.min(initial=self.max_length)).sum()) if rights else 0
        return logits.reshape(len(lefts), len(rights), len(self.model.labels)), truncated


def entailment_labels(labels: Sequence[str]) -> tuple[int, int]:
    """Indices of entailment and contradiction among a model's labels, by name.

    If no label is called contradiction, it is the first one, or the last if the first is
    entailment, as in transformers' zero-shot pipeline.

    Raises:
        SelectraError: no label is called entailment (or implicación).
    """
    names = [strip_accents(label.casefold()) for label in labels]
    entailment = _position(names, ENTAILMENT_NAMES)
    if entailment is None or len(names) < 2:
        raise SelectraError(
            "zero-shot classification needs a model with a label called 'entailment'; this one "
            f"has: {', '.join(labels)}. Set id2label in its config.json"
        )
    contradiction = _position(names, CONTRADICTION_NAMES)
    if contradiction is None:
        contradiction = len(names) - 1 if entailment == 0 else 0
    return entailment, contradiction


def _hypotheses(wordings: Mapping[str, Sequence[str]], template: str) -> list[str]:
    return [template.replace("{}", one) for own in wordings.values() for one in own]


def _position(names: Sequence[str], prefixes: tuple[str, ...]) -> int | None:
    return next((place for place, name in enumerate(names) if name.startswith(prefixes)), None)


def _combined(probabilities: np.ndarray, counts: np.ndarray, how: str) -> np.ndarray:
    """(windows, hypotheses) to (texts, hypotheses); `counts` are windows per text."""
    firsts = np.cumsum(counts) - counts
    if how == "max":
        return np.maximum.reduceat(probabilities, firsts, axis=0)
    return np.add.reduceat(probabilities, firsts, axis=0) / counts[:, None].astype(np.float32)
