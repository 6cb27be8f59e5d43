"""The output of an encoder for documents, compatible with spacy-transformers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from spacy.tokens import Doc
from spacy_transformers.data_classes import FullTransformerBatch, TransformerData, WordpieceBatch
from thinc.api import get_array_module, torch2xp, xp2torch
from thinc.types import Ragged
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput
from transformers.utils import ModelOutput

from spacy_selectra.components.transformer.windows import PackedWindows, align, places
from spacy_selectra.encoder.packed_attention import LayerOutputs
from spacy_selectra.text.encode import PieceTokenizer


class SelectraBatch(FullTransformerBatch):
    """A `FullTransformerBatch` without padding between documents.

    Windows are padded only to the longest of the same document. So a document's output is a view
    and does not depend on the batch. The padded arrays of the whole batch (`model_output`,
    `wordpieces`, `align`) are created on access.

    Attributes:
        windows: the encoder's input.
        hidden: (cells, H) vectors at `windows.cells`, zeros elsewhere, numpy or cupy.
        layers: hidden states and attention weights, if requested.
    """

    def __init__(
        self,
        docs: Sequence[Doc],
        windows: PackedWindows,
        hidden: Any,
        tokenizer: PieceTokenizer,
        layers: LayerArrays | None = None,
    ) -> None:
        # no call of super().__init__, since fields of FullTransformerBatch are properties here
        self.spans = windows.spans
        self.windows = windows
        self.hidden = hidden
        self.layers = layers or LayerArrays(windows)
        self._docs = docs
        self._tokenizer = tokenizer

    @cached_property
    def doc_data(self) -> list[TransformerData]:  # type: ignore[override]
        """The output per document; empty for documents without tokens."""
        cells, counts = self._alignment
        tokens = np.cumsum([0, *(len(doc) for doc in self._docs)])
        aligned = np.concatenate(([0], np.cumsum(counts)))
        data = []
        for index, (begin, end) in enumerate(self._windows_of_docs):
            if begin == end:
                data.append(TransformerData.empty())
                continue
            first, last = tokens[index], tokens[index + 1]
            start, stop = self._starts[begin], self._starts[end]
            own = cells[aligned[first] : aligned[last]] - start
            shape = (end - begin, -1, self.hidden.shape[-1])
            output = ModelOutput(last_hidden_state=self.hidden[start:stop].reshape(shape))
            if states := [one[start:stop].reshape(shape) for one in self.layers.hidden_states]:
                output["hidden_states"] = states
            if attentions := self.layers.attentions(begin, end):
                output["attentions"] = attentions
            data.append(
                TransformerData(
                    wordpieces=self._wordpieces(begin, end),
                    model_output=output,
                    align=_ragged(own, counts[first:last]),
                )
            )
        return data

    @cached_property
    def model_output(self) -> BaseModelOutput:  # type: ignore[override]
        """`last_hidden_state`: (windows, longest, H) tensor, zeros at padding; if requested,
        `hidden_states` of the same shape and `attentions` (windows, heads, longest, longest)."""
        states = [self._padded(vectors) for vectors in self.layers.hidden_states]
        weights = [xp2torch(one) for one in self.layers.attentions(0, len(self.windows.lengths))]
        output: Any = BaseModelOutput
        return output(
            last_hidden_state=self._padded(self.hidden),
            hidden_states=tuple(states) or None,
            attentions=tuple(weights) or None,
        )

    @cached_property
    def wordpieces(self) -> WordpieceBatch:  # type: ignore[override]
        """Pieces of all windows, padded to the longest."""
        return self._wordpieces(0, len(self.windows.lengths))

    @cached_property
    def align(self) -> Ragged:  # type: ignore[override]
        """Cells of the padded `model_output` for every token of all documents."""
        rows, counts = align(self._docs, self.windows)
        return _ragged(batch_cells(self.windows)[rows], counts)

    @property
    def cached_doc_data(self) -> list[TransformerData]:  # type: ignore[override]
        """The same as `doc_data`."""
        return self.doc_data

    def split_by_doc(self) -> list[TransformerData]:
        """The same as `doc_data`."""
        return self.doc_data

    def unsplit_by_doc(self, arrays: list[list[Any]]) -> SelectraBatch:
        """Join gradients of documents.

        Args:
            arrays: for each document with tokens, in order, a list with the gradient of its
                `last_hidden_state` as first array.
        """
        parts = [tensors[0].reshape(-1, self.hidden.shape[-1]) for tensors in arrays]
        if not parts:
            gradient = self.hidden[:0]
        else:
            gradient = get_array_module(parts[0]).concatenate(parts)
        return SelectraBatch(self._docs, self.windows, gradient, self._tokenizer)

    @cached_property
    def _alignment(self) -> tuple[np.ndarray, np.ndarray]:
        """Cells of each token's pieces, and number of pieces per token."""
        rows, counts = align(self._docs, self.windows)
        return self.windows.cells[rows], counts

    @cached_property
    def _starts(self) -> np.ndarray:
        """First cell of each window, and the end of the last one."""
        return np.concatenate(([0], np.cumsum(self.windows.widths)))

    @cached_property
    def _ends(self) -> np.ndarray:
        """First piece of each window, and the end of the last one."""
        return np.concatenate(([0], np.cumsum(self.windows.lengths)))

    @property
    def _shape(self) -> tuple[int, int]:
        return len(self.windows.lengths), int(self.windows.lengths.max(initial=0))

    def _padded(self, vectors: Any) -> Tensor:
        """(cells, H) to (windows, longest, H)."""
        count, longest = self._shape
        padded: Any = get_array_module(vectors).zeros(
            (count * longest, vectors.shape[-1]), dtype=vectors.dtype
        )
        padded[batch_cells(self.windows)] = vectors[self.windows.cells]
        return xp2torch(padded.reshape(count, longest, -1))

    @property
    def _windows_of_docs(self) -> Iterable[tuple[int, int]]:
        ends = np.cumsum([0, *self.windows.counts]).tolist()
        return pairwise(ends)

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


