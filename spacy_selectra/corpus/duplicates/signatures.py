"""MinHash signatures of texts, and an index of similar ones.

Broder 1997, "On the resemblance and containment of documents": the share of equal values in two
signatures estimates the resemblance of two texts, which is the Jaccard index J of their sets of
shingles. For signatures of n values the standard error is sqrt(J (1 - J) / n), 0.036 for J = 0.8
and n = 126. Signatures are split into bands, and texts with an equal band are compared
(locality-sensitive hashing; Leskovec et al., "Mining of Massive Datasets", section 3.4).

The package rensa computes signatures and the tables of bands.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from spacy_selectra.corpus.holdout import text_key
from spacy_selectra.corpus.shingles import shingle_hashes, words_of
from spacy_selectra.errors import SelectraError
from spacy_selectra.util.extras import required

# Largest share of pairs exactly at the threshold that are missed because no band is equal.
MOST_MISSED = 0.05

_BLOCK = 4096  # signatures that are allocated together


@dataclass(frozen=True)
class SignatureSettings:
    """When two texts are near copies.

    Shingles of five words and a threshold of 0.8 are from Lee et al. 2022, "Deduplicating Training
    Data Makes Language Models Better", section 4.2. Their 9,000 permutations give a more precise
    estimate, but 128 take a seventieth of the time and memory. FineWeb uses 112, with shingles of
    five words and a threshold of 0.75 (Penedo et al. 2024, "The FineWeb Datasets", section 3.4).

    Attributes:
        threshold: lowest estimated resemblance, 0.3 to 1; with 1 only copies are found, and
            there are no estimates.
        shingle: words per shingle.
        permutations: maximum number of values of a signature, 16 to 4096; rounded down to whole
            bands.
        seed: of the permutations.
    """

    threshold: float = 0.8
    shingle: int = 5
    permutations: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.3 <= self.threshold <= 1.0:
            raise SelectraError(f"threshold must be between 0.3 and 1 (found {self.threshold})")
        if not 1 <= self.shingle <= 100:
            raise SelectraError(f"shingle must be between 1 and 100 words (found {self.shingle})")
        if not 16 <= self.permutations <= 4096:
            raise SelectraError(
                f"permutations must be between 16 and 4096 (found {self.permutations})"
            )
        if not 0 <= self.seed < 1 << 64:
            raise SelectraError(f"seed must be at least 0 and below 2^64 (found {self.seed})")

    @property
    def bands(self) -> tuple[int, int]:
        """(number of bands, values per band).

        With longer bands, fewer dissimilar texts are compared. This is the greatest length with
        which at most `MOST_MISSED` of the pairs at the threshold have no equal band.
        """
        for rows in range(self.permutations, 1, -1):
            count = self.permutations // rows
            if (1.0 - self.threshold**rows) ** count <= MOST_MISSED:
                return count, rows
        return self.permutations, 1


class Sketch(NamedTuple):
    """Hash and signature of a text.

    Attributes:
        key: 16-byte hash that ignores case, white space and Unicode composition.
        signature: rensa's RMinHash; None if the text has fewer words than a shingle.
    """

    key: bytes
    signature: Any


class Sketcher:
    """Makes sketches; for equal texts and settings they are equal on every machine."""

    def __init__(self, settings: SignatureSettings) -> None:
        self._settings = settings
        bands, rows = settings.bands
        self._places = bands * rows
        # of the package, as all of it can be handed to other processes
        self._new = required("rensa:RMinHash") if settings.threshold < 1.0 else None

    def sketch(self, text: str, words: list[str] | None = None) -> Sketch:
        """The sketch of a text.

        Args:
            text: any text.
            words: its `words_of`, if they are known.
        """
        key = text_key(text.casefold())
        if self._new is None:
            return Sketch(key, None)
        hashes = shingle_hashes(words_of(text) if words is None else words, self._settings.shingle)
        if not len(hashes):
            return Sketch(key, None)
        signature = self._new(self._places, self._settings.seed)
        signature.update(hashes.view("V8").tolist())
        return Sketch(key, signature)


class Twin(NamedTuple):
    """An earlier text that another text repeats.

    Attributes:
        number: of the earlier text, as returned by `SketchIndex.add`.
        resemblance: 1 for copies, otherwise the estimate.
        exact: whether it is a copy.
    """

    number: int
    resemblance: float
    exact: bool


class SketchIndex:
    """An index of texts by their sketches.

    With the default settings a text takes about 2.4 kB of memory: 504 bytes for the 126 values of
    its signature, about 95 for each of the 18 bands, and 200 for its key. A text without signature
    takes 200 bytes.
    """

    def __init__(self, settings: SignatureSettings) -> None:
        self._threshold = settings.threshold
        self._bands, rows = settings.bands
        self._places = self._bands * rows
        self._lsh: Any = None
        if settings.threshold < 1.0:
            table = required("rensa:RMinHashLSH")
            self._lsh = table(settings.threshold, self._places, self._bands)
        self._numbers: dict[bytes, int] = {}
        self._blocks: list[np.ndarray] = []
        self._number_of_row = array("q")

    def __len__(self) -> int:
        """Number of texts."""
        return len(self._numbers)

    def find(self, sketch: Sketch) -> Twin | None:
        """The earlier text that this one repeats: a copy, or the most similar; None if new."""
        number = self._numbers.get(sketch.key)
        if number is not None:
            return Twin(number, 1.0, True)
        if sketch.signature is None or self._lsh is None:
            return None
        candidates = sorted(self._lsh.query(sketch.signature))
        if not candidates:
            return None
        digest = np.array(sketch.signature.digest(), np.uint32)
        equal = [np.count_nonzero(self._digest(row) == digest) for row in candidates]
        best = int(np.argmax(equal))  # the earliest of equally similar ones
        resemblance = equal[best] / self._places
        if resemblance < self._threshold:
            return None
        return Twin(self._number_of_row[candidates[best]], resemblance, False)

    def add(self, sketch: Sketch) -> int:
        """Add a text for which `find` returned None; returns its number, counted from 0."""
        number = len(self._numbers)
        self._numbers[sketch.key] = number
        if sketch.signature is not None and self._lsh is not None:
            row = len(self._number_of_row)
            if row % _BLOCK == 0:
                self._blocks.append(np.empty((_BLOCK, self._places), np.uint32))
            self._blocks[-1][row % _BLOCK] = sketch.signature.digest()
            self._number_of_row.append(number)
            self._lsh.insert(row, sketch.signature)
        return number

    def _digest(self, row: int) -> np.ndarray:
        return self._blocks[row // _BLOCK][row % _BLOCK]
