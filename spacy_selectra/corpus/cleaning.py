"""Cleaning documents, and dropping those that are not Spanish text or repeat others."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from spacy_selectra.corpus.documents import Document, batches
from spacy_selectra.corpus.holdout import text_key
from spacy_selectra.corpus.shingles import shingle_hashes, words_of
from spacy_selectra.errors import SelectraError
from spacy_selectra.util.workers import Engine, Workers

# The most frequent words of Spanish: 40 to 50% of all words in running text, hardly any in lists,
# code and other languages.
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
# Only elements of HTML count as markup, so that "a < b" and "<3" are kept; entities end in ";".
_UNSEEN = re.compile(
    r"<!--.*?-->|<(script|style|noscript)\b[^<>]*>.*?</\1\s*>|<\?.*?\?>|<!\[CDATA\[|\]\]>",
    re.I | re.S,
)
# In quotation marks, attributes may hold what ends a tag.
_ATTRIBUTES = r"""(\s("[^"]*"|'[^']*'|[^<>"'])*|\s[^<>]*)?"""
_BLOCK = re.compile(
    r"</?(p|br|div|li|ul|ol|dl|dt|dd|tr|table|thead|tbody|h[1-6]|hr|section|article|header|footer"
    r"|nav|aside|main|blockquote|pre|figure|figcaption|title|head|body|html|address|caption|center"
    rf"|details|fieldset|form|legend|option|summary|tfoot)\b{_ATTRIBUTES}/?>",
    re.I,
)
_TAG = re.compile(
    r"<!doctype[^<>]*>|</?(a|abbr|b|big|button|cite|code|col|del|dfn|em|font|g|i|iframe|img|input"
    r"|ins|kbd|label|link|mark|meta|nobr|o:p|path|picture|q|s|samp|select|small|source|span|strike"
    rf"|strong|sub|sup|svg|textarea|time|tt|u|var|video|wbr)\b{_ATTRIBUTES}/?>",
    re.I,
)
_CELL = re.compile(rf"</?(td|th)\b{_ATTRIBUTES}/?>", re.I)
_ENTITY = re.compile(r"&(#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_LINE_ENDS = re.compile(r"\r\n?|[\u2028\u2029\x0b\x0c\x85]")


@dataclass(frozen=True)
class CleaningSettings:
    """Conditions for keeping a document.

    Attributes:
        min_characters: shortest document, after cleaning.
        max_characters: longest document, after cleaning.
        min_letters: lowest share of letters among the characters other than white space.
        min_function_words: lowest share of Spanish function words among all words.
        deduplicate: drop exact duplicates, ignoring case, white space and Unicode composition.
        max_repeated: highest share of its 8-grams of words that occur in documents kept
            before; 1 keeps near-duplicates.
    """

    min_characters: int = 50
    max_characters: int = 1_000_000
    min_letters: float = 0.6
    min_function_words: float = 0.15
    deduplicate: bool = True
    max_repeated: float = 1.0


def clean_text(text: str) -> str:
    """Normalise Unicode (NFC) and white space, and remove HTML and invisible characters.

    HTML becomes the text that a browser shows: tags, scripts and styles are removed, entities
    become characters, each block is a line, and cells of tables stay apart. Empty lines are
    removed, because a blank line separates documents in .txt files.
    """
    if "<" in text:
        text = _CELL.sub(" ", _BLOCK.sub("\n", _UNSEEN.sub("", text)))
        text = _TAG.sub("", text)
    if "&" in text:
        text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    text = _LINE_ENDS.sub("\n", unicodedata.normalize("NFC", text)).replace("\t", " ")
    if not text.isprintable():
        text = "".join(char for char in text if _is_visible(char))
    lines = (_SPACES.sub(" ", line).strip() for line in text.split("\n"))
    # Composed again: there may have been an invisible character between a letter and its accent.
    return unicodedata.normalize("NFC", "\n".join(line for line in lines if line))


class Examined(NamedTuple):
    """A cleaned document, before it is compared with others.

    Attributes:
        text: cleaned.
        reason: why it is dropped, one of `REASONS`; None if it is not.
        key: equal for duplicates; empty if duplicates are kept.
        shingles: its sampled shingles; empty if near-duplicates are kept.
    """

    text: str
    reason: str | None
    key: bytes = b""
    shingles: tuple[int, ...] = ()


class Examiner:
    """The part of cleaning that needs no other documents, so that it can run in workers."""

    def __init__(self, settings: CleaningSettings) -> None:
        self._settings = settings

    def __call__(self, documents: list[Document]) -> list[Examined]:
        """Clean and check documents."""
        return [self._examine(clean_text(document.text)) for document in documents]

    def _examine(self, text: str) -> Examined:
        reason = self._reason_to_drop(text)
        if reason is not None:
            return Examined("", reason)
        key = text_key(text.casefold()) if self._settings.deduplicate else b""
        found = tuple(shingles(text)) if self._settings.max_repeated < 1.0 else ()
        return Examined(text, None, key, found)

    def _reason_to_drop(self, text: str) -> str | None:
        settings = self._settings
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
        return None


class Cleaner:
    """Cleans a stream of documents and counts those it drops, by reason.

    Deduplication stores a 16-byte key of each kept text, about 100 bytes of memory per document.
    `max_repeated` below 1 stores a sixteenth of its shingles, about 5 bytes per word.

    Attributes:
        read: number of documents read.
        kept: number of documents kept.
        dropped: number of documents dropped by each of `REASONS`; the first that applies counts.

    Args:
        settings: conditions for keeping a document.
        workers: processes with an `Examiner` with the same settings; None for this process. The
            result does not depend on it.

    Raises:
        SelectraError: settings out of range.
    """

    def __init__(
        self,
        settings: CleaningSettings | None = None,
        workers: Workers[list[Document], list[Examined]] | None = None,
    ) -> None:
        self.settings = settings or CleaningSettings()
        for name in ("min_letters", "min_function_words", "max_repeated"):
            value = getattr(self.settings, name)
            if not 0.0 <= value <= 1.0:
                raise SelectraError(f"{name} must be between 0 and 1 (found {value})")
        self.read = self.kept = 0
        self.dropped = dict.fromkeys(REASONS, 0)
        self._workers = workers or Engine().workers(partial(Examiner, self.settings))
        self._seen: set[bytes] = set()
        self._repeats = Repeats()

    def clean(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The cleaned documents that are kept; can be called repeatedly, for parts of a stream."""
        for batch, examined in self._workers.results(batches(documents)):
            for document, one in zip(batch, examined, strict=True):
                self.read += 1
                reason = one.reason or self._reason_to_drop(one)
                if reason is None:
                    self._remember(one)
                    self.kept += 1
                    yield replace(document, text=one.text)
                else:
                    self.dropped[reason] += 1

    def counts(self) -> dict[str, Any]:
        """The counts so far, as JSON values."""
        return {"read": self.read, "kept": self.kept, "dropped": dict(self.dropped)}

    def resume(self, counts: Mapping[str, Any], written: Iterable[Document]) -> None:
        """Restore the state of an earlier cleaner from its counts and the documents it kept."""
        self.read, self.kept = counts["read"], counts["kept"]
        self.dropped = dict(counts["dropped"])
        for _, examined in self._workers.results(batches(written)):
            for one in examined:
                self._remember(one)

    def _reason_to_drop(self, examined: Examined) -> str | None:
        if self.settings.deduplicate and examined.key in self._seen:
            return "duplicate"
        if (
            self.settings.max_repeated < 1.0
            and self._repeats.share(examined.shingles) > self.settings.max_repeated
        ):
            return "mostly read before"
        return None

    def _remember(self, examined: Examined) -> None:
        if self.settings.deduplicate:
            self._seen.add(examined.key)
        if self.settings.max_repeated < 1.0:
            self._repeats.add(examined.shingles)


def _is_visible(char: str) -> bool:
    # C*: control, format (zero width, soft hyphen), surrogate, private use, unassigned; the
    # tokenizer drops them anyway. U+FFFD marks bytes that could not be decoded.
    return char == "\n" or (unicodedata.category(char)[0] != "C" and char != "\ufffd")


# Estimating the share of a document that occurs in earlier ones.
#
# Broder 1997, section 4: a sixteenth of all shingles, chosen by their hash, is enough for that.
WORDS = 8  # per shingle
ONE_IN = 16  # shingles of which one is sampled
LEAST = 4  # sampled shingles of a document; with fewer, the estimate is too uncertain


def shingles(text: str) -> list[int]:
    """64-bit hashes of the sampled shingles of eight words, ignoring case and punctuation."""
    hashes = shingle_hashes(words_of(text), WORDS)
    # sample by the high bits: the low bits of a product depend only on the low bits of its factors
    return np.unique(hashes[hashes >> np.uint64(60) == 0]).tolist()


class Repeats:
    """A set of the shingles of documents, with about 5 bytes of memory per word of text."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def share(self, found: Collection[int]) -> float:
        """Share of a text's `shingles` that were added before, 0 to 1; 0 if there are too few."""
        if len(found) < LEAST:
            return 0.0
        return sum(one in self._seen for one in found) / len(found)

    def add(self, found: Iterable[int]) -> None:
        """Add the shingles of a text."""
        self._seen.update(found)