def cell_gradient(batch: FullTransformerBatch, windows: PackedWindows) -> Tensor:
    """(cells, H) gradient from a listener's or from padded arrays."""
    if isinstance(batch, SelectraBatch):
        return xp2torch(batch.hidden)
    padded: Any = torch2xp(next(iter(batch.model_output.values())))
    width = padded.shape[-1]
    gradient: Any = get_array_module(padded).zeros((windows.n_cells, width), dtype=padded.dtype)
    gradient[windows.cells] = padded.reshape(-1, width)[batch_cells(windows)]
    return xp2torch(gradient)


def batch_cells(windows: PackedWindows) -> np.ndarray:
    """(T,) int64, cell of each piece with all windows padded to the longest of the batch."""
    return places(windows.lengths, np.full_like(windows.lengths, windows.lengths.max(initial=0)))


def _ragged(cells: np.ndarray, counts: np.ndarray) -> Ragged:
    return Ragged(cells.astype(np.int32), counts.astype(np.int32))  # type: ignore[arg-type]


# Hidden states and attention weights, if requested in the encoder's configuration.


class LayerArrays:
    """Hidden states and attention weights of a batch of windows, if requested.

    They have no gradients, as in spacy-transformers.

    Args:
        windows: the encoder's input.
        config: the encoder's configuration, with `output_hidden_states` and `output_attentions`;
            if None, nothing is stored.

    Attributes:
        wanted: whether anything is stored.
        hidden_states: per layer (cells, H) at `windows.cells`, zeros elsewhere.
    """

    def __init__(self, windows: PackedWindows, config: Any = None) -> None:
        self._windows = windows
        self._keep_states = bool(getattr(config, "output_hidden_states", False))
        self._keep_attentions = bool(getattr(config, "output_attentions", False))
        self.wanted = self._keep_states or self._keep_attentions
        self.hidden_states: list[Any] = []
        # per window: (layers, heads, n, n)
        self._attentions: list[Any] = [None] * len(windows.lengths)

    def add(self, outputs: LayerOutputs, members: np.ndarray, rows: np.ndarray) -> None:
        """Store the requested output of some windows.

        Args:
            outputs: output of the encoder.
            members: (B,) indices of the windows.
            rows: (T,) int64, indices of their pieces.
        """
        if self._keep_states:
            for layer, states in enumerate(outputs.hidden_states):
                vectors: Any = torch2xp(states.detach().float())
                if layer == len(self.hidden_states):
                    xp = get_array_module(vectors)
                    shape = (self._windows.n_cells, vectors.shape[1])
                    self.hidden_states.append(xp.zeros(shape, dtype=vectors.dtype))
                self.hidden_states[layer][self._windows.cells[rows]] = vectors
        if self._keep_attentions:
            weights = torch.stack(outputs.attentions, dim=1).detach()
            for place, window in enumerate(members):
                size = int(self._windows.lengths[window])
                self._attentions[window] = torch2xp(weights[place, ..., :size, :size].contiguous())

    def attentions(self, begin: int, end: int) -> list[Any]:
        """(windows, heads, longest, longest) per layer, zeros at padding."""
        if not self._keep_attentions or begin == end:
            return []
        found = self._attentions[begin:end]
        layers, heads = found[0].shape[:2]
        longest = max(weights.shape[-1] for weights in found)
        xp: Any = get_array_module(found[0])
        shape = (layers, end - begin, heads, longest, longest)
        padded = xp.zeros(shape, dtype=found[0].dtype)
        for place, weights in enumerate(found):
            size = weights.shape[-1]
            padded[:, place, :, :size, :size] = weights
        return list(padded)
