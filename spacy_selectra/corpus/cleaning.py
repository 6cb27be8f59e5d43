"""Cleaning documents and leaving out those that would not teach Spanish."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from spacy_selectra.corpus.heldout import text_key
from spacy_selectra.corpus.readers import Document
from spacy_selectra.corpus.repeats import Repeats
from spacy_selectra.errors import SelectraError

# The most frequent words of Spanish: in running text they make up 40 to 50% of all words,
# in lists, code and other languages hardly any.
_FUNCTION_WORDS = """
a al algo ante así aunque cada como con contra cual cuando cuya cuyo de del desde donde dos durante
e el ella ellas ellos en entre era es esa ese eso esta estas este esto estos está están fue ha había
han hasta hay la las le les lo los me mi mientras muy más ni no nos o otra otro para pero poco por
porque pues que quien qué se sea según ser si sido sin sobre solo son su sus sí también tan te tiene
toda todas todo todos tras tu u un una unas uno unos y ya yo
"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())

REASONS: tuple[str, ...] = (
    "too short",
    "too long",
    "few letters",
    "few Spanish function words",
    "duplicate",
    "mostly read before",
)

_WORD = re.compile(r"[^\W\d_]+")
_SPACES = re.compile(r"[^\S\n]+")
_LINE_ENDS = re.compile(r"\r\n?|[\u2028\u2029\x0b\x0c\x85]")


@dataclass(frozen=True)
class CleaningSettings:
    """What a document must be like to be kept.

    Attributes:
        min_characters: shortest document, after cleaning.
        max_characters: longest document, after cleaning.
        min_letters: least share of letters among the characters that are not white space.
        min_function_words: least share of Spanish function words among all words.
        deduplicate: drop texts seen before (equal but for case, white space and composition).
        max_repeated: largest share of its runs of eight words that occur in documents kept
            before; 1 keeps near-duplicates.
    """

    min_characters: int = 50
    max_characters: int = 1_000_000
    min_letters: float = 0.6
    min_function_words: float = 0.15
    deduplicate: bool = True
    max_repeated: float = 1.0


def clean_text(text: str) -> str:
    """Composed accents (NFC), no control or invisible characters, tidy white space.

    Lines stay lines; empty ones go, as a blank line separates documents in .txt files.
    """
    text = _LINE_ENDS.sub("\n", unicodedata.normalize("NFC", text)).replace("\t", " ")
    if not text.isprintable():
        text = "".join(char for char in text if _is_visible(char))
    lines = (_SPACES.sub(" ", line).strip() for line in text.split("\n"))
    # Composed again: an invisible character may have stood between a letter and its accent.
    return unicodedata.normalize("NFC", "\n".join(line for line in lines if line))


class Cleaner:
    """Cleans a stream of documents and counts what it drops, and why.

    Deduplication keeps a 16-byte key of each kept text: about 100 bytes of memory a document. A
    `max_repeated` below 1 keeps a sixteenth of its runs of words, 5 bytes a word.

    Attributes:
        read: documents seen.
        kept: documents passed on.
        dropped: for each of `REASONS`, how many; the first reason that applies counts.

    Raises:
        SelectraError: settings out of range.
    """

    def __init__(self, settings: CleaningSettings | None = None) -> None:
        self.settings = settings or CleaningSettings()
        for name in ("min_letters", "min_function_words", "max_repeated"):
            value = getattr(self.settings, name)
            if not 0.0 <= value <= 1.0:
                raise SelectraError(f"{name} must be between 0 and 1 (found {value})")
        self.read = self.kept = 0
        self.dropped = dict.fromkeys(REASONS, 0)
        self._seen: set[bytes] = set()
        self._repeats = Repeats()

    def clean(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The cleaned documents that are kept."""
        for document in documents:
            self.read += 1
            text = clean_text(document.text)
            reason = self._reason_to_drop(text)
            if reason is None:
                self.kept += 1
                yield replace(document, text=text)
            else:
                self.dropped[reason] += 1

    def _reason_to_drop(self, text: str) -> str | None:
        settings = self.settings
        if len(text) < settings.min_characters:
            return "too short"
        if len(text) > settings.max_characters:
            return "too long"
        words = _WORD.findall(text)
        letters = sum(map(len, words))
        if letters < settings.min_letters * sum(map(len, text.split())):
            return "few letters"
        known = sum(word.lower() in FUNCTION_WORDS for word in words)
        if known < settings.min_function_words * len(words):
            return "few Spanish function words"
        if settings.deduplicate:
            key = text_key(text.casefold())
            if key in self._seen:
                return "duplicate"
            self._seen.add(key)
        if settings.max_repeated < 1.0:
            if self._repeats.share(text) > settings.max_repeated:
                return "mostly read before"
            self._repeats.add(text)
        return None


def _is_visible(char: str) -> bool:
    # C*: control, format (zero width, soft hyphen), surrogate, private use, unassigned; the
    # tokenizer drops them anyway. U+FFFD stands where a byte could not be decoded.
    return char == "\n" or (unicodedata.category(char)[0] != "C" and char != "\ufffd")
