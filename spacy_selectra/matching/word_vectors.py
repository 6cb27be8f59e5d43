"""Word vectors from a corpus: skip-gram for function, co-occurrence counts for topic.

Two window sizes capture different similarity (Levy and Goldberg 2014, "Dependency-based word
embeddings", section 4): narrow windows find words that can replace each other, wide windows find
words of the same topic. Labels need both. The narrow part is gensim's skip-gram with negative
sampling (Mikolov et al. 2013). The wide part is a factorisation of positive pointwise mutual
information. Skip-gram models converge to this (Levy and Goldberg 2014, "Neural word embedding as
implicit matrix factorization"), but it is much faster for wide windows. Both are deterministic for
a given text and seed.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np

from spacy_selectra.errors import SelectraError
from spacy_selectra.matching.words import split_words, unit
from spacy_selectra.util.extras import required
from spacy_selectra.util.progress import Progress

_BREAK = -1  # between paragraphs
_BLOCK = 3_000_000  # words per block of counting


@dataclass(frozen=True)
class VectorSettings:
    """Settings of word vectors.

    Attributes:
        dimensions: dimensions of each of the two parts.
        narrow: window size of skip-gram, in words to each side.
        wide: window size of the co-occurrence counts.
        wide_weight: weight of the wide part; both parts are normalised before.
        epochs: epochs of skip-gram.
        max_words: maximum vocabulary size.
        min_count: minimum frequency of a word.
        least_pairs: minimum frequency of a pair.
    """

    dimensions: int = 200
    narrow: int = 5
    wide: int = 10
    wide_weight: float = 0.75
    epochs: int = 2
    max_words: int = 50_000
    min_count: int = 15
    least_pairs: int = 3


# Threshold for subsampling of frequent words, Mikolov et al. 2013, section 2.3.
_SUBSAMPLE = 1e-4


@dataclass(frozen=True)
class TrainedVectors:
    """Word vectors, by descending frequency of the words.

    Attributes:
        words: the distinct words.
        share: (words,) float64, relative frequency in the corpus.
        vectors: (words, d) float32, normalised.
        origin: sources of the vectors, JSON-serialisable.
    """

    words: tuple[str, ...]
    share: np.ndarray
    vectors: np.ndarray
    origin: dict[str, Any] = field(default_factory=dict)


def train_vectors(
    texts: Iterable[str],
    settings: VectorSettings | None = None,
    *,
    seed: int = 0,
    quiet: bool = False,
) -> TrainedVectors:
    """Train vectors of the words of a corpus.

    Memory: about 4 bytes per word of the text, and 3 GB for the counts.

    Args:
        texts: paragraphs separated by line feeds; windows do not cross paragraphs.
        settings: defaults if None.
        seed: for all random choices.
        quiet: print no progress.

    Raises:
        SelectraError: fewer words than dimensions have the minimum frequency.
    """
    chosen = settings or VectorSettings()
    words, counts, ids = _number(texts, chosen, quiet)
    if len(words) <= chosen.dimensions:
        raise SelectraError(
            f"only {len(words):,} words occur at least {chosen.min_count} times, too few for "
            f"{chosen.dimensions} dimensions: use more text, a lower min_count or fewer "
            "dimensions"
        )
    share = counts / counts.sum()
    narrow = _skip_gram(words, counts, ids, chosen, seed, quiet)
    wide = _factors(_pair_counts(ids, share, chosen, seed, quiet), chosen, seed)
    parts = [centred(narrow, share), chosen.wide_weight * centred(wide, share)]
    origin = {"words read": int((ids != _BREAK).sum()), "words with vectors": len(words)}
    return TrainedVectors(words, share, unit(np.concatenate(parts, axis=1)), origin)


def centred(rows: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Subtract the mean over the words, weighted by `share` (Arora et al. 2017), and normalise."""
    return unit(unit(rows) - share @ unit(rows))


