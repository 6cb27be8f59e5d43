"""Alignment of pieces and words, and what words get from their pieces, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_selectra.text.pieces import first_pieces, pieces_of_words, touched_words, word_maxima

# Gap before each stretch of characters, and its length.
STRETCHES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4)), max_size=20)


def laid_out(stretches: list[tuple[int, int]]) -> np.ndarray:
    """(n, 2) first character of each and the one after its last."""
    ends = np.cumsum([gap + size for gap, size in stretches], dtype=np.int64)
    sizes = np.array([size for _, size in stretches], dtype=np.int64)
    return np.stack([ends - sizes, ends], axis=1)


@given(STRETCHES, STRETCHES)
def test_pieces_belong_to_the_words_whose_characters_they_share(some, others):
    words, pieces = laid_out([(gap, size + 1) for gap, size in some]), laid_out(others)
    expected = [
        [number for number, piece in enumerate(pieces) if set(range(*piece)) & set(range(*word))]
        for word in words
    ]
    rows, counts = pieces_of_words(words[:, 0], words[:, 1], pieces)
    ends = np.cumsum(counts)
    found = [rows[end - count : end].tolist() for end, count in zip(ends, counts, strict=True)]
    assert found == expected
    firsts = [-1] * len(pieces)
    for word, found in enumerate(expected):
        if found:
            firsts[found[0]] = word
    assert first_pieces(words[:, 0], words[:, 1], pieces).tolist() == firsts


@given(STRETCHES, STRETCHES)
def test_stretches_touch_words_in_a_row(some, others):
    words, stretches = laid_out([(0, size + 1) for _, size in some]), laid_out(others)
    first, after = touched_words(words[:, 0], words[:, 1], stretches)
    for begin, end, stretch in zip(first, after, stretches, strict=True):
        touched = [n for n, w in enumerate(words) if set(range(*stretch)) & set(range(*w))]
        assert list(range(begin, end)) == touched


def test_a_piece_over_two_words_counts_for_both():
    begins, ends = np.array([0, 2, 5]), np.array([2, 4, 7])  # "10" "km" "al"
    offsets, probabilities = np.array([[0, 4], [5, 6], [6, 7]]), np.array([0.5, 0.2, 0.75], "f4")
    rows, counts = pieces_of_words(begins, ends, offsets)
    words = word_maxima(rows, counts, len(offsets), probabilities[rows])
    assert words.tolist() == [0.5, 0.5, 0.75]


def test_of_two_windows_the_one_with_more_context_counts():
    # three words of one, two and one pieces; [CLS] is place 0, windows are 6 places wide
    first, second = {0: [1], 1: [2, 3], 2: [4]}, {1: [7, 8], 2: [9], 3: [10]}
    rows = [first[0], [*first[1], *second[1]], [*first[2], *second[2]], second[3]]
    probabilities = np.zeros(12, dtype=np.float32)
    probabilities[[1, 2, 3, 4]] = 0.1, 0.2, 0.3, 0.4
    probabilities[[7, 8, 9, 10]] = 0.5, 0.6, 0.7, 0.8
    flat = np.concatenate(rows)
    words = word_maxima(flat, np.array([len(row) for row in rows]), 6, probabilities[flat])
    # word 1 has a piece after it in the first window and none before it in the second
    np.testing.assert_allclose(words, [0.1, 0.3, 0.7, 0.8])


def test_a_word_cut_by_windows_counts_with_all_its_parts():
    # words "a" and "b" and between them one of five pieces, of which the windows show 3 and 2
    rows = np.array([1, 2, 3, 4, 9, 10, 11])
    probabilities = np.array([0.1, 0.2, 0.9, 0.3, 0.4, 0.5, 0.6], dtype=np.float32)
    words = word_maxima(rows, np.array([1, 5, 1]), 8, probabilities)
    np.testing.assert_allclose(words, [0.1, 0.9, 0.6])


def test_words_without_pieces():
    empty = np.zeros(0, dtype=np.int64)
    nothing = np.zeros(0, dtype=np.float32)
    assert word_maxima(empty, np.zeros(2, np.int64), 1, nothing).tolist() == [0, 0]
    assert word_maxima(empty, empty, 1, nothing).tolist() == []
    rows, counts = np.array([1, 2]), np.array([0, 1, 0, 1])
    assert word_maxima(rows, counts, 5, np.array([0.5, 0.25], "f")).tolist() == [0, 0.5, 0, 0.25]


@pytest.mark.parametrize("seed", range(20))
def test_random_windows_against_loops(seed: int):
    random = np.random.default_rng(seed)
    sizes = random.integers(0, 4, size=30)
    word_of = np.repeat(np.arange(30), sizes)
    width, stride = 12, int(random.integers(4, 11))
    begins = range(0, max(1, len(word_of) - (10 - stride)), stride)
    # place 0 and the one after the last are special pieces
    shown = [
        (number, begin + place, number * width + 1 + place)
        for number, begin in enumerate(begins)
        for place in range(10)
        if begin + place < len(word_of)
    ]
    probabilities = random.random(len(begins) * width).astype("f")
    occurrences: list[dict[int, list[int]]] = [{} for _ in sizes]
    for window, piece, row in shown:
        occurrences[word_of[piece]].setdefault(window, []).append(row)
    edges = {w: [row for window, _, row in shown if window == w] for w in {one[0] for one in shown}}
    expected = []
    for found in occurrences:
        best, value = -1.0, 0.0
        for window, rows in found.items():
            left = np.inf if window == 0 else rows[0] - edges[window][0]
            right = np.inf if window == len(begins) - 1 else edges[window][-1] - rows[-1]
            context, high = min(left, right), max(probabilities[rows])
            if context > best or (context == best and high > value):
                best, value = context, high
        expected.append(value)
    flat = np.array([row for found in occurrences for rows in found.values() for row in rows])
    counts = np.array([sum(map(len, found.values())) for found in occurrences])
    words = word_maxima(flat, counts, width, probabilities[flat])
    np.testing.assert_array_equal(words, np.array(expected, dtype=np.float32))
