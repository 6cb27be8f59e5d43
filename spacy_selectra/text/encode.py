"""Tokenizing text: with offsets, with segments, and fast for packing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from tokenizers import Encoding, Tokenizer

from spacy_selectra.errors import SelectraError
from spacy_selectra.text.tokenizer import (
    load_tokenizer,
    load_unrepaired,
    plain_copy,
    usable_positions,
    without_batching,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

# Characters per call of the backend. Its encodings take several hundred bytes per piece, so this
# limits memory to some tens of megabytes for any batch.
CHARACTERS_PER_CALL = 1 << 18

# Names of special pieces that are not part of templates.
_ROLES = {"unk_token": ("[UNK]", "<unk>"), "mask_token": ("[MASK]", "<mask>")}

# Maximum length of a text in one call; longer texts are split at spaces.
_CHARACTERS_AT_ONCE = 1 << 14


@dataclass(frozen=True)
class Pieces:
    """The pieces of one text, without special pieces.

    Attributes:
        ids: (n,) int64.
        offsets: (n, 2) int64, first character and the one after the last, in the text.
    """

    ids: np.ndarray
    offsets: np.ndarray


class TypedPieces(NamedTuple):
    """(n,) int64 piece ids and the segment of each (0 or 1), special pieces included."""

    ids: np.ndarray
    types: np.ndarray

    def __len__(self) -> int:
        """Number of pieces, not of fields of the tuple."""
        return len(self.ids)

    def at(self, rows: np.ndarray) -> TypedPieces:
        """The pieces at (n,) int64 indices."""
        return TypedPieces(self.ids[rows], self.types[rows])


@dataclass(frozen=True)
class Template:
    """The special pieces of a tokenizer around one text or a pair of texts.

    A sequence is a left part, `before` and the text, and a right part: `between`, the second text
    and `after` for pairs, only `after` for single texts. For BERT and ELECTRA these are [CLS] text
    [SEP] and [CLS] text [SEP] second [SEP].
    """

    before: TypedPieces
    between: TypedPieces
    after: TypedPieces
    text_type: int
    pair_type: int
    pairs: bool

    @classmethod
    def of(cls, tokenizer: Tokenizer, *, pairs: bool) -> Template:
        """The template of any tokenizer, from an encoded example."""
        encoded = tokenizer.encode("a", "a") if pairs else tokenizer.encode("a")
        special = np.array(encoded.special_tokens_mask, dtype=bool)
        ids, types = np.array(encoded.ids, np.int64), np.array(encoded.type_ids, np.int64)
        text = np.flatnonzero(~special)
        if pairs:
            sequence = np.array(
                [-1 if number is None else number for number in encoded.sequence_ids]
            )
            text, second = np.flatnonzero(sequence == 0), np.flatnonzero(sequence == 1)
        else:
            second = text
        return cls(
            before=TypedPieces(ids[: text[0]], types[: text[0]]),
            between=TypedPieces(ids[text[-1] + 1 : second[0]], types[text[-1] + 1 : second[0]]),
            after=TypedPieces(ids[second[-1] + 1 :], types[second[-1] + 1 :]),
            text_type=int(types[text[0]]),
            pair_type=int(types[second[0]]),
            pairs=pairs,
        )

    @property
    def added(self) -> int:
        """Number of special pieces in a sequence."""
        return len(self.before) + len(self.between) + len(self.after)

    def left(self, text: np.ndarray) -> TypedPieces:
        """The left part: special pieces and the text's ids."""
        types = np.full(len(text), self.text_type, np.int64)
        return TypedPieces(
            np.concatenate([self.before.ids, text]), np.concatenate([self.before.types, types])
        )

    def right(self, pair: np.ndarray | None) -> TypedPieces:
        """The right part: what follows the text, with the second text's ids if there is one."""
        if pair is None:
            return self.after
        types = np.full(len(pair), self.pair_type, np.int64)
        return TypedPieces(
            np.concatenate([self.between.ids, pair, self.after.ids]),
            np.concatenate([self.between.types, types, self.after.types]),
        )


