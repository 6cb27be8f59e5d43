"""Vectors know which words go together, and depend on text and seed alone."""

import numpy as np
import pytest

from spacy_selectra.errors import SelectraError
from spacy_selectra.matching.word_vectors import _BREAK, VectorSettings, _pairs, train_vectors
from tests.matching.conftest import SMALL, SUBJECTS


def test_words_of_a_subject_are_alike(vectors):
    place = {word: number for number, word in enumerate(vectors.words)}
    groups = [
        [place[word] for word in words.split() if word in place] for words in SUBJECTS.values()
    ]
    similar = vectors.vectors @ vectors.vectors.T
    inside = np.mean([similar[np.ix_(group, group)].mean() for group in groups])
    across = np.mean([similar[np.ix_(groups[0], group)].mean() for group in groups[1:]])
    assert inside > across + 0.3
    np.testing.assert_allclose(np.linalg.norm(vectors.vectors, axis=1), 1, atol=1e-5)


def test_frequent_words_come_first(vectors):
    assert list(vectors.share) == sorted(vectors.share, reverse=True)
    assert vectors.share.sum() == pytest.approx(1)


def test_same_seed_same_vectors(corpus, vectors):
    again = train_vectors(corpus, SMALL, quiet=True)
    assert again.words == vectors.words
    np.testing.assert_array_equal(again.vectors, vectors.vectors)
    other = train_vectors(corpus, SMALL, seed=1, quiet=True)
    assert np.abs(other.vectors - vectors.vectors).max() > 1e-3


def test_pairs_are_counted_within_paragraphs():
    from scipy import sparse

    rng = np.random.default_rng(0)
    ids = rng.integers(-1, 6, size=200).astype(np.int32)
    expected = np.zeros((6, 6))
    for left in range(len(ids)):
        for right in range(left + 1, min(left + 4, len(ids))):
            if _BREAK in ids[left : right + 1]:
                break
            expected[ids[left], ids[right]] += 1
    np.testing.assert_array_equal(_pairs(ids, 6, 3, sparse).toarray(), expected)


def test_too_little_text():
    with pytest.raises(SelectraError, match="only 2 words occur at least 2 times"):
        train_vectors(["sol y luna", "sol y mar"], VectorSettings(min_count=2), quiet=True)
    with pytest.raises(SelectraError, match="only 0 words"):
        train_vectors([], quiet=True)