def _number(
    texts: Iterable[str], settings: VectorSettings, quiet: bool
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Words, their counts, and the text as word indices with `_BREAK` between paragraphs.

    Words outside the vocabulary are removed from the text.
    """
    new = count()
    numbers: dict[str, int] = {}
    ids = array("i")
    with Progress("reading words", unit="words", quiet=quiet) as progress:
        for text in texts:
            before = len(ids)
            for paragraph in text.split("\n"):
                for word in split_words(paragraph):
                    number = numbers.get(word)
                    if number is None:
                        number = numbers[word] = next(new)
                    ids.append(number)
                ids.append(_BREAK)
            progress.update(len(ids) - before)
    flat = np.frombuffer(ids, dtype=np.int32) if len(ids) else np.zeros(0, dtype=np.int32)
    counts = np.bincount(flat[flat >= 0], minlength=len(numbers))
    names = np.array(list(numbers), dtype=object)
    # by descending frequency, then alphabetically
    order = np.lexsort((np.argsort(np.argsort(names)), -counts))[: settings.max_words]
    order = order[counts[order] >= settings.min_count]
    places = np.full(len(numbers) + 1, -2, dtype=np.int32)
    places[order] = np.arange(len(order))
    places[_BREAK] = _BREAK
    kept = places[flat]
    return tuple(names[order]), counts[order], kept[kept >= _BREAK]


def _skip_gram(
    words: Sequence[str],
    counts: np.ndarray,
    ids: np.ndarray,
    settings: VectorSettings,
    seed: int,
    quiet: bool,
) -> np.ndarray:
    """(words, dimensions) vectors of gensim's skip-gram; deterministic only with one thread."""
    word2vec = required("gensim.models:Word2Vec", what="training word vectors")
    model = word2vec(
        vector_size=settings.dimensions,
        window=settings.narrow,
        sg=1,
        negative=5,
        sample=_SUBSAMPLE,
        alpha=0.05,
        workers=1,
        seed=seed,
        min_count=1,
    )
    model.build_vocab_from_freq(dict(zip(words, counts.tolist(), strict=True)))
    names = np.array(words, dtype=object)
    total = len(ids) * settings.epochs
    with Progress("training skip-gram", total, "words", quiet=quiet) as progress:

        def sentences():
            for part in _parts(ids):
                progress.update(len(part) + 1)
                yield names[part].tolist()

        model.train(
            _Repeated(sentences),
            total_words=int(counts.sum()),
            epochs=settings.epochs,
        )
    return np.stack([model.wv[word] for word in words])


class _Repeated:
    """A re-iterable view of a generator function, for several epochs."""

    def __init__(self, function) -> None:
        self._function = function

    def __iter__(self):
        return self._function()


def _parts(ids: np.ndarray) -> Iterator[np.ndarray]:
    """Paragraphs, split at gensim's maximum length (10,000 words)."""
    begin = 0
    for end in np.append(np.flatnonzero(ids == _BREAK), len(ids)).tolist():
        for start in range(begin, end, 10_000):
            yield ids[start : min(end, start + 10_000)]
        begin = end + 1


def _pair_counts(
    ids: np.ndarray, share: np.ndarray, settings: VectorSettings, seed: int, quiet: bool
):
    """Sparse (words, words) symmetric co-occurrence counts within the window."""
    sparse = required("scipy.sparse", what="counting word vectors")
    size = len(share)
    rng = np.random.default_rng(seed)
    ratio = _SUBSAMPLE / np.maximum(share, 1e-30)
    keep = np.append(np.minimum(1, np.sqrt(ratio) + ratio), 1.0)  # the last is _BREAK
    total = sparse.csr_matrix((size, size), dtype=np.float32)
    with Progress("counting pairs", len(ids), "words", quiet=quiet) as progress:
        for start in range(0, len(ids), _BLOCK):
            block = ids[start : start + _BLOCK]
            some = block[rng.random(len(block)) < keep[block]]
            total = total + _pairs(some, size, settings.wide, sparse)
            progress.update(len(block))
    return total + total.T


def _pairs(ids: np.ndarray, size: int, width: int, sparse):
    paragraph = np.cumsum(ids == _BREAK)
    keys = [np.zeros(0, dtype=np.int64)]
    for distance in range(1, width + 1):
        left, right = ids[:-distance], ids[distance:]
        near = (left >= 0) & (right >= 0) & (paragraph[:-distance] == paragraph[distance:])
        keys.append(left[near].astype(np.int64) * size + right[near])
    pairs = np.concatenate(keys)
    pairs.sort()
    firsts = np.flatnonzero(np.append(True, pairs[1:] != pairs[:-1])[: len(pairs)])
    counts = np.diff(np.append(firsts, len(pairs))).astype(np.float32)
    rows, columns = np.divmod(pairs[firsts], size)
    return sparse.csr_matrix((counts, (rows, columns)), shape=(size, size))


def _factors(counts, settings: VectorSettings, seed: int) -> np.ndarray:
    """(words, dimensions) left singular vectors of positive pointwise mutual information.

    As in Levy, Goldberg and Dagan 2015, sections 3.2 and 3.3: context distribution smoothing with
    exponent 0.75, without singular values.
    """
    svd = required("sklearn.utils.extmath:randomized_svd", what="factorising word vectors")
    matrix = counts.tocsr()
    totals = np.asarray(matrix.sum(axis=1)).ravel() + 1e-9
    contexts = totals**0.75
    contexts /= contexts.sum()
    matrix.data[matrix.data < settings.least_pairs] = 0
    matrix.eliminate_zeros()
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    information = np.log(matrix.data) - np.log(totals[rows]) - np.log(contexts[matrix.indices])
    matrix.data = np.maximum(information, 0).astype(np.float32)
    matrix.eliminate_zeros()
    left, _, _ = svd(matrix, settings.dimensions, n_oversamples=20, n_iter=3, random_state=seed)
    return left
