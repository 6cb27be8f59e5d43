"""Training the WordPiece vocabulary.

The defaults are SELECTRA's: `min_frequency` 2, at most 1,000 characters in the
alphabet, seed 43 for the random share of the corpus (a half there).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tokenizers import Tokenizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.trainers import WordPieceTrainer

from spacy_selectra.corpus.audit import unreachable_entries
from spacy_selectra.corpus.documents import Document
from spacy_selectra.corpus.holdout import is_heldout, text_key, uniform
from spacy_selectra.errors import SelectraError
from spacy_selectra.text.normalization import CONTINUATION, normalizer
from spacy_selectra.text.tokenizer import SPECIAL_TOKENS, make_tokenizer, wordpiece


@dataclass(frozen=True)
class VocabularySettings:
    """Settings of vocabulary training.

    Attributes:
        size: number of entries, special tokens included.
        min_frequency: lowest frequency of a pair of pieces that is merged.
        limit_alphabet: maximum number of characters; the most frequent ones are kept, and words
            with others become [UNK].
        share: share of the documents to train on, chosen at random.
        seed: of that choice.
        heldout: share of held-out documents, which are not used; the same as in packing.
    """

    size: int = 16_000
    min_frequency: int = 2
    limit_alphabet: int = 1_000
    share: float = 1.0
    seed: int = 43
    heldout: float = 0.01


@dataclass(frozen=True)
class TrainedVocabulary:
    """A tokenizer and statistics of its training.

    Attributes:
        tokenizer: for `save_tokenizer`.
        documents: number of documents used.
        characters: number of characters in them.
        alphabet: number of distinct characters kept.
        dropped_characters: number of distinct characters beyond `limit_alphabet`.
        notices: messages for the user.
    """

    tokenizer: Tokenizer
    documents: int
    characters: int
    alphabet: int
    dropped_characters: int
    notices: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Number of entries."""
        return self.tokenizer.get_vocab_size()


