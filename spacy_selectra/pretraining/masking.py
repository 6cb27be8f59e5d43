"""Choosing the pieces the generator has to predict.

Masks are drawn on the CPU from an explicit random generator and not from the device's:
the same seed gives the same masks on every device, and nothing of it has to be read back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_SEQUENCE_BIT, _SPECIAL_BIT = 33, 32


@dataclass(frozen=True)
class MaskedBatch:
    """A packed batch of B sequences and T pieces, M of which are to be predicted.

    Attributes:
        input_ids: (T,) int64, the text as it is.
        masked_ids: (T,) int64, the text as the generator sees it.
        type_ids: (T,) int64, segment of each piece.
        lengths: pieces of each sequence.
        positions: (M,) int64, rows to be predicted, ascending.
        uniforms: (M,) float64 in [0, 1), the random numbers the replacements are drawn with.
    """

    input_ids: Tensor
    masked_ids: Tensor
    type_ids: Tensor
    lengths: list[int]
    positions: Tensor
    uniforms: Tensor

    def to(self, device: torch.device) -> MaskedBatch:
        """The same batch on another device."""
        if device.type == "cpu":
            return self
        return MaskedBatch(
            input_ids=self.input_ids.to(device, non_blocking=True),
            masked_ids=self.masked_ids.to(device, non_blocking=True),
            type_ids=self.type_ids.to(device, non_blocking=True),
            lengths=self.lengths,
            positions=self.positions.to(device, non_blocking=True),
            uniforms=self.uniforms.to(device, non_blocking=True),
        )


class Masker:
    """Draws masks as ELECTRA does (Clark et al. 2020, section 2 and appendix A).

    Of a sequence of n pieces, round(share * n) are chosen, at least one, halves rounded to
    even; [CLS] and [SEP] count in n. They are drawn without replacement (the original code
    may draw a piece twice) and uniformly over the pieces that are no special token, [UNK]
    among these, which the original may mask. The original also takes at most
    floor(share * longest), 76 and not 77 at 512, because its arrays have a fixed shape.

    Args:
        vocab_size: entries of the vocabulary.
        special_ids: pieces that are never chosen.
        mask_id: id of [MASK].
        share: share of pieces to predict.
        mask_token_share: share of these that become [MASK]; the others stay as they are.
    """

    def __init__(
        self,
        vocab_size: int,
        special_ids: Sequence[int],
        mask_id: int,
        share: float = 0.15,
        mask_token_share: float = 0.85,
    ) -> None:
        self.mask_id, self.share, self.mask_token_share = mask_id, share, mask_token_share
        self._special = torch.zeros(vocab_size, dtype=torch.bool)
        self._special[list(special_ids)] = True

    def __call__(
        self,
        input_ids: np.ndarray,
        lengths: np.ndarray,
        type_ids: np.ndarray,
        rng: torch.Generator,
    ) -> MaskedBatch:
        """Mask a packed batch: (T,) ids, (B,) lengths, (T,) segments.

        A sequence of special tokens alone has nothing to predict.
        """
        ids = torch.from_numpy(np.ascontiguousarray(input_ids, dtype=np.int64))
        sizes = torch.from_numpy(np.ascontiguousarray(lengths, dtype=np.int64))
        positions = self.positions(ids, sizes, rng)
        hide = torch.rand(len(positions), generator=rng) < self.mask_token_share
        masked = ids.clone()
        masked[positions[hide]] = self.mask_id
        return MaskedBatch(
            input_ids=ids,
            masked_ids=masked,
            type_ids=torch.from_numpy(np.ascontiguousarray(type_ids, dtype=np.int64)),
            lengths=sizes.tolist(),
            positions=positions,
            uniforms=torch.rand(len(positions), dtype=torch.float64, generator=rng),
        )

    def positions(self, input_ids: Tensor, lengths: Tensor, rng: torch.Generator) -> Tensor:
        """Rows to predict, (M,) ascending, for (T,) ids in sequences of `lengths` (B,).

        One sort does all sequences: the key of a piece is its sequence, then whether it is
        special, then 32 random bits; the first pieces of each sequence are chosen.
        """
        total = len(input_ids)
        sequence = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
        special = self._special[input_ids].to(torch.int64)
        available = lengths - torch.zeros_like(lengths).index_add_(0, sequence, special)
        wanted = torch.round(lengths.to(torch.float64) * self.share).to(torch.int64)
        wanted = torch.minimum(wanted.clamp_(min=1), available)
        noise = torch.randint(1 << _SPECIAL_BIT, (total,), generator=rng)
        keys = (sequence << _SEQUENCE_BIT) | (special << _SPECIAL_BIT) | noise
        order = torch.argsort(keys)
        first = torch.cumsum(lengths, 0) - lengths
        rank = torch.arange(total) - first[sequence]
        return order[rank < wanted[sequence]].sort().values
