"""Text to word pieces: with character offsets for serving, and fast for packing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from spacy_selectra.errors import SelectraError
from spacy_selectra.text.tokenizer import load_tokenizer, plain_copy

# Characters handed to the backend at once. Its encodings hold several hundred bytes a
# piece, so this bounds their memory to some tens of megabytes whatever the batch.
CHARACTERS_PER_CALL = 1 << 18

# transformers writes 1e30 where a tokenizer has no limit.
_NO_LIMIT = 1 << 20


@dataclass(frozen=True)
class Pieces:
    """The pieces of one text, without special pieces.

    Attributes:
        ids: (n,) int64.
        offsets: (n, 2) int64, first character and the one after the last, in the text.
    """

    ids: np.ndarray
    offsets: np.ndarray


class PieceTokenizer:
    """A tokenizer's backend with padding and truncation off, and what frames its sequences.

    A copy is taken: transformers switches padding and truncation on in the backend it was
    called with, and a sequence that is padded unnoticed gives wrong vectors.

    Attributes:
        max_length: most pieces of a sequence, special ones included.
        pad_id: id that fills padded arrays.
        prefix: ids before every sequence, [CLS] in ELECTRA.
        suffix: ids after it, [SEP] in ELECTRA.
    """

    def __init__(self, backend: Tokenizer, max_length: int, pad_id: int = 0) -> None:
        self.backend: Tokenizer = Tokenizer.from_str(backend.to_str())
        self.backend.no_padding()
        self.backend.no_truncation()
        self.max_length = max_length
        self.pad_id = pad_id
        framed = self.backend.encode("a")
        inside = [place for place, special in enumerate(framed.special_tokens_mask) if not special]
        first, last = (inside[0], inside[-1]) if inside else (1, 0)
        self.prefix: list[int] = framed.ids[:first]
        self.suffix: list[int] = framed.ids[last + 1 :]
        vocabulary = self.backend.get_vocab(with_added_tokens=True)
        self._names = [""] * (max(vocabulary.values()) + 1)
        for name, number in vocabulary.items():
            self._names[number] = name

    @property
    def budget(self) -> int:
        """Most pieces of text in one sequence."""
        return self.max_length - len(self.prefix) - len(self.suffix)

    def encode(self, texts: Sequence[str]) -> list[Pieces]:
        """Tokenize every text in a few calls of the backend, which uses all its threads."""
        pieces: list[Pieces] = []
        for group in _groups(texts):
            for encoding in self.backend.encode_batch(group, add_special_tokens=False):
                offsets = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
                pieces.append(Pieces(np.array(encoding.ids, dtype=np.int64), offsets))
        return pieces

    def names(self, ids: Sequence[int]) -> list[str]:
        """The vocabulary's entries for these ids."""
        return [self._names[number] for number in ids]

    def to_dict(self) -> dict[str, Any]:
        """Everything `from_dict` needs, JSON-able."""
        return {
            "definition": self.backend.to_str(),
            "max_length": self.max_length,
            "pad_id": self.pad_id,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PieceTokenizer:
        """Rebuild what `to_dict` described."""
        return cls(Tokenizer.from_str(values["definition"]), values["max_length"], values["pad_id"])


def load_pieces(name: str | Path, options: Mapping[str, Any], config: Any) -> PieceTokenizer:
    """The tokenizer that belongs to an encoder.

    Args:
        name: model directory or hub id.
        options: if any, read by `AutoTokenizer.from_pretrained` with these and nothing
            repaired; else `tokenizer.load_tokenizer`.
        config: the encoder's configuration.

    Raises:
        SelectraError: no tokenizer there, or one without a fast backend.
    """
    tokenizer = _load_tokenizer(name, {k: v for k, v in options.items() if k != "use_fast"})
    length = min(int(min(tokenizer.model_max_length, _NO_LIMIT)), _positions(config))
    return PieceTokenizer(tokenizer.backend_tokenizer, length, tokenizer.pad_token_id or 0)


def _load_tokenizer(name: str | Path, options: Mapping[str, Any]) -> Any:
    if not options:
        return load_tokenizer(name)
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(name), use_fast=True, **options)
    except Exception as error:  # transformers raises OSError, ValueError, KeyError and others
        raise SelectraError(f"{name}: no tokenizer can be loaded ({error})") from error
    if not getattr(tokenizer, "is_fast", False):
        raise SelectraError(
            f"{name}: {type(tokenizer).__name__} has no fast backend, which the alignment "
            "with words needs"
        )
    return tokenizer


def _positions(config: Any) -> int:
    """Longest sequence the position table allows."""
    positions = int(getattr(config, "max_position_embeddings", _NO_LIMIT) or _NO_LIMIT)
    # RoBERTa and its relatives count positions from the padding id on
    if getattr(config, "model_type", "") in ("roberta", "xlm-roberta", "camembert"):
        positions -= int(config.pad_token_id) + 1
    return positions


def _groups(texts: Sequence[str]) -> Iterator[list[str]]:
    """Neighbouring texts, together at most `CHARACTERS_PER_CALL` characters where possible."""
    group: list[str] = []
    characters = 0
    for text in texts:
        if group and characters + len(text) > CHARACTERS_PER_CALL:
            yield group
            group, characters = [], 0
        group.append(text)
        characters += len(text)
    if group:
        yield group


# Text to piece ids, fast: each distinct word is tokenised once.


_CACHE_SIZE = 1 << 20  # words; about 200 MB


class CachedEncoder:
    """Encodes texts without special tokens, remembering the pieces of words seen before.

    WordPiece never looks across a space, so a text's pieces are those of its parts
    between spaces. Names of special tokens in the text ("[SEP]") are ordinary text.

    Args:
        tokenizer: a BERT-like WordPiece tokenizer; it is copied.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = plain_copy(tokenizer)
        self._cache: dict[str, list[int]] = {}

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """The ids of each text, int64, shape (pieces,)."""
        split = [text.split(" ") for text in texts]
        if len(self._cache) > _CACHE_SIZE:
            self._cache.clear()
        cache = self._cache
        unseen = sorted({word for words in split for word in words if word not in cache})
        encodings = self._tokenizer.encode_batch_fast(unseen, add_special_tokens=False)
        for word, encoding in zip(unseen, encodings, strict=True):
            cache[word] = encoding.ids
        result: list[np.ndarray] = []
        for words in split:
            ids: list[int] = []
            for word in words:
                ids += cache[word]
            result.append(np.array(ids, dtype=np.int64))
        return result
