"""Restoring the usual case and accents of a text.

Headlines and forms are often in capitals, and many people write without accents. A cased encoder
has hardly been trained on such words. Replacements have the same number of characters, so offsets
do not change.

1. Case. Consecutive words without a lower-case letter are converted if half of them, and at least
   three (two if they fill their lines), are usually written otherwise. Each gets its usual case;
   unknown words become names. Acronyms are usually in capitals and are kept.
2. Accents. A text without any accent lacks them if it has a word in lower case that does not exist
   without one ("politica"). Then all such words get accents, including names. If both forms exist
   ("esta", "está"), nothing is changed.

Words are treated independently, the simplest method in Lita et al. 2003 ("tRuEcasIng").
"""

from __future__ import annotations

import gzip
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from spacy_selectra.errors import SelectraError
from spacy_selectra.text.normalization import strip_accents
from spacy_selectra.util.files import atomic_file, expanded, refuse_pointer

WORD = re.compile(r"[^\W\d_]+")
# Minimum number of words of a stretch that are usually not in capitals, within a line and if they
# fill their lines, and minimum share. "EL PERIÓDICO" within a sentence is a name.
LEAST_WITHIN = 3
LEAST_ALONE = 2
LEAST_SHARE = 0.5

_TWO_CAPITALS = re.compile(r"[^\W\d_a-z]{2}")
_ACCENTED = re.compile(r"[áéíóúüñÁÉÍÓÚÜÑ\u0300\u0301\u0303\u0308]")
# Characters before the first word of a sentence.
_SENTENCE = re.compile(r"(?:^|[.!?…:][\"'»”’)]*\s|\n\s*\n)\W*$")
_BEFORE = 12  # number of characters to search for these
# A character with the accents behind it.
_CLUSTER = re.compile(r"[\s\S][\u0300-\u036f]*")
_ROMAN = re.compile(r"[IVX]{2,}")
_WORDS_OF_ONE_LETTER = frozenset("aáeoóuy")
_INITIAL = frozenset(".'’")  # after a letter that abbreviates a name


