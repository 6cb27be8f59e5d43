"""What pretraining has to know of a tokenizer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spacy_selectra.corpus.tokenizer import SPECIAL_TOKENS, load_backend
from spacy_selectra.errors import SelectraError


@dataclass(frozen=True)
class Vocabulary:
    """Size and special pieces of a vocabulary.

    Attributes:
        pieces: the entries, in order of their ids.
        special_ids: ids of the special tokens, never masked.
        mask_id: id of [MASK].
        pad_id: id of [PAD].
    """

    pieces: tuple[str, ...]
    special_ids: tuple[int, ...]
    mask_id: int
    pad_id: int

    @property
    def size(self) -> int:
        """Number of entries."""
        return len(self.pieces)


def read_vocabulary(directory: Path) -> Vocabulary:
    """Read them from a tokenizer directory.

    Raises:
        SelectraError: no tokenizer there, or a special token is missing.
    """
    backend = load_backend(directory)
    ids = {token: backend.token_to_id(token) for token in SPECIAL_TOKENS}
    missing = [token for token, number in ids.items() if number is None]
    if missing:
        raise SelectraError(f"{directory}: the vocabulary has no {', '.join(missing)}")
    entries = backend.get_vocab(with_added_tokens=True)
    return Vocabulary(
        pieces=tuple(sorted(entries, key=entries.__getitem__)),
        special_ids=tuple(ids.values()),
        mask_id=ids["[MASK]"],
        pad_id=ids["[PAD]"],
    )
