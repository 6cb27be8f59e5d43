"""Masking: choosing the pieces that the generator has to predict.

The random numbers of a sequence depend only on the seed and its number in the run. So masks are
the same on every device and for any number of accumulation steps, threads or processes, and a
resumed run needs no random state for them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from spacy_selectra.encoder.cpu.linear import few_sizes_pay
from spacy_selectra.encoder.layout import PackedLayout

_SEQUENCE_BIT, _SPECIAL_BIT = 33, 32
_WORDS = 4  # 64-bit words in a block of Philox
_UNIT = 2.0**-53


@dataclass(frozen=True)
class MaskedBatch:
    """A packed batch of B sequences and T pieces, M of which are to be predicted.

    Attributes:
        input_ids: (T,) int64, the original text.
        masked_ids: (T,) int64, the input of the generator.
        type_ids: (T,) int64, segment of each piece.
        lengths: pieces of each sequence.
        positions: (M,) int64, rows to be predicted, ascending.
        uniforms: (M,) float64 in [0, 1), the random numbers for sampling replacements.
    """

    input_ids: Tensor
    masked_ids: Tensor
    type_ids: Tensor
    lengths: list[int]
    positions: Tensor
    uniforms: Tensor

    @cached_property
    def layout(self) -> PackedLayout:
        """Layout on the device of the pieces, for the precision in effect."""
        device = self.input_ids.device
        few_sizes = device.type == "cpu" and few_sizes_pay()
        return PackedLayout.from_lengths(self.lengths, device, few_sizes)

    def to(self, device: torch.device) -> MaskedBatch:
        """The same batch on another device."""
        if device.type == "cpu":
            return self
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin(self) -> MaskedBatch:
        """The same batch in pinned memory."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> MaskedBatch:
        tensors = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        changed = replace(self, **{name: change(tensor) for name, tensor in tensors.items()})
        # GPUs need a layout without padding rows: `pin` makes it, `to` moves it along
        pinned = self.input_ids.is_pinned() and "layout" in self.__dict__
        layout = self.layout if pinned else PackedLayout.from_lengths(self.lengths)
        changed.__dict__["layout"] = layout.each(change)
        return changed


class Masker:
    """Draws masks as ELECTRA does (Clark et al. 2020, section 2 and appendix A).

    Of a sequence of n pieces, [CLS] and [SEP] included, round(share * n) are chosen, halves
    rounded to even, and at least one. They are drawn uniformly and without replacement from the
    pieces other than special tokens. There are three differences to the original code: it may
    draw a piece twice, it may mask [UNK], and it takes at most floor(share * longest) pieces (76
    instead of 77 at 512), because its arrays have a fixed shape.

    Args:
        vocab_size: entries of the vocabulary.
        special_ids: pieces that are never chosen.
        mask_id: id of [MASK].
        share: share of pieces to predict.
        mask_token_prob: share of these that become [MASK]; the others stay as they are.
        seed: of all random choices.
        longest: pieces of the longest possible sequence; changing it changes every mask.
    """

    def __init__(
        self,
        vocab_size: int,
        special_ids: Sequence[int],
        mask_id: int,
        share: float = 0.15,
        mask_token_prob: float = 0.85,
        seed: int = 0,
        longest: int = 512,
    ) -> None:
        self.seed, self.longest = seed, longest
        self.mask_id, self.share, self.mask_token_prob = mask_id, share, mask_token_prob
        self._special = torch.zeros(vocab_size, dtype=torch.bool)
        self._special[list(special_ids)] = True

    def with_seed(self, seed: int) -> Masker:
        """A copy with another seed."""
        other = copy.copy(self)
        other.seed = seed
        return other

    def __call__(
        self, input_ids: np.ndarray, lengths: np.ndarray, type_ids: np.ndarray, first: int = 0
    ) -> MaskedBatch:
        """Mask a packed batch: (T,) ids, (B,) lengths, (T,) segments.

        Nothing is masked in a sequence of special tokens only.

        Args:
            input_ids: the pieces.
            lengths: pieces of each sequence, at most `longest`.
            type_ids: segment of each piece.
            first: number of the first sequence in the run; the others are consecutive.

        Raises:
            ValueError: a sequence longer than `longest`.
        """
        ids = torch.from_numpy(np.ascontiguousarray(input_ids, dtype=np.int64))
        sizes = torch.from_numpy(np.ascontiguousarray(lengths, dtype=np.int64))
        order, draws = self._noise(np.asarray(lengths), first)
        positions = self._positions(ids, sizes, order >> 32)
        hide = (order[positions] & 0xFFFFFFFF) < self.mask_token_prob * (1 << 32)
        masked = ids.clone()
        masked[positions[hide]] = self.mask_id
        return MaskedBatch(
            input_ids=ids,
            masked_ids=masked,
            type_ids=torch.from_numpy(np.ascontiguousarray(type_ids, dtype=np.int64)),
            lengths=sizes.tolist(),
            positions=positions,
            uniforms=draws[positions].to(torch.float64) * _UNIT,
        )

    def _noise(self, lengths: np.ndarray, first: int) -> tuple[Tensor, Tensor]:
        """Random bits of every piece: 63 for masking, 53 for sampling the replacement.

        Philox is a counter-based generator (Salmon et al. 2011), which can start anywhere in its
        stream. Every sequence has a fixed part of the stream, by its number in the run.
        """
        if len(lengths) and lengths.max() > self.longest:
            raise ValueError(f"a sequence has {lengths.max()} pieces, more than {self.longest}")
        blocks = -(-2 * self.longest // _WORDS)
        source = np.random.Philox(key=self.seed, counter=first * blocks)
        bits = source.random_raw(len(lengths) * blocks * _WORDS).reshape(len(lengths), -1)
        present = np.arange(self.longest) < lengths[:, None]
        order = bits[:, : self.longest][present] >> np.uint64(1)
        draws = bits[:, self.longest : 2 * self.longest][present] >> np.uint64(11)
        return torch.from_numpy(order.view(np.int64)), torch.from_numpy(draws.view(np.int64))

    def _positions(self, input_ids: Tensor, lengths: Tensor, noise: Tensor) -> Tensor:
        """Rows to predict, (M,) ascending, for (T,) ids in sequences of `lengths` (B,).

        A single sort handles all sequences. Keys are, from the highest bits: sequence, whether
        the piece is special, 31 bits of noise. The first pieces of each sequence are chosen.
        """
        total = len(input_ids)
        sequence = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
        special = self._special[input_ids].to(torch.int64)
        available = lengths - torch.zeros_like(lengths).index_add_(0, sequence, special)
        wanted = torch.round(lengths.to(torch.float64) * self.share).to(torch.int64)
        wanted = torch.minimum(wanted.clamp_(min=1), available)
        keys = (sequence << _SEQUENCE_BIT) | (special << _SPECIAL_BIT) | noise
        order = torch.argsort(keys)
        first = torch.cumsum(lengths, 0) - lengths
        rank = torch.arange(total) - first[sequence]
        return order[rank < wanted[sequence]].sort().values