class Spellings:
    """Usual spellings of words, most frequent first: each word once, as it is written within
    sentences ("casa", "Madrid", "ONU").

    Args:
        words: of letters only.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._exact: dict[str, str] = {}
        self._plain: dict[str, str] = {}
        for word in self.words:
            lower = word.lower()
            self._exact.setdefault(lower, word)
            self._plain.setdefault(_plain(lower), word)

    def restored(self, text: str, *, case: bool = True, accents: bool = True) -> str:
        """The text with restored case and accents, of the same length; usually unchanged.

        Args:
            text: a whole document, as accents are missing in a whole text or not at all.
            case: whether to change words in capitals.
            accents: whether to change words without accents.
        """
        composed = unicodedata.normalize("NFC", text)
        if len(composed) < len(text):  # accents as characters of their own
            return _like_before(text, self.restored(composed, case=case, accents=accents))
        recased = self._with_case(text) if case else text
        if accents and _ACCENTED.search(text) is None:
            return self._with_accents(recased, sure=recased != text)
        return recased

    def usual(self, word: str) -> str | None:
        """The usual spelling of a word in any case, with accents if it only exists with these;
        None if it is unknown."""
        lower = word.lower()
        return self._exact.get(lower) or self._plain.get(_plain(lower))

    def _with_case(self, text: str) -> str:
        if _TWO_CAPITALS.search(text) is None:
            return text
        letters = list(text)
        for stretch in _capitals(text):
            usual = [self.usual(match[0]) for match in stretch]
            longer = [u for match, u in zip(stretch, usual, strict=True) if len(match[0]) > 1]
            known = sum(form is not None and not form.isupper() for form in longer)
            least = LEAST_ALONE if _alone(text, stretch) else LEAST_WITHIN
            if known < max(least, LEAST_SHARE * len(longer)):
                continue
            for match, form in zip(stretch, usual, strict=True):
                begin, end = match.span()
                new = _cased(match[0], form, text[end : end + 1])
                if _SENTENCE.search(text[max(0, begin - _BEFORE) : begin]):
                    new = new[0].upper() + new[1:]
                if len(new) == end - begin:
                    letters[begin:end] = new
        return "".join(letters)

    def _with_accents(self, text: str, sure: bool) -> str:
        found = []
        for match in WORD.finditer(text):
            lower = match[0].lower()
            form = None if lower in self._exact else self._plain.get(lower)
            if form is not None and len(form) == len(lower):
                sure = sure or match[0] == lower
                found.append((match, form))
        if not sure:
            return text
        letters = list(text)
        for match, form in found:
            letters[match.start() : match.end()] = _like(form, match[0])
        return "".join(letters)


def _like_before(text: str, restored: str) -> str:
    """What became of a composed text, with accents as characters of their own where they were."""
    parts: list[str] = []
    place = 0
    for cluster in _CLUSTER.findall(text):
        length = len(unicodedata.normalize("NFC", cluster))
        new = restored[place : place + length]
        apart = unicodedata.normalize("NFD", new)
        parts.append(next((form for form in (new, apart) if len(form) == len(cluster)), cluster))
        place += length
    # letters that compose without an accent (Korean) are left alone
    return "".join(parts) if place == len(restored) else text


def save_spellings(spellings: Spellings, path: str | Path) -> None:
    """Write one word per line, compressed if the name ends in .gz."""
    data = "".join(f"{word}\n" for word in spellings.words).encode()
    with atomic_file(path) as temporary:
        # without a time stamp, so that equal words give equal files
        temporary.write_bytes(gzip.compress(data, mtime=0) if _is_gzip(path) else data)


def load_spellings(path: str | Path) -> Spellings:
    """Read the output of `save_spellings`.

    Raises:
        SelectraError: no such file, or a file of another kind.
    """
    path = expanded(path)
    refuse_pointer(path)
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if _is_gzip(path) else data).decode("utf-8")
    except FileNotFoundError as error:
        raise SelectraError(f"{path}: no such file") from error
    except (OSError, EOFError, ValueError) as error:
        raise SelectraError(f"{path}: not a list of spellings ({error})") from error
    return Spellings(_checked(text, path))


@cache
def spanish_spellings() -> Spellings:
    """The list in the library (`assets/README.md`), read on first use."""
    data = (files("spacy_selectra.text") / "spellings_es.txt.gz").read_bytes()
    return Spellings(gzip.decompress(data).decode("utf-8").splitlines())


def _checked(text: str, path: Path) -> list[str]:
    words = text.splitlines()
    for number, word in enumerate(words, 1):
        if WORD.fullmatch(word) is None:
            raise SelectraError(f"{path}, line {number}: {word!r} is not a single word")
    return words


def _is_gzip(path: str | Path) -> bool:
    return Path(path).suffix == ".gz"


def _plain(word: str) -> str:
    return word if word.isascii() else strip_accents(word)


def _capitals(text: str) -> Iterator[list[re.Match[str]]]:
    """Stretches of consecutive words without lower-case letters."""
    stretch: list[re.Match[str]] = []
    for match in WORD.finditer(text):
        if match[0].isupper():
            stretch.append(match)
        elif stretch:
            yield stretch
            stretch = []
    if stretch:
        yield stretch


def _alone(text: str, stretch: list[re.Match[str]]) -> bool:
    """Whether the lines of a stretch have no other words."""
    begin, end = stretch[0].start(), stretch[-1].end()
    line = text.rfind("\n", 0, begin) + 1
    rest = text.find("\n", end)
    around = text[line:begin] + text[end : len(text) if rest < 0 else rest]
    return WORD.search(around) is None


def _cased(word: str, usual: str | None, following: str) -> str:
    """A word in capitals in its usual case; as a name if it is unknown."""
    if _ROMAN.fullmatch(word) or (
        len(word) == 1 and (word.lower() not in _WORDS_OF_ONE_LETTER or following in _INITIAL)
    ):
        return word
    if usual is None or len(usual) != len(word):
        return word[0] + word[1:].lower()
    return "".join(
        char if form.isupper() else char.lower() for char, form in zip(word, usual, strict=True)
    )


def _like(form: str, word: str) -> str:
    """The letters of `form`, in the case of `word`."""
    return "".join(
        new.upper() if old.isupper() else new.lower() for new, old in zip(form, word, strict=True)
    )


# Counting the usual spelling of words.


# A form this many times rarer than one with other accents counts as a mistake.
TIMES_RARER = 5.0
# Shorter sentences are titles and list items, which have other rules for case.
_FEWEST_WORDS = 4
_SENTENCE_END = re.compile(r"(?<=[.!?…:»\"])\s+|\n+")


def count_spellings(texts: Iterable[str], min_count: int = 3) -> Spellings:
    """Count the usual spelling of words in text with normal case.

    The first word of each sentence and sentences mostly in capitals are ignored.

    Args:
        texts: documents.
        min_count: minimum frequency of a word, over all spellings.
    """
    counts: Counter[str] = Counter()
    for text in texts:
        for sentence in _SENTENCE_END.split(text):
            words = WORD.findall(sentence)
            if len(words) < _FEWEST_WORDS or 2 * sum(map(str.isupper, words)) > len(words):
                continue
            counts.update(words[1:])
    return usual_spellings(counts, min_count)


def usual_spellings(counts: Counter[str], min_count: int = 3) -> Spellings:
    """The usual spellings from counts."""
    cases: dict[str, Counter[str]] = defaultdict(Counter)
    for word, count in counts.items():
        cases[word.lower()][word] += count
    totals = {lower: own.total() for lower, own in cases.items()}
    most: dict[str, int] = {}
    for lower, count in totals.items():
        plain = strip_accents(lower)
        most[plain] = max(most.get(plain, 0), count)
    kept = [
        lower
        for lower, count in totals.items()
        if count >= min_count and count * TIMES_RARER > most[strip_accents(lower)]
    ]
    kept.sort(key=lambda lower: (-totals[lower], lower))
    # ties are resolved alphabetically, independent of the order of the text
    return Spellings([min(cases[low], key=lambda w: (-cases[low][w], w)) for low in kept])
