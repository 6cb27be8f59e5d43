"""What an encoder gives beside its vectors, if its configuration asks for it: the vectors between
layers and the attention weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from thinc.api import get_array_module, torch2xp

from spacy_selectra.components.transformer.windows import PackedWindows
from spacy_selectra.encoder.packed_attention import LayerOutputs


class LayerArrays:
    """Hidden states and attention weights of a batch of windows; none unless asked for.

    No gradient passes through them, as in spacy-transformers.

    Args:
        windows: what is encoded.
        config: the encoder's configuration; its `output_hidden_states` and `output_attentions`
            say what to keep. Nothing without one.

    Attributes:
        wanted: whether anything is kept.
        hidden_states: of each layer (cells, H) at `windows.cells`, zeros elsewhere.
    """

    def __init__(self, windows: PackedWindows, config: Any = None) -> None:
        self._windows = windows
        self._keep_states = bool(getattr(config, "output_hidden_states", False))
        self._keep_attentions = bool(getattr(config, "output_attentions", False))
        self.wanted = self._keep_states or self._keep_attentions
        self.hidden_states: list[Any] = []
        # of each window: (layers, heads, n, n)
        self._attentions: list[Any] = [None] * len(windows.lengths)

    def add(self, outputs: LayerOutputs, members: np.ndarray, rows: np.ndarray) -> None:
        """Keep what was asked for of some windows.

        Args:
            outputs: of the encoder.
            members: (B,) which windows, in the order of the batch.
            rows: (T,) int64, their pieces.
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
        """Of each layer (windows, heads, longest, longest), zeros where there is padding."""
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
