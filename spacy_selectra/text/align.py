"""Which pieces belong to which words, and what words get from their pieces.

Words and pieces are given by their characters: the first one, and the one after the last. A piece
belongs to every word with which it shares a character, and one without characters (a special
piece) to none.
"""

from __future__ import annotations

import numpy as np

from spacy_selectra.util.arrays import runs


def touched_words(
    begins: np.ndarray, ends: np.ndarray, offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The words that share a character with each stretch of text.

    Args:
        begins: (T,) int64, first character of each word, ascending.
        ends: (T,) int64, the one after its last; no word reaches into the next. A word of no
            characters is touched by what goes on around it.
        offsets: (n, 2) int64, first character of each stretch and the one after its last.

    Returns:
        (n,) int64 first word, and the one after the last; equal where there is none.
    """
    first = np.searchsorted(ends, offsets[:, 0], side="right")
    after = np.searchsorted(begins, offsets[:, 1], side="left")
    return first, np.where(offsets[:, 1] > offsets[:, 0], np.maximum(first, after), first)


def pieces_of_words(
    begins: np.ndarray, ends: np.ndarray, offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The pieces of each word; arguments as for `touched_words`, which stretches are pieces.

    Returns:
        (P,) int64 pieces, word after word and in ascending order for each, and (T,) int64 how
        many each word has.
    """
    first, after = touched_words(begins, ends, offsets)
    counts = after - first
    words = runs(first, counts)
    order = np.argsort(words, kind="stable")
    pieces = np.repeat(np.arange(len(offsets)), counts)[order]
    return pieces, np.bincount(words, minlength=len(begins))


def first_pieces(begins: np.ndarray, ends: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """(n,) int64, the word whose first piece each one is, -1 for none.

    Of several words that begin in one piece it is the last; arguments as for `pieces_of_words`.
    """
    pieces, counts = pieces_of_words(begins, ends, offsets)
    words = np.flatnonzero(counts)
    result = np.full(len(offsets), -1, dtype=np.int64)
    result[pieces[(np.cumsum(counts) - counts)[words]]] = words
    return result


def word_maxima(rows: np.ndarray, counts: np.ndarray, width: int, values: np.ndarray) -> np.ndarray:
    """The highest value of each word's pieces, when windows may show a word repeatedly.

    Of the windows that show a word, the one counts in which it has more pieces of context on
    its poorer side; the ends of the document are no lack of context. Windows that give it
    equally much all count. So does every part of a word that was cut: it touches the edge of
    each of its windows and has no context in any.

    Args:
        rows: (P,) int64, places of the pieces in the windows of one document laid end to
            end: word after word, in ascending order for each word.
        counts: (T,) int64, how many of these each word has.
        width: places of each window, padding included; more than any of `rows` if there is
            but one window.
        values: (P,) float32, of the pieces at `rows`.

    Returns:
        (T,) float32, 0 for a word without pieces.
    """
    words = np.zeros(len(counts), dtype=np.float32)
    if not len(rows):
        return words
    word = np.repeat(np.arange(len(counts)), counts)
    window, place = np.divmod(rows, width)
    first = np.full(window.max() + 1, np.inf)
    last = np.full(window.max() + 1, -np.inf)
    np.minimum.at(first, window, place)
    np.maximum.at(last, window, place)
    first[window[0]], last[window[-1]] = -np.inf, np.inf

    # one occurrence: the pieces of one word in one window
    changes = (np.diff(word) != 0) | (np.diff(window) != 0)
    starts = np.concatenate(([0], np.flatnonzero(changes) + 1))
    stops = np.append(starts[1:], len(rows)) - 1
    before = place[starts] - first[window[starts]]
    after = last[window[starts]] - place[stops]
    context = np.minimum(before, after)
    most = np.full(len(counts), -1.0)
    np.maximum.at(most, word[starts], context)
    kept = context == most[word[starts]]
    np.maximum.at(words, word[starts][kept], np.maximum.reduceat(values, starts)[kept])
    return words
