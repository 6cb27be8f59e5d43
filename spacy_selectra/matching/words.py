"""Words of texts, and what is known of them: their number, their vectors, their weights."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np

from spacy_selectra.text.normalization import strip_accents

# Letters with hyphens or apostrophes between them; any number counts as the same word.
_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*|\d+")
NUMBER = "0"
# A verb and the one or two pronouns that Spanish writes together with it (RAE and ASALE 2009,
# Nueva gramática de la lengua española, section 16.6): recuérda-me, apaga-r-las, di-ciéndo-se-lo.
_ENCLITIC = re.compile(r"(.{2,}(?:[aeiourd]|os))(?:me|te|se|nos|os|l[aeo]s?)")
_CACHED = 500_000


def split_words(text: str) -> list[str]:
    """Words of a text in the order they stand in, lower-cased, with composed accents.

    "¡El niño-burbuja pagó 12,50 €!" has el, niño-burbuja, pagó, 0, 0.
    """
    words = _WORD.findall(unicodedata.normalize("NFC", text).lower())
    return [NUMBER if word[0].isdigit() else word for word in words]


def without_accents(word: str) -> str:
    """The word without accents and diaereses; the tilde of ñ stays, which is a letter of its own.

    "pingüino" is pinguino, "señorío" is señorio.
    """
    return strip_accents(word.replace("ñ", "\0")).replace("\0", "ñ")


class WordIndex:
    """Places of words, by which rows of tables are found.

    A word that is not there is looked for as others write it: without its hyphens ("ex-ministro"
    is two words then), without accents, or as the most frequent word that is the same without
    accents ("politica" is política); then without the pronouns at the end of a verb
    ("recuérdamelo" is recuerda). Only what remains is unknown.

    Args:
        words: distinct, the most frequent first.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._places = {word: place for place, word in enumerate(self.words)}
        self._plain: dict[str, int] = {}
        for place, word in enumerate(self.words):
            self._plain.setdefault(without_accents(word), place)
        self._found: dict[str, tuple[int, ...]] = {}

    def __len__(self) -> int:
        return len(self.words)

    def places(self, text: str) -> np.ndarray:
        """(n,) int64 places of the words of a text that are known, in their order."""
        found: list[int] = []
        for word in split_words(text):
            place = self._places.get(word)
            if place is not None:
                found.append(place)
            else:
                found.extend(self._elsewhere(word))
        return np.array(found, dtype=np.int64)

    def unknown(self, text: str) -> list[str]:
        """Words of a text that are not known in any form."""
        return [
            word
            for word in split_words(text)
            if word not in self._places and not self._elsewhere(word)
        ]

    def _elsewhere(self, word: str) -> tuple[int, ...]:
        found = self._found.get(word)
        if found is None:
            found = tuple(self._look(re.split("[-'’]", word)))
            if len(self._found) < _CACHED:
                self._found[word] = found
        return found

    def _look(self, parts: Iterable[str]) -> Iterable[int]:
        for part in parts:
            plain = without_accents(part)
            place = self._places.get(part, self._plain.get(plain))
            while place is None and (verb := _ENCLITIC.fullmatch(plain)):
                plain = verb[1]
                place = self._plain.get(plain)
            if place is not None:
                yield place


def flat(texts: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """All words of several texts one after the other, and where each text begins.

    Returns:
        (n,) int64 places, (texts + 1,) int64 bounds.
    """
    bounds = np.cumsum([0, *(len(text) for text in texts)])
    if not bounds[-1]:
        return np.zeros(0, dtype=np.int64), bounds
    return np.concatenate(texts), bounds


def sums(rows: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """(n, d) rows to (parts, d) sums of consecutive rows; an empty part sums to 0."""
    result = np.zeros((len(bounds) - 1, *rows.shape[1:]), dtype=rows.dtype)
    full = np.flatnonzero(np.diff(bounds))
    if len(full):
        result[full] = np.add.reduceat(rows, bounds[full], axis=0)
    return result


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1, in float32; a row of zeros stays."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.maximum(lengths, 1e-12)).astype(np.float32)
