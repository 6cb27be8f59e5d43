"""The result of an encoder over documents, packed inside, in spacy-transformers' shape outside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from spacy.tokens import Doc
from spacy_transformers.data_classes import FullTransformerBatch, TransformerData, WordpieceBatch
from thinc.api import get_array_module, torch2xp, xp2torch
from thinc.types import Ragged
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput
from transformers.utils import ModelOutput

from spacy_selectra.components.alignment import align
from spacy_selectra.components.tokenization import PieceTokenizer
from spacy_selectra.components.windows import Windows


class SelectraBatch(FullTransformerBatch):
    """A `FullTransformerBatch` that stays packed until somebody asks for padded arrays.

    `doc_data` pads each document to its own longest window: a document of one window, the
    usual case, is a view of the packed result, and what a document gets does not depend on
    its batch. The padded arrays of the whole batch (`model_output`, `wordpieces`, `align`)
    are made only when they are read.

    Attributes:
        windows: what was encoded.
        hidden: (T, H) vectors of the packed pieces, numpy or cupy.
    """

    def __init__(
        self, docs: Sequence[Doc], windows: Windows, hidden: Any, tokenizer: PieceTokenizer
    ) -> None:
        # FullTransformerBatch's own fields are properties here, so its __init__ is not called
        self.spans = windows.spans
        self.windows = windows
        self.hidden = hidden
        self._docs = docs
        self._tokenizer = tokenizer

    @cached_property
    def doc_data(self) -> list[TransformerData]:  # type: ignore[override]
        """The result of each document; empty where a document has no tokens."""
        rows, counts = self._alignment
        ends = np.cumsum([0, *(len(doc) for doc in self._docs)])
        places = np.concatenate(([0], np.cumsum(counts)))
        data = []
        for index, (begin, end) in enumerate(self._windows_of_docs):
            if begin == end:
                data.append(TransformerData.empty())
                continue
            first, last = ends[index], ends[index + 1]
            aligned = rows[places[first] : places[last]]
            data.append(self._one_doc(begin, end, aligned, counts[first:last]))
        return data

    @cached_property
    def model_output(self) -> BaseModelOutput:  # type: ignore[override]
        """`last_hidden_state`: torch tensor (windows, longest, H), zeros at padding."""
        padded = pad(self.hidden, self.windows.lengths)
        return BaseModelOutput(last_hidden_state=xp2torch(padded))  # type: ignore[arg-type]

    @cached_property
    def wordpieces(self) -> WordpieceBatch:  # type: ignore[override]
        """Pieces of all windows, padded to the longest."""
        return self._wordpieces(0, len(self.windows.lengths))

    @cached_property
    def align(self) -> Ragged:  # type: ignore[override]
        """Cells of the padded `model_output` for every token of all documents."""
        rows, counts = self._alignment
        return _ragged(padded_cells(self.windows.lengths)[rows], counts)

    @property
    def cached_doc_data(self) -> list[TransformerData]:  # type: ignore[override]
        """The same as `doc_data`."""
        return self.doc_data

    def split_by_doc(self) -> list[TransformerData]:
        """The same as `doc_data`."""
        return self.doc_data

    def unsplit_by_doc(self, arrays: list[list[Any]]) -> SelectraBatch:
        """Pack gradients that came back by document.

        Args:
            arrays: for each document that has tokens, in order, a list whose first array
                has the shape of its `last_hidden_state`.
        """
        sizes = [self.windows.lengths[begin:end] for begin, end in self._windows_of_docs]
        present = [lengths for lengths in sizes if len(lengths)]
        parts = [
            unpad(tensors[0], lengths) for tensors, lengths in zip(arrays, present, strict=True)
        ]
        xp = get_array_module(parts[0]) if parts else np
        gradient = xp.concatenate(parts) if parts else self.hidden[:0]
        return SelectraBatch(self._docs, self.windows, gradient, self._tokenizer)

    @cached_property
    def _alignment(self) -> tuple[np.ndarray, np.ndarray]:
        return align(self._docs, self.windows)

    @cached_property
    def _ends(self) -> np.ndarray:
        return np.concatenate(([0], np.cumsum(self.windows.lengths)))

    @property
    def _windows_of_docs(self) -> Iterable[tuple[int, int]]:
        ends = np.cumsum([0, *self.windows.counts]).tolist()
        return pairwise(ends)

    def _one_doc(
        self, begin: int, end: int, rows: np.ndarray, counts: np.ndarray
    ) -> TransformerData:
        start = self._ends[begin]
        lengths = self.windows.lengths[begin:end]
        hidden = pad(self.hidden[start : self._ends[end]], lengths)
        cells = rows - start if end - begin == 1 else padded_cells(lengths)[rows - start]
        return TransformerData(
            wordpieces=self._wordpieces(begin, end),
            model_output=ModelOutput(last_hidden_state=hidden),
            align=_ragged(cells, counts),
        )

    def _wordpieces(self, begin: int, end: int) -> WordpieceBatch:
        lengths = self.windows.lengths[begin:end]
        longest = int(lengths.max(initial=0))
        ids = np.full((end - begin, longest), self._tokenizer.pad_id, dtype=np.int64)
        mask = np.arange(longest)[None, :] < lengths[:, None]
        ids[mask] = self.windows.ids[self._ends[begin] : self._ends[end]]
        return WordpieceBatch(
            strings=[self._tokenizer.names(row) for row in ids.tolist()],
            input_ids=ids,  # type: ignore[arg-type]
            attention_mask=mask.astype(np.float32),  # type: ignore[arg-type]
            lengths=lengths.tolist(),
            token_type_ids=np.zeros_like(ids),  # type: ignore[arg-type]
        )


def packed_gradient(batch: FullTransformerBatch, lengths: np.ndarray) -> Tensor:
    """(T, H) gradient of the packed vectors out of what a listener sent back."""
    if isinstance(batch, SelectraBatch):
        return xp2torch(batch.hidden)
    padded = next(iter(batch.model_output.values()))
    return xp2torch(unpad(torch2xp(padded), lengths))


def padded_cells(lengths: np.ndarray) -> np.ndarray:
    """(T,) int64, cell of each packed row when windows are padded to the longest one."""
    longest = int(lengths.max(initial=0))
    ends = np.cumsum(lengths)
    places = np.arange(lengths.sum()) - np.repeat(ends - lengths, lengths)
    return np.repeat(np.arange(len(lengths)) * longest, lengths) + places


def pad(packed: Any, lengths: np.ndarray) -> Any:
    """(T, H) rows to (windows, longest, H), zeros at padding; a view if there is none."""
    count, longest, width = len(lengths), int(lengths.max(initial=0)), packed.shape[-1]
    if count * longest == packed.shape[0]:
        return packed.reshape(count, longest, width)
    padded = get_array_module(packed).zeros((count * longest, width), dtype=packed.dtype)
    padded[padded_cells(lengths)] = packed
    return padded.reshape(count, longest, width)


def unpad(padded: Any, lengths: np.ndarray) -> Any:
    """(windows, longest, H) to the (T, H) rows that are no padding."""
    flat = padded.reshape(-1, padded.shape[-1])
    return flat if flat.shape[0] == lengths.sum() else flat[padded_cells(lengths)]


def _ragged(cells: np.ndarray, counts: np.ndarray) -> Ragged:
    return Ragged(cells.astype(np.int32), counts.astype(np.int32))  # type: ignore[arg-type]
