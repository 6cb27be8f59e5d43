"""Guessing the spaces between the words of tokenized Spanish text."""

from __future__ import annotations

from collections.abc import Sequence

_NO_SPACE_BEFORE = frozenset([*",.;:!?)]}»”…%º", "..."])
_NO_SPACE_AFTER = frozenset("([{«“¿¡")
_EITHER_SIDE = frozenset("\"'")


def guess_spaces(words: Sequence[str]) -> list[bool]:
    """Whether a space follows each word, by the rules of Spanish punctuation.

    Straight quotation marks alternately open and close. There is none after the last word.
    """
    spaces = [True] * len(words)
    open_quotes: set[str] = set()
    for index, word in enumerate(words):
        closes = word in open_quotes
        if index and (word in _NO_SPACE_BEFORE or closes):
            spaces[index - 1] = False
        if word in _NO_SPACE_AFTER or (word in _EITHER_SIDE and not closes):
            spaces[index] = False
        if word in _EITHER_SIDE:
            open_quotes ^= {word}
    if spaces:
        spaces[-1] = False
    return spaces
