"""Training of a matching model on pairs of text and label."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spacy_selectra.errors import SelectraError
from spacy_selectra.matching.model import MatchingModel, WordTables
from spacy_selectra.matching.origin import pairs_record
from spacy_selectra.matching.pairs import Pairs
from spacy_selectra.matching.probabilities import SMALLEST_SPREAD, Calibration
from spacy_selectra.matching.word_vectors import TrainedVectors
from spacy_selectra.matching.words import WordIndex, flat
from spacy_selectra.util.progress import Progress


@dataclass(frozen=True)
class MatchingSettings:
    """Training settings of a matching model.

    Attributes:
        steps: optimizer steps.
        batch_size: texts per batch, all of one source, so that negatives are similar labels.
        labels: maximum number of labels per batch.
        min_words: minimum length of the random span that is read from a text.
        max_words: maximum length of that span.
        learning_rate: peak learning rate of the two maps, decayed to 0; the other parameters use
            ten times this value.
        closeness: penalty on the squared distance of the maps from the identity, per dimension.
            The vectors, from a large corpus, should not be overfitted to a few thousand labels.
        source_power: a source of n pairs is sampled with probability proportional to n to this
            power.
    """

    steps: int = 300
    batch_size: int = 64
    labels: int = 40
    min_words: int = 6
    max_words: int = 60
    learning_rate: float = 2e-4
    closeness: float = 3.0
    source_power: float = 0.35


_ORDINARY = 3_000  # words sampled from ordinary text, for the expected score of labels
_DRAWN_TO_ZERO = 1e-4  # L2 penalty on learned word weights


class Matcher(nn.Module):
    """The trainable part of a `MatchingModel`, which defines the score.

    Words are weighted as in Arora et al. 2017, a / (a + share), with a learned and a learned
    correction per word. Texts and labels have separate parameters.
    """

    def __init__(self, vectors: TrainedVectors, ordinary: np.ndarray) -> None:
        super().__init__()
        size, width = vectors.vectors.shape
        self.vectors = torch.from_numpy(vectors.vectors)
        self.log_share = torch.from_numpy(np.log(vectors.share)).float()
        self.ordinary = torch.from_numpy(ordinary)
        self.text_map = nn.Parameter(torch.eye(width))
        self.label_map = nn.Parameter(torch.eye(width))
        self.text_word = nn.Parameter(torch.zeros(size))
        self.label_word = nn.Parameter(torch.zeros(size))
        self.text_share = nn.Parameter(torch.tensor(math.log(1e-3)))
        self.label_share = nn.Parameter(torch.tensor(math.log(1e-4)))
        self.floor = nn.Parameter(torch.tensor(0.1))
        self.log_scale = nn.Parameter(torch.tensor(math.log(50.0)))
        self.usual = nn.Parameter(torch.tensor(0.5))
        self.spread = nn.Parameter(torch.tensor(0.05))

    def text_logit(self) -> Tensor:
        """(words,) weights of words in texts, before the sigmoid."""
        return self.text_share - self.log_share + self.text_word

    def label_logit(self) -> Tensor:
        """(words,) weights of words in labels, before the sigmoid."""
        return self.label_share - self.log_share + self.label_word

    def forward(self, texts: Sequence[np.ndarray], labels: Sequence[np.ndarray]) -> Tensor:
        """(texts, labels) logits, from the word indices of each."""
        label_words, label_of = _segments(labels)
        weights = torch.sigmoid(self.label_logit()[label_words])
        total = torch.zeros(len(labels)).index_add(0, label_of, weights)
        weights = weights / total[label_of]
        directions = F.normalize(self.vectors[label_words] @ self.label_map, dim=1)

        def common(words: Tensor) -> Tensor:
            mapped = F.normalize(self.vectors[words] @ self.text_map, dim=1)
            similar = F.relu(mapped @ directions.T - self.floor) ** 2 * weights
            return torch.zeros(len(words), len(labels)).index_add(1, label_of, similar)

        words, text_of = _segments(texts)
        unique, inverse = torch.unique(words, return_inverse=True)
        counts = torch.sigmoid(self.text_logit()[words])
        sums = torch.zeros(len(texts), len(labels)).index_add(
            0, text_of, common(unique)[inverse] * counts[:, None]
        )
        scores = sums / torch.zeros(len(texts)).index_add(0, text_of, counts)[:, None]
        usual = common(self.ordinary)
        spread = (usual.std(dim=0) + SMALLEST_SPREAD) ** self.spread
        return self.log_scale.exp() * (scores - self.usual * usual.mean(dim=0)) / spread

    def distance(self) -> Tensor:
        """Squared distance of both maps from the identity, per dimension."""
        identity = torch.eye(len(self.text_map))
        maps = (self.text_map, self.label_map)
        return torch.stack([(one - identity).square().sum() for one in maps]).sum() / len(identity)


def train_matching(
    vectors: TrainedVectors,
    sources: Mapping[str, Pairs],
    settings: MatchingSettings | None = None,
    *,
    seed: int = 0,
    quiet: bool = False,
) -> MatchingModel:
    """Train a model to rank each text's label first among the labels of its source.

    Args:
        vectors: word vectors.
        sources: pairs of text and label, by source. A text may have several labels.
        settings: defaults if None.
        seed: for all random choices.
        quiet: print no progress.

    Returns:
        The model; `matching.calibrate` has still to fit its `nothing`, `slope` and `offset`.

    Raises:
        SelectraError: no source with two labels of known words.
    """
    chosen = settings or MatchingSettings()
    index = WordIndex(vectors.words)
    usable = [_Source(index, pairs) for pairs in sources.values()]
    usable = [source for source in usable if len(source.labels) > 1]
    if not usable:
        raise SelectraError("matching needs a source with at least two labels of known words")
    rng = np.random.default_rng(seed)
    share = vectors.share * (1e-3 / (1e-3 + vectors.share))
    ordinary = rng.choice(len(share), _ORDINARY, p=share / share.sum())
    matcher = Matcher(vectors, ordinary)
    chances = np.array([len(source.texts) ** chosen.source_power for source in usable])
    rate = chosen.learning_rate
    maps = [matcher.text_map, matcher.label_map]
    others = [one for one in matcher.parameters() if not any(one is item for item in maps)]
    optimizer = torch.optim.Adam(
        [{"params": maps, "lr": rate}, {"params": others, "lr": 10 * rate}]
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / chosen.steps)
    with Progress("matching labels", chosen.steps, "steps", quiet=quiet) as progress:
        for _ in range(chosen.steps):
            source = usable[rng.choice(len(usable), p=chances / chances.sum())]
            texts, labels, right = source.batch(chosen, rng)
            if not texts:
                continue
            logits = matcher(texts, labels)
            # a text with several right labels: log of the sum of their probabilities
            fits = torch.logsumexp(logits.masked_fill(~right, -math.inf), dim=1)
            loss = (torch.logsumexp(logits, dim=1) - fits).mean()
            words = matcher.text_word.square().sum() + matcher.label_word.square().sum()
            optimizer.zero_grad()
            (loss + chosen.closeness * matcher.distance() + _DRAWN_TO_ZERO * words).backward()
            optimizer.step()
            schedule.step()
            progress.update(1, f"loss {loss.item():.3f}")
    origin = {"vectors": vectors.origin, "pairs": pairs_record(sources)}
    return _model(vectors, matcher, origin)


class _Source:
    """Texts and labels of one source; words are looked up when a text is sampled."""

    def __init__(self, index: WordIndex, pairs: Pairs) -> None:
        self._index = index
        self.labels: list[np.ndarray] = []
        self.texts: list[str] = []
        self._own: list[list[int]] = []  # labels of each text
        labels: dict[str, int | None] = {}
        texts: dict[str, int] = {}
        for text, label in pairs:
            if label not in labels:
                places = index.places(label)
                labels[label] = len(self.labels) if len(places) else None
                if len(places):
                    self.labels.append(places)
            number = labels[label]
            if number is None:
                continue
            if text not in texts:
                texts[text] = len(self.texts)
                self.texts.append(text)
                self._own.append([])
            self._own[texts[text]].append(number)

    def batch(
        self, settings: MatchingSettings, rng: np.random.Generator
    ) -> tuple[list[np.ndarray], list[np.ndarray], Tensor]:
        """Word indices of text spans and of labels, and a (texts, labels) mask of right labels."""
        some = rng.integers(len(self.texts), size=settings.batch_size).tolist()
        read = [self._index.places(self.texts[text]) for text in some]
        some = [text for text, words in zip(some, read, strict=True) if len(words)]
        read = [words for words in read if len(words)]
        own = {label for text in some for label in self._own[text]}
        more = settings.labels - len(own)
        if more > 0:
            own.update(rng.integers(len(self.labels), size=more).tolist())
        labels = sorted(own)
        place = {label: number for number, label in enumerate(labels)}
        right = torch.zeros(len(some), len(labels), dtype=torch.bool)
        for row, text in enumerate(some):
            right[row, [place[label] for label in self._own[text]]] = True
        lengths = rng.integers(settings.min_words, settings.max_words + 1, size=len(read)).tolist()
        texts = [_stretch(words, n, rng) for words, n in zip(read, lengths, strict=True)]
        return texts, [self.labels[label] for label in labels], right


def _stretch(words: np.ndarray, length: int, rng: np.random.Generator) -> np.ndarray:
    if len(words) <= length:
        return words
    begin = int(rng.integers(len(words) - length + 1))
    return words[begin : begin + length]


def _segments(texts: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Concatenated words of all texts, and for each the index of its text."""
    words, bounds = flat(texts)
    owners = np.repeat(np.arange(len(texts)), np.diff(bounds))
    return torch.from_numpy(words), torch.from_numpy(owners)


@torch.no_grad()
def _model(vectors: TrainedVectors, matcher: Matcher, origin: Mapping[str, Any]) -> MatchingModel:
    largest = np.abs(vectors.vectors).max(axis=1, keepdims=True)
    rounded = np.rint(vectors.vectors / np.maximum(largest, 1e-12) * 127)
    text_map = matcher.text_map.numpy()
    tables = WordTables(
        vectors=rounded.astype(np.int8),
        text_logit=matcher.text_logit().numpy(),
        label_logit=matcher.label_logit().numpy(),
        share=vectors.share.astype(np.float32),
        text_norm=np.linalg.norm(rounded @ text_map, axis=1).astype(np.float32),
        text_map=text_map,
        label_map=matcher.label_map.numpy(),
        floor=matcher.floor.item(),
    )
    calibration = Calibration(
        usual=matcher.usual.item(),
        spread=matcher.spread.item(),
        scale=math.exp(matcher.log_scale.item()),
    )
    return MatchingModel(vectors.words, tables, calibration, origin)
