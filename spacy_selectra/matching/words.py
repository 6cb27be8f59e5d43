"""Tokenization into words, vocabulary lookup, and operations on rows of words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np

from spacy_selectra.text.normalization import strip_accents

# Letters with inner hyphens or apostrophes; all numbers map to the same word.
_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*|\d+")
NUMBER = "0"
# A verb with one or two enclitic pronouns (RAE and ASALE 2009, Nueva gramática de la lengua
# española, section 16.6): recuérda-me, apaga-r-las, di-ciéndo-se-lo.
_ENCLITIC = re.compile(r"(.{2,}(?:[aeiourd]|os))(?:me|te|se|nos|os|l[aeo]s?)")
_CACHED = 500_000


def split_words(text: str) -> list[str]:
    """Words of a text in order, lower-cased and NFC-normalised.

    "¡El niño-burbuja pagó 12,50 €!" has el, niño-burbuja, pagó, 0, 0.
    """
    words = _WORD.findall(unicodedata.normalize("NFC", text).lower())
    return [NUMBER if word[0].isdigit() else word for word in words]


def without_accents(word: str) -> str:
    """The word without accents and diaereses; ñ stays, since it is a separate letter.

    "pingüino" is pinguino, "señorío" is señorio.
    """
    return strip_accents(word.replace("ñ", "\0")).replace("\0", "ñ")


class WordIndex:
    """Vocabulary lookup, from words to indices.

    Unknown words fall back to other spellings: split at hyphens ("ex-ministro"), without accents,
    the most frequent word with other accents ("politica" is política), and verbs without enclitic
    pronouns ("recuérdamelo" is recuerda).

    Args:
        words: distinct words by descending frequency.
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
        """(n,) int64 indices of the known words of a text, in order."""
        found: list[int] = []
        for word in split_words(text):
            place = self._places.get(word)
            if place is not None:
                found.append(place)
            else:
                found.extend(self._elsewhere(word))
        return np.array(found, dtype=np.int64)

    def unknown(self, text: str) -> list[str]:
        """Words of a text that are unknown in every spelling."""
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
    """Concatenated words of several texts, with the bounds of the texts.

    Returns:
        (n,) int64 indices, (texts + 1,) int64 bounds.
    """
    bounds = np.cumsum([0, *(len(text) for text in texts)])
    if not bounds[-1]:
        return np.zeros(0, dtype=np.int64), bounds
    return np.concatenate(texts), bounds


def sums(rows: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """(n, d) rows to (parts, d) sums of segments; empty segments sum to 0."""
    result = np.zeros((len(bounds) - 1, *rows.shape[1:]), dtype=rows.dtype)
    full = np.flatnonzero(np.diff(bounds))
    if len(full):
        result[full] = np.add.reduceat(rows, bounds[full], axis=0)
    return result


def unit(rows: np.ndarray) -> np.ndarray:
    """Normalise rows to length 1, in float32; zero rows stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.maximum(lengths, 1e-12)).astype(np.float32)
