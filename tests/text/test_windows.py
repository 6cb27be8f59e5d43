"""Cutting texts into windows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_selectra.text.pieces import Window, overlapping_windows, sentence_windows


def check(windows: list[Window], count: int, size: int) -> None:
    """Every piece is answered for once, by a window that reads it."""
    assert [windows[0].first, *(window.last for window in windows)][:-1] == [
        window.first for window in windows
    ]
    assert (windows[0].first, windows[-1].last) == (0, count)
    for window in windows:
        assert window.begin <= window.first <= window.last <= window.end
        assert window.end - window.begin <= size


@given(
    count=st.integers(0, 300),
    size=st.integers(2, 70),
    share=st.floats(0.1, 1),
    placing=st.sampled_from(["strides", "full", "even"]),
)
def test_overlapping_windows(count, size, share, placing):
    stride = max(1, int(size * share))
    windows = overlapping_windows(count, size, stride, placing)
    check(windows, count, size)
    # as few as there can be, and none but the last of strides is shorter than it might be
    assert len(windows) == 1 + sum(1 for end in range(size, count, stride))
    full = windows[:-1] if placing == "strides" else windows
    assert {window.end - window.begin for window in full} <= {min(size, count)}
    for left, right in pairwise(windows):
        assert left.end - right.begin >= size - stride
        assert left.last == (right.begin + left.end) // 2
    if placing == "even" and len(windows) > 1:
        steps = [right.begin - left.begin for left, right in pairwise(windows)]
        assert max(steps) - min(steps) <= 1


@given(st.lists(st.integers(1, 12), max_size=60), st.integers(2, 70))
def test_windows_begin_with_words(sizes, size):
    starts = np.cumsum([0, *sizes[:-1]]) if sizes else np.zeros(0, dtype=np.int64)
    count = sum(sizes)
    windows = overlapping_windows(count, size, size // 2, "even", starts)
    check(windows, count, size)
    plain = overlapping_windows(count, size, size // 2, "even")
    for window, before in zip(windows, plain, strict=True):
        near = [start for start in starts.tolist() if 0 <= start - before.begin < size // 8]
        assert window.begin == (near[0] if near else before.begin)


@given(
    st.text("ab .\n", max_size=200),
    st.integers(1, 60),
    st.none() | st.floats(0.1, 1),
)
def test_windows_of_sentences(text, size, share):
    offsets, text = characters(text)
    stride = None if share is None else max(1, int(size * share))
    windows = sentence_windows(offsets, text, size, stride)
    check(windows, len(offsets), size)
    if len(windows) > 1:
        assert max(window.last - window.first for window in windows) <= (stride or size)
        assert min(window.last - window.first for window in windows) > 0
        for window in windows:
            assert window.end == window.last
            assert window.begin == max(0, window.first - (size - (stride or size)))


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_context_lies_before_a_window(stride: int):
    offsets, text = characters("aaaaaaaa")
    windows = sentence_windows(offsets, text, 4, stride)
    assert windows[-1].begin == windows[-1].first - (4 - stride)


def characters(text: str) -> tuple[np.ndarray, str]:
    """One piece a character that is no white space."""
    places = [(place, place + 1) for place, char in enumerate(text) if not char.isspace()]
    return np.array(places, dtype=np.int64).reshape(-1, 2), text


def parts(text: str, size: int) -> list[tuple[int, int]]:
    return [window[:2] for window in sentence_windows(*characters(text), size)]


def test_parts_are_even_and_end_at_spaces():
    assert parts(" ".join(["aaa"] * 30), 50) == [(0, 45), (45, 90)]


def test_parts_prefer_the_end_of_a_sentence():
    # the even cut is at 13, where a sentence ends; a little beside it is only a space
    assert parts("aaa aaa aaa aaa. aaa aaa aaa aaa", 14)[0] == (0, 13)
    shifted = "aaa. aaa aaa aaa. aaa aaa aaa aaaaa"
    offsets, _ = characters(shifted)
    assert shifted[offsets[parts(shifted, 16)[0][1] - 1, 0]] == "."


def test_a_word_longer_than_a_window_is_cut_inside():
    assert parts("a" * 100, 30) == [(0, 25), (25, 50), (50, 75), (75, 100)]
