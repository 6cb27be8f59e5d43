"""Text to piece ids, fast: each distinct word is tokenised once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tokenizers import Tokenizer

from spacy_selectra.corpus.tokenizer import plain_copy

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
