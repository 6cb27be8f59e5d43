"""Texts in which names or words stand in brackets, taken out of them."""

from __future__ import annotations

import re


def without_marks(marked: str, mark: re.Pattern[str]) -> tuple[str, list[tuple[int, int]]]:
    """The text without its marks, and first character and the one after the last of what they mark.

    Args:
        marked: text with marks.
        mark: matches a mark; its last group is what stays in the text.
    """
    text, places, done = "", [], 0
    for match in mark.finditer(marked):
        text += marked[done : match.start()]
        kept = match.group(mark.groups)
        places.append((len(text), len(text) + len(kept)))
        text += kept
        done = match.end()
    return text + marked[done:], places