class PieceTokenizer:
    """A tokenizer's backend without padding and truncation, with the special pieces it adds.

    It is copied, because transformers turns on padding and truncation in the backend it uses, and
    unnoticed padding would give wrong vectors.

    Attributes:
        max_length: maximum pieces of a sequence, special ones included.
        pad_id: id of padding.
        prefix: ids before every sequence, [CLS] in ELECTRA.
        suffix: ids after it, [SEP] in ELECTRA.
    """

    def __init__(self, backend: Tokenizer, max_length: int, pad_id: int = 0) -> None:
        self.backend = without_batching(backend)
        self.max_length = max_length
        self.pad_id = pad_id
        template = Template.of(self.backend, pairs=False)
        self.prefix: list[int] = template.before.ids.tolist()
        self.suffix: list[int] = template.after.ids.tolist()
        vocabulary = self.backend.get_vocab(with_added_tokens=True)
        self._names = [""] * (max(vocabulary.values()) + 1)
        for name, number in vocabulary.items():
            self._names[number] = name

    @property
    def budget(self) -> int:
        """Maximum pieces of text in a sequence."""
        return self.max_length - len(self.prefix) - len(self.suffix)

    def encode(self, texts: Sequence[str]) -> list[Pieces]:
        """The pieces of every text; long texts are split at spaces before tokenization."""
        parts = [_parts(text) for text in texts]
        cut = [
            text[begin:end]
            for text, inner in zip(texts, parts, strict=True)
            for begin, end in inner
        ]
        encoded = map(pieces_of, encodings(self.backend, cut))
        joined: list[Pieces] = []
        for inner in parts:
            found = [next(encoded) for _ in inner]
            offsets = [part.offsets + begin for part, (begin, _) in zip(found, inner, strict=True)]
            joined.append(
                Pieces(np.concatenate([part.ids for part in found]), np.concatenate(offsets))
            )
        return joined

    def names(self, ids: Sequence[int]) -> list[str]:
        """The vocabulary's entries for these ids."""
        return [self._names[number] for number in ids]

    def to_dict(self) -> dict[str, Any]:
        """The tokenizer as JSON values, for `from_dict`."""
        return {
            "definition": self.backend.to_str(),
            "max_length": self.max_length,
            "pad_id": self.pad_id,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PieceTokenizer:
        """The tokenizer from the result of `to_dict`."""
        return cls(Tokenizer.from_str(values["definition"]), values["max_length"], values["pad_id"])


def load_pieces(name: str | Path, options: Mapping[str, Any], config: Any) -> PieceTokenizer:
    """The tokenizer that belongs to an encoder.

    Args:
        name: model directory or hub id.
        options: if any, arguments of `AutoTokenizer.from_pretrained`, and nothing is repaired;
            otherwise the tokenizer is loaded by `tokenizer.load_tokenizer`.
        config: the encoder's configuration.

    Raises:
        SelectraError: there is no tokenizer, or it has no fast backend.
    """
    options = {key: value for key, value in options.items() if key != "use_fast"}
    tokenizer: Any = load_unrepaired(name, **options) if options else load_tokenizer(name)
    return pieces_like(tokenizer, config)


def pieces_like(tokenizer: Any, config: Any) -> PieceTokenizer:
    """The `PieceTokenizer` of transformers' tokenizer, for an encoder with this configuration.

    Raises:
        SelectraError: a tokenizer without a fast backend.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise SelectraError("a tokenizer without a fast backend cannot be used here")
    length = int(min(tokenizer.model_max_length, usable_positions(config)))
    return PieceTokenizer(tokenizer.backend_tokenizer, length, tokenizer.pad_token_id or 0)


def transformers_tokenizer(pieces: PieceTokenizer) -> PreTrainedTokenizerFast:
    """transformers' tokenizer with a copy of the same definition.

    Not `ElectraTokenizerFast`, which sets up normalisation anew, and could strip accents.
    """
    from transformers import PreTrainedTokenizerFast

    backend = without_batching(pieces.backend)
    [padding] = pieces.names([pieces.pad_id])
    roles = {"pad_token": padding}
    if pieces.prefix and pieces.suffix:
        roles["cls_token"], roles["sep_token"] = pieces.names([pieces.prefix[0], pieces.suffix[-1]])
    for role, names in _ROLES.items():
        if known := [name for name in names if backend.token_to_id(name) is not None]:
            roles[role] = known[0]
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=pieces.max_length,
        clean_up_tokenization_spaces=False,
        # transformers 5 leaves out the second otherwise
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **roles,
    )


def pieces_of(encoding: Encoding) -> Pieces:
    """Ids and offsets of an encoding."""
    return Pieces(
        np.array(encoding.ids, dtype=np.int64),
        np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2),
    )


def encodings(tokenizer: Tokenizer, texts: Iterable[str]) -> Iterator[Encoding]:
    """The encoding of each text, without special pieces and truncation.

    A few texts are tokenized at a time, enough to use all threads of the backend.

    Raises:
        SelectraError: a text with a lone surrogate, which is not valid in UTF-8.
    """
    for group in _groups(texts):
        try:
            encoded = tokenizer.encode_batch(group, add_special_tokens=False)
        except TypeError as error:  # the backend's error for text that is not UTF-8
            raise SelectraError(
                "a text has half of a surrogate pair and is not valid Unicode; decode it "
                "again from its bytes, or replace such characters"
            ) from error
        yield from encoded


def encode_ids(tokenizer: Tokenizer, texts: Sequence[str]) -> list[np.ndarray]:
    """(n,) int64 piece ids of each text; errors as of `encodings`."""
    return [np.array(one.ids, dtype=np.int64) for one in encodings(tokenizer, texts)]


def join(parts: Sequence[TypedPieces]) -> TypedPieces:
    """Concatenate pieces."""
    return TypedPieces(
        np.concatenate([part.ids for part in parts]), np.concatenate([part.types for part in parts])
    )


def _groups(texts: Iterable[str]) -> Iterator[list[str]]:
    """Consecutive texts with at most `CHARACTERS_PER_CALL` characters in total, if possible."""
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


def _parts(text: str) -> list[tuple[int, int]]:
    """First character of each part and the one after its last; parts begin with white space."""
    parts: list[tuple[int, int]] = []
    begin = 0
    while len(text) - begin > _CHARACTERS_AT_ONCE:
        end = begin + _CHARACTERS_AT_ONCE
        space = max(text.rfind(" ", begin + 1, end), text.rfind("\n", begin + 1, end))
        parts.append((begin, space if space > begin else end))
        begin = parts[-1][1]
    parts.append((begin, len(text)))
    return parts


# Fast tokenization for packing: each distinct word is tokenized once.


_CACHE_SIZE = 1 << 20  # words; about 200 MB


class CachedEncoder:
    """Encodes texts without special tokens, with a cache of words.

    WordPiece does not cross spaces, so a text's pieces are those of its parts between spaces. Names
    of special tokens in the text ("[SEP]") are ordinary text.

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
