"""From texts to packed batches: tokenised once, special pieces added, cut to length."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from spacy_selectra.errors import SelectraError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Texts tokenised in one call: enough to occupy all threads, few enough that the
# tokenizer's bulky intermediate objects stay small.
TEXTS_PER_CALL = 1024


class Pieces(NamedTuple):
    """(n,) int64 piece ids and the segment of each."""

    ids: np.ndarray
    types: np.ndarray

    def __len__(self) -> int:
        """Number of pieces; counts pieces, not fields of the tuple."""
        return len(self.ids)


@dataclass(frozen=True)
class Template:
    """The pieces a tokenizer puts around one text or around each text of a pair.

    A sequence is a left part, `before` and the text, and a right part: `between`, the second
    text and `after` for pairs, `after` alone for single texts. For BERT and ELECTRA that is
    [CLS] text [SEP] and [CLS] text [SEP] second [SEP].
    """

    before: Pieces
    between: Pieces
    after: Pieces
    text_type: int
    pair_type: int
    pairs: bool

    @classmethod
    def of(cls, tokenizer: Tokenizer, *, pairs: bool) -> Template:
        """Read the template off an encoded example, whatever post-processor the tokenizer has."""
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
            before=Pieces(ids[: text[0]], types[: text[0]]),
            between=Pieces(ids[text[-1] + 1 : second[0]], types[text[-1] + 1 : second[0]]),
            after=Pieces(ids[second[-1] + 1 :], types[second[-1] + 1 :]),
            text_type=int(types[text[0]]),
            pair_type=int(types[second[0]]),
            pairs=pairs,
        )

    @property
    def added(self) -> int:
        """Number of special pieces in a sequence."""
        return len(self.before) + len(self.between) + len(self.after)

    def left(self, text: np.ndarray) -> Pieces:
        """The left part: special pieces and the text's ids."""
        types = np.full(len(text), self.text_type, np.int64)
        return Pieces(
            np.concatenate([self.before.ids, text]), np.concatenate([self.before.types, types])
        )

    def right(self, pair: np.ndarray | None) -> Pieces:
        """The right part: what follows the text, with the second text's ids if there is one."""
        if pair is None:
            return self.after
        types = np.full(len(pair), self.pair_type, np.int64)
        return Pieces(
            np.concatenate([self.between.ids, pair, self.after.ids]),
            np.concatenate([self.between.types, types, self.after.types]),
        )


def tokenize(tokenizer: Tokenizer, texts: Sequence[str]) -> list[np.ndarray]:
    """Piece ids of each text, (n,) int64, without special pieces and without truncation.

    Raises:
        SelectraError: a text with a lone surrogate, which no UTF-8 can hold.
    """
    ids: list[np.ndarray] = []
    for begin in range(0, len(texts), TEXTS_PER_CALL):
        chunk = list(texts[begin : begin + TEXTS_PER_CALL])
        try:
            encoded = tokenizer.encode_batch(chunk, add_special_tokens=False)
        except TypeError as error:  # what the backend says of anything that is not UTF-8
            raise SelectraError(
                "a text holds half of a surrogate pair and is no valid Unicode; decode it "
                "anew from its bytes, or replace such characters"
            ) from error
        ids.extend(np.array(encoding.ids, dtype=np.int64) for encoding in encoded)
    return ids


def longest_first(text: int, pair: int, room: int) -> tuple[int, int]:
    """How many pieces of a text and of its pair are kept so that both fit into `room`.

    The longer one is cut until both are equal, then both: transformers' "longest_first".
    """
    if text + pair <= room:
        return text, pair
    shorter = min(text, pair, room // 2)
    return (room - shorter, shorter) if text > pair else (shorter, room - shorter)


class Features(NamedTuple):
    """Tokenised examples.

    Attributes:
        sequences: whole sequences with their special pieces.
        truncated: how many had to be cut.
    """

    sequences: list[Pieces]
    truncated: int


def build_features(
    tokenizer: Tokenizer, texts: Sequence[str], pairs: Sequence[str] | None, max_length: int
) -> Features:
    """Tokenise texts, or pairs of texts, and cut each to `max_length` pieces.

    Raises:
        SelectraError: `max_length` leaves no room beside the special pieces.
    """
    template = Template.of(tokenizer, pairs=pairs is not None)
    room = max_length - template.added
    if room < 1 + template.pairs:
        raise SelectraError(f"max_length {max_length} leaves no room for text")
    firsts = tokenize(tokenizer, texts)
    seconds: Iterable[np.ndarray | None]
    seconds = tokenize(tokenizer, pairs) if pairs is not None else [None] * len(firsts)
    sequences, truncated = [], 0
    for first, second in zip(firsts, seconds, strict=True):
        length = 0 if second is None else len(second)
        keep, keep_pair = longest_first(len(first), length, room)
        truncated += keep + keep_pair < len(first) + length
        left = template.left(first[:keep])
        right = template.right(None if second is None else second[:keep_pair])
        sequences.append(join([left, right]))
    return Features(sequences, truncated)


def join(parts: Sequence[Pieces]) -> Pieces:
    """One after the other."""
    return Pieces(
        np.concatenate([part.ids for part in parts]), np.concatenate([part.types for part in parts])
    )


def packed(parts: Sequence[Pieces], device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """Sequences as one packed batch: (T,) ids and (T,) segments."""
    joined = join(parts)
    return torch.from_numpy(joined.ids).to(device), torch.from_numpy(joined.types).to(device)