def train_vocabulary(
    read: Callable[[], Iterator[Document]],
    settings: VocabularySettings,
    progress: Callable[[int], None] = lambda documents: None,
) -> TrainedVocabulary:
    """Train a vocabulary; equal texts and settings give an equal vocabulary.

    Args:
        read: starts reading the corpus; called twice (alphabet, then pieces).
        settings: settings of the training.
        progress: called with the number of documents read since the last call.

    Raises:
        SelectraError: settings out of range, no usable document, or a size smaller than the
            alphabet.
    """
    _check(settings)
    empty: Any = Tokenizer(wordpiece({"[UNK]": 0}))
    empty.normalizer = normalizer()
    empty.pre_tokenizer = BertPreTokenizer()
    counter = AlphabetCounter(empty)
    documents = characters = 0
    for text in _selected(read(), settings, progress):
        counter.add(text)
        documents += 1
        characters += len(text)
    if not characters:
        raise SelectraError("no text to train a vocabulary on (all documents empty or held out)")
    initial, inside = counter.initial(), counter.inside()
    alphabet = _alphabet(initial, inside, settings.limit_alphabet)
    continuing = [CONTINUATION + char for char in alphabet if char in inside]
    basis = [*SPECIAL_TOKENS, *alphabet, *continuing]
    if settings.size < len(basis):
        raise SelectraError(
            f"a vocabulary of {settings.size} is too small for the {len(basis)} entries of the "
            "alphabet: use a larger --size or a smaller --limit-alphabet"
        )
    # Numbering the characters beforehand (as "special" tokens) makes training deterministic.
    # Otherwise the trainer numbers continuing characters in the order of a hash table with a
    # random seed, and the numbers decide between pairs of equal frequency. The surplus replaces
    # entries that turn out to be unreachable.
    trainer = WordPieceTrainer(
        vocab_size=settings.size + max(32, settings.size // 100),
        min_frequency=settings.min_frequency,
        limit_alphabet=len(alphabet),
        initial_alphabet=alphabet,
        special_tokens=basis,
        show_progress=False,
    )
    empty.train_from_iterator(_selected(read(), settings, progress), trainer)
    ids = empty.get_vocab(with_added_tokens=False)
    tokenizer = reachable_only(sorted(ids, key=ids.__getitem__), settings.size)
    notices = []
    if tokenizer.get_vocab_size() < settings.size:
        notices.append(
            f"the text is enough for {tokenizer.get_vocab_size():,} entries only, "
            f"not {settings.size:,}"
        )
    return TrainedVocabulary(
        tokenizer,
        documents,
        characters,
        len(alphabet),
        len(initial.keys() | inside.keys()) - len(alphabet),
        notices,
    )


def _check(settings: VocabularySettings) -> None:
    if settings.size < len(SPECIAL_TOKENS) + 1:
        raise SelectraError(f"size must be at least {len(SPECIAL_TOKENS) + 1}")
    if settings.min_frequency < 1 or settings.limit_alphabet < 1:
        raise SelectraError("min_frequency and limit_alphabet must be at least 1")
    if not 0.0 < settings.share <= 1.0:
        raise SelectraError(f"share must be above 0 and at most 1 (found {settings.share})")
    if not 0.0 <= settings.heldout < 1.0:
        raise SelectraError(f"heldout must be at least 0 and below 1 (found {settings.heldout})")


def _selected(
    documents: Iterator[Document], settings: VocabularySettings, progress: Callable[[int], None]
) -> Iterator[str]:
    for document in documents:
        progress(1)
        text = document.text
        if settings.share < 1.0:
            draw = uniform(text_key(text), "vocabulary", settings.seed)
            if draw >= settings.share:
                continue
        if not is_heldout(text, settings.heldout):
            yield text


def _alphabet(initial: dict[str, int], inside: dict[str, int], limit: int) -> list[str]:
    total = {
        char: initial.get(char, 0) + inside.get(char, 0) for char in initial.keys() | inside.keys()
    }
    frequent = sorted(total, key=lambda char: (-total[char], char))[:limit]
    return sorted(frequent)


def reachable_only(words: list[str], size: int) -> Tokenizer:
    """A tokenizer with the first `size` reachable entries; each pass replaces unreachable ones.

    Args:
        words: entries in the order of their ids, the special tokens first.
        size: maximum number of entries.
    """
    while True:
        tokenizer = make_tokenizer(words[:size])
        never = set(unreachable_entries(tokenizer))
        if not never:
            return tokenizer
        words = [word for word in words if word not in never]


# Counting the characters of a corpus by position: at the start of a word or inside of one.


_CHARACTERS_AT_A_TIME = 1 << 21  # characters counted at a time
_OUTSIDE, _ISOLATED, _INSIDE, _UNKNOWN = 0, 1, 2, 255


class AlphabetCounter:
    """Counts characters at the start and inside of words, in constant memory.

    Args:
        tokenizer: its normalizer and pre-tokenizer split text into words.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._kinds = np.full(0x110000, _UNKNOWN, dtype=np.uint8)
        self._initial = np.zeros(0x110000, dtype=np.int64)
        self._inside = np.zeros(0x110000, dtype=np.int64)
        self._pending: list[str] = []
        self._pending_size = 0

    def add(self, text: str) -> None:
        """Count a text."""
        self._pending.append(text)
        self._pending_size += len(text)
        if self._pending_size >= _CHARACTERS_AT_A_TIME:
            self._flush()

    def initial(self) -> dict[str, int]:
        """Number of words (or single punctuation marks) that start with each character."""
        self._flush()
        return {chr(i): int(self._initial[i]) for i in np.flatnonzero(self._initial)}

    def inside(self) -> dict[str, int]:
        """How often each character occurs inside words, after the first character."""
        self._flush()
        return {chr(i): int(self._inside[i]) for i in np.flatnonzero(self._inside)}

    def _flush(self) -> None:
        if not self._pending:
            return
        normalizer = self._tokenizer.normalizer
        assert normalizer is not None
        text = " ".join(normalizer.normalize_str(text) for text in self._pending) + " "
        self._pending, self._pending_size = [], 0
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        kinds = self._kinds[codes]
        if (kinds == _UNKNOWN).any():
            self._classify(np.unique(codes[kinds == _UNKNOWN]))
            kinds = self._kinds[codes]
        follows = np.zeros(len(codes), dtype=bool)
        follows[1:] = (kinds[1:] == _INSIDE) & (kinds[:-1] == _INSIDE)
        starts = (kinds != _OUTSIDE) & ~follows
        for counts, where in ((self._initial, starts), (self._inside, follows)):
            values, numbers = np.unique(codes[where], return_counts=True)
            counts[values] += numbers

    def _classify(self, codes: Iterable[int]) -> None:
        pre_tokenizer = self._tokenizer.pre_tokenizer
        assert pre_tokenizer is not None
        for code in codes:
            words = [word for word, _ in pre_tokenizer.pre_tokenize_str(f"a{chr(code)}a")]
            kinds = {1: _INSIDE, 2: _OUTSIDE, 3: _ISOLATED}
            self._kinds[code] = kinds[len(words)]
