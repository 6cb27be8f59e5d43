"""Boundaries that no entity crosses, from the layout: paragraphs, table cells and list items.

White space is a boundary by the first of these rules that applies:

1. It contains two or more line breaks, or a form feed.
2. It contains one line break between items of a list, not within a wrapped sentence: see
   `item_breaks`.
3. It is within a line and contains a tab or at least `COLUMN` characters. Two spaces are enough
   where successive lines contain only names, numbers and such gaps.

Separators of cells and items are boundaries on both sides: characters such as "|" and ";", bullets,
arrows, boxes, emoji, a dash or slash between spaces, `","` between quoted cells, an escaped line
break ("\\n"), and the number at the beginning of a line where lines are numbered consecutively.
There are no lists of names. A boundary between two other words does no harm, so the task is to
distinguish lists ("Ana Gil", "Luis Mora") from names split by line wrapping ("Ignacio", "Galán").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

# Number of spaces within a line that separate columns; two may be a typing mistake.
COLUMN = 3
# Separator characters, bullets, arrows, boxes and other shapes, and emoji with their modifiers.
# Excluded are symbols that occur in names, such as ®, ™ and °.
_SIGN = (
    r"[|;>¦•‣⁃∙⋅∣‖｜；\u2190-\u21ff\u2300-\u23ff\u2500-\u27bf\u27f0-\u27ff\u2900-\u297f\u2b00-\u2bff"
    r"\U0001f000-\U0001faff][\ufe0e\ufe0f\u200d\u20e3]*"
)
_CELLS = r"""["'”»][,;]["'“«]"""  # between two cells in quotation marks
_SPELLED_OUT = r"(?:\\r)?\\n"  # an escaped line break, from JSON that was not decoded
SEPARATOR = re.compile(rf"(?:{_SIGN}|{_CELLS}|{_SPELLED_OUT})+")
# Part of names ("Castilla-La Mancha"), but separators between spaces.
SPACED = re.compile(r"[-/*]+|[–—·\\]")
# Line breaks considered on each side, to decide whether lines are wrapped sentences.
NEIGHBOURS = 2

_BREAKS = r"\n\r\v\x1c-\x1e\x85\u2028"
_BETWEEN_SPACES = rf"(?<!\S)(?:{SPACED.pattern})(?!\S)"
_SEPARATES = rf"{SEPARATOR.pattern}|{_BETWEEN_SPACES}"
_STRUCTURE = re.compile(rf"[\t\f\u2029{_BREAKS}]|\s{{{COLUMN}}}|{_SEPARATES}")
_SPACE = re.compile(rf"\s+|{_SEPARATES}")
_GAP = re.compile(r"(?<=\S)[^\S\n]{2,}(?=\S)")
_NUMBERED = re.compile(r"\s*\(?(\d{1,3})(?=\s)")
_BREAK = re.compile(rf"\r\n|[{_BREAKS}]")
_PAGE = re.compile(r"[\f\u2029]")

_WORD = re.compile(r"[^\W\d_](?:[\w'’-]*\w)?")
# "- Ana", "* Ana", "— Ana", "1. Ana", "2) Ana", "3.º Ana", "b) Ana", "[x] Ana"
_BULLET = re.compile(r"(?:[-–—*·#+~]+|\[.?\]|\(?\d{1,3}(?:[.)]|\.?[ºª])|\(?[a-zA-Z]\))\s")
_KEY = re.compile(r"[^\W\d_][^.:;,]{1,30}:(?:\s|$)")  # "Lugar de nacimiento: Bilbao"
# Lower-case words at the beginning of an address line.
_CONTACT = re.compile(r"www\.|https?:|\S+@|c/|(?:av|avda|pl|pza|pº|tel|tfno|apdo)\.", re.IGNORECASE)
_OPENING = "\"'«“‘([¡¿"
_CLOSING = "\"'»”’)]"
# A full stop after at most three letters may belong to an abbreviation ("Sr.", "M.").
_QUOTE = f"[{re.escape(_CLOSING)}]"
_STOP = rf"(?:(?:\w{{4,}}|\b[a-záéíóúñü]{{3}}|\d|{_QUOTE})\.|[!?…]){_QUOTE}*"
_ENDS_SENTENCE = re.compile(rf"(?:{_STOP}|[:;])$")
_HOLDS_STOP = re.compile(rf"{_STOP}(?:$|\s+[^\Wa-záéíóúñü])")
# Lower-case words that are part of names, so they do not indicate running text.
_WITHIN_NAMES = frozenset(
    _WORD.findall("""de del la las los el y e i da das do dos di du van von der den le""")
)
# A line that ends with one of these continues on the next line.
_LEADS_ON = frozenset(
    _WORD.findall("""a al ante con contra como cuando de del desde donde e el en entre es esta este
    está fue ha han hacia hasta la las lo los más mientras ni no o para por porque que se según si
    sin sobre son su sus tras u un una unas unos y""")
)


def boundaries(text: str, every_line: bool = False) -> np.ndarray:
    """Boundaries that no entity crosses.

    Args:
        text: any text.
        every_line: make every line break a boundary.

    Returns:
        (n,) int64, ascending: offsets of the characters after the boundaries.
    """
    if _STRUCTURE.search(text) is None:
        return np.zeros(0, dtype=np.int64)
    found: list[int] = []
    lines: list[str] = []
    breaks: list[int] = []  # between lines
    begins = [0]  # of the lines
    for match in _SPACE.finditer(text):
        space, (start, end) = match.group(), match.span()
        if not space.isspace():
            found += [start, end]
            continue
        count = len(_BREAK.findall(space))
        paragraph = count > 1 or _PAGE.search(space) is not None
        if paragraph or count:
            lines.append(text[begins[-1] : start])
        if paragraph or (count and every_line):
            found += [start, *_chosen(breaks, lines), *_in_rows(begins, lines)]
            lines, breaks, begins = [], [], [end]
        elif count:
            breaks.append(start)
            begins.append(end)
        elif "\t" in space or len(space) >= COLUMN:
            found.append(start)
    lines.append(text[begins[-1] :])
    found += [*_chosen(breaks, lines), *_in_rows(begins, lines)]
    return np.unique(np.array(found, dtype=np.int64))


def separates(word: str) -> bool:
    """Whether a word cannot be part of an entity: it has a separator inside ("Gil;Bilbao"), or a
    separator and no letters or digits."""
    found = SEPARATOR.search(word)
    if found is None:
        return False
    return not any(map(str.isalnum, word)) or any(
        place.start() > 0 and place.end() < len(word) for place in SEPARATOR.finditer(word)
    )


def after_boundaries(
    text: str, begins: np.ndarray, ends: np.ndarray, every_line: bool = False
) -> np.ndarray:
    """Which words follow a boundary.

    Args:
        text: the text of the words.
        begins: (n,) int64, start offsets of the words.
        ends: (n,) int64, end offsets (exclusive).
        every_line: as for `boundaries`.

    Returns:
        (n,) bool; the first is always False.
    """
    found = np.zeros(len(begins), dtype=bool)
    places = boundaries(text, every_line)
    first = np.searchsorted(places, ends[:-1])
    found[1:] = np.searchsorted(places, begins[1:], side="right") > first
    return found


def _chosen(breaks: Sequence[int], lines: Sequence[str]) -> list[int]:
    return [place for place, is_one in zip(breaks, item_breaks(lines), strict=True) if is_one]


def _in_rows(begins: Sequence[int], lines: Sequence[str]) -> list[int]:
    """Boundaries within lines next to similar lines: after the numbers of numbered lines, and at
    gaps of two spaces."""
    found: list[int] = []
    numbers = [_NUMBERED.match(line) for line in lines]
    gaps = [[gap.start() for gap in _GAP.finditer(line)] for line in lines]
    for (place, before), (_, after) in pairwise(enumerate(numbers)):
        rows = (place, place + 1)
        if before and after and int(after[1]) == int(before[1]) + 1:
            found += [begins[place] + before.end(), begins[place + 1] + after.end()]
        if all(gaps[row] and not _Line.of(lines[row]).running for row in rows):
            found += [begins[row] + gap for row in rows for gap in gaps[row]]
    return found


class _Line(NamedTuple):
    """Features of a line.

    Attributes:
        text: the line.
        first: its first word.
        lower: it begins in lower case.
        running: it contains lower-case words that are not part of names, or begins with one.
        leads_on: its last word cannot end a sentence.
    """

    text: str
    first: str
    lower: bool
    running: bool
    leads_on: bool

    @classmethod
    def of(cls, text: str) -> _Line:
        words = _WORD.findall(text)
        starts = _BULLET.match(text) or _CONTACT.match(text)
        lower = starts is None and text.lstrip(_OPENING)[:1].islower()
        return cls(
            text=text,
            first=words[0] if words else "",
            lower=lower,
            running=lower or any(word[0].islower() and word not in _WITHIN_NAMES for word in words),
            leads_on=text.rpartition(" ")[2] in _LEADS_ON,
        )


def item_breaks(lines: Sequence[str]) -> list[bool]:
    """Whether the break after each line except the last separates items.

    A break certainly splits a sentence if the next line begins in lower case or this one ends with
    a word such as "de". Any other line with only names, numbers and the like is an item, unless
    most breaks near it split sentences. The other lines contain lower-case words. They are running
    text if a break near them splits a sentence, or if they continue to a full stop in lines of the
    same kind that do not all begin with the same word.

    Args:
        lines: stripped lines of a paragraph.
    """
    known = [_Line.of(line) for line in lines]
    cuts = [after.lower or before.leads_on for before, after in pairwise(known)]
    return [not cut and _separates(known, cuts, place) for place, cut in enumerate(cuts)]


def _separates(lines: Sequence[_Line], cuts: Sequence[bool], place: int) -> bool:
    before, after = lines[place : place + 2]
    if _BULLET.match(after.text) or _ENDS_SENTENCE.search(before.text):
        return True
    near = [*cuts[max(0, place - NEIGHBOURS) : place], *cuts[place + 1 : place + 1 + NEIGHBOURS]]
    if not before.running:
        return sum(near) <= len(near) / 2
    if any(near):
        return False
    if before.first == after.first or (_KEY.match(before.text) and _KEY.match(after.text)):
        return True
    for line in lines[place + 1 : place + 2 + NEIGHBOURS]:
        if _HOLDS_STOP.search(line.text):
            return False
        if not line.running:
            break
    return True


__all__ = ["SEPARATOR", "SPACED", "after_boundaries", "boundaries", "item_breaks", "separates"]
