"""Vocabulary audit: unreachable entries, and how well a vocabulary fits a text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Encoding, Tokenizer

from spacy_selectra.errors import SelectraError
from spacy_selectra.text.normalization import CONTINUATION, has_accent, is_reserved
from spacy_selectra.text.tokenizer import (
    SPECIAL_TOKENS,
    entries,
    load_backend,
    load_declared,
    plain_copy,
)

_BATCH = 4096  # distinct words tokenised at a time, to limit memory


@dataclass(frozen=True)
class TextFit:
    """How a vocabulary splits a text.

    A word is a token of the pre-tokenizer with at least one letter or digit.

    Attributes:
        documents: number of documents.
        words: number of words.
        pieces: number of pieces of these words.
        pieces_per_word: `pieces` / `words` ("fertility"; Rust et al. 2021, section 3.2.1).
        whole_words: share of the words that are one piece and not [UNK].
        unknown_pieces: share of all pieces, punctuation included, that are [UNK].
        entries_seen: number of distinct entries that occur.
        most_frequent_unknown: up to ten words that became [UNK], most frequent first.
    """

    documents: int
    words: int
    pieces: int
    pieces_per_word: float
    whole_words: float
    unknown_pieces: float
    entries_seen: int
    most_frequent_unknown: list[str]


@dataclass(frozen=True)
class Audit:
    """The result of `audit_tokenizer`.

    Attributes:
        entries: size of the vocabulary.
        accented: number of entries with an accent, ñ or ü.
        unreachable: entries that no text produces, in the order of their ids.
        repaired_unreachable: how many of these remain when this package loads the tokenizer,
            which keeps accents.
        fit: statistics on a text, if one was given.
    """

    entries: int
    accented: int
    unreachable: list[str]
    repaired_unreachable: int
    fit: TextFit | None = None


def audit_tokenizer(directory: str | Path, texts: Iterable[str] | None = None) -> Audit:
    """Audit a tokenizer as transformers loads it.

    Raises:
        SelectraError: no tokenizer in the directory, or no word in the texts.
    """
    tokenizer = load_declared(directory)
    words = entries(tokenizer)
    unreachable = unreachable_entries(tokenizer)
    remaining = len(unreachable)
    if unreachable and Path(directory).is_dir():
        remaining = len(unreachable_entries(load_backend(directory)))
    return Audit(
        entries=len(words),
        accented=sum(map(has_accent, words)),
        unreachable=unreachable,
        repaired_unreachable=remaining,
        fit=None if texts is None else text_fit(tokenizer, texts),
    )


def text_fit(tokenizer: Tokenizer, texts: Iterable[str]) -> TextFit:
    """Statistics of the pieces of a text; memory grows with the number of distinct words.

    Raises:
        SelectraError: no word in the texts.
    """
    chunks: Counter[str] = Counter()
    documents = 0
    for text in texts:
        documents += 1
        chunks.update(text.split())
    tokenizer = plain_copy(tokenizer)
    unknown = tokenizer.token_to_id("[UNK]")
    words = word_pieces = whole = pieces = unknown_pieces = 0
    seen: set[int] = set()
    unknown_words: Counter[str] = Counter()
    for chunk, encoding in _encoded(tokenizer, list(chunks)):
        count, ids = chunks[chunk], encoding.ids
        seen.update(ids)
        pieces += count * len(ids)
        by_word: dict[int, list[int]] = {}
        for index, word in enumerate(encoding.word_ids):
            by_word.setdefault(word if word is not None else -1, []).append(index)
        for indices in by_word.values():
            start, end = encoding.offsets[indices[0]][0], encoding.offsets[indices[-1]][1]
            if ids[indices[0]] == unknown:
                unknown_pieces += count
                unknown_words[chunk[start:end]] += count
            if any(map(str.isalnum, chunk[start:end])):
                words += count
                word_pieces += count * len(indices)
                whole += count * (len(indices) == 1 and ids[indices[0]] != unknown)
    if not words:
        raise SelectraError("there are no words in the text for the audit")
    return TextFit(
        documents=documents,
        words=words,
        pieces=word_pieces,
        pieces_per_word=word_pieces / words,
        whole_words=whole / words,
        unknown_pieces=unknown_pieces / pieces,
        entries_seen=len(seen),
        most_frequent_unknown=[word for word, _ in unknown_words.most_common(10)],
    )


def _encoded(tokenizer: Tokenizer, chunks: list[str]) -> Iterator[tuple[str, Encoding]]:
    for start in range(0, len(chunks), _BATCH):
        batch = chunks[start : start + _BATCH]
        encodings = tokenizer.encode_batch(batch, add_special_tokens=False)
        yield from zip(batch, encodings, strict=True)


# Finding a text for every entry of a vocabulary.
#
# An entry that no text produces is never trained, as all entries with accents in SELECTRA's
# published checkpoints. An entry counts as reachable only if tokenising some string produces it.
#
# WordPiece matches the longest entry first. So a word that is an entry is one piece. `##x` is a
# piece of the word `q + x` if `q` is an entry at the start of words and no longer entry matches `q`
# and a part of `x`. Such a `q` always exists: no entry is longer than the longest one.
# Normalisation and the splitting at punctuation can still prevent the entry, so the string itself
# is tokenised.
_ATTEMPTS = 24  # strings tokenised per entry, all of them as described above


def unreachable_entries(tokenizer: Tokenizer) -> list[str]:
    """Entries without a text that produces them, in the order of their ids.

    Special tokens, which are inserted by id, and reserved entries such as `[unused1]` count as
    reachable.
    """
    tokenizer = plain_copy(tokenizer)
    words = entries(tokenizer)
    ids = {word: index for index, word in enumerate(words)}
    special = {*SPECIAL_TOKENS, *(t.content for t in tokenizer.get_added_tokens_decoder().values())}
    search = _Search(words)
    open_entries = {
        word: search.strings(word)
        for word in words
        if word not in special and not is_reserved(word)
    }
    for _ in range(_ATTEMPTS):
        trials = {word: next(strings, None) for word, strings in open_entries.items()}
        pairs = [(word, text) for word, text in trials.items() if text is not None]
        encodings = tokenizer.encode_batch_fast(
            [text for _, text in pairs], add_special_tokens=False
        )
        for (word, _), encoding in zip(pairs, encodings, strict=True):
            if encoding.ids and encoding.ids[-1] == ids[word]:
                del open_entries[word]
        if not open_entries or not pairs:
            break
    return [word for word in words if word in open_entries]


class _Search:
    """Candidate strings for an entry, by longest match only."""

    def __init__(self, words: list[str]) -> None:
        self._initial = {word for word in words if not word.startswith(CONTINUATION)}
        starting: dict[str, int] = {}
        for word in self._initial:
            starting[word[:1]] = starting.get(word[:1], 0) + 1
        # Rare letters first, as few longer entries begin with them. Punctuation is left out: the
        # pre-tokenizer splits it off, so no piece continues it.
        prefixes = [word for word in self._initial if word[-1:].isalnum()]
        self._prefixes = sorted(prefixes, key=lambda word: (len(word), starting[word[:1]], word))

    def strings(self, word: str) -> Iterator[str]:
        """Strings whose last piece should be `word`."""
        if not word.startswith(CONTINUATION) or len(word) == len(CONTINUATION):
            return iter((word,))
        return self._words_ending_in(word[len(CONTINUATION) :])

    def _words_ending_in(self, rest: str) -> Iterator[str]:
        for prefix in self._prefixes:
            if self._stays_whole(prefix, rest):
                yield prefix + rest

    def _stays_whole(self, prefix: str, rest: str) -> bool:
        longer = (prefix + rest[:length] for length in range(1, len(rest) + 1))
        return not any(word in self._initial for word in longer)
