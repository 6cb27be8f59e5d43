"""Replaced-token probabilities: by a whole discriminator, or by its head over given vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from spacy_selectra.encoder.batching import length_batches
from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.heads import DiscriminatorHead
from spacy_selectra.encoder.models import Discriminator
from spacy_selectra.encoder.precision import precision

# Pieces computed at once. More gains nothing on a CPU and leaves its caches.
MAX_PIECES = 4096

# Normalised vectors of the right encoder have a mean within some 1e-7 of zero. One step of
# fine-tuning at a learning rate of 1e-4 moves that of some piece by about 1e-5.
_MEAN_TOLERANCE = 1e-5
_FLOAT32_ROUNDING = 2.0**-23
_PIECES_CHECKED = 256


class DetectionHead(nn.Module):
    """A discriminator's head without its encoder, and what tells that encoder from others.

    Args:
        config: shape of the encoder.
        fingerprint: `head_checkpoint.encoder_fingerprint` of the encoder.

    Attributes:
        head: the head.
        norm: a copy of the last LayerNorm of the encoder.
    """

    def __init__(self, config: EncoderConfig, fingerprint: str) -> None:
        super().__init__()
        self.config = config
        self.fingerprint = fingerprint
        self.head = DiscriminatorHead(config)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, hidden: Tensor) -> Tensor:
        """(P, H) vectors of the encoder to (P,) logits; positive means replaced."""
        return self.head(hidden)

    def fits(self, hidden: Tensor) -> bool:
        """Whether (P, H) vectors can come from the encoder this head was trained on.

        An encoder ends in a LayerNorm, h = γ x̂ + β, where x̂ has mean 0 (Ba et al. 2016,
        equation 4). So the mean of (h - β) / γ is 0 up to rounding with the γ and β of the
        encoder that made h, and is not with those of another: fine-tuning moves both. Looks
        at some of the vectors only, in float64.
        """
        if hidden.shape[-1] != self.config.hidden_size:
            return False
        step = max(1, len(hidden) // _PIECES_CHECKED)
        some = hidden[::step].detach().double()
        gain, shift = self.norm.weight.double(), self.norm.bias.double()
        means = ((some - shift) / gain).mean(-1).abs()
        # rounding of h counts for more where γ is small; with γ = 0 nothing can be said
        rounding = _FLOAT32_ROUNDING * (some.abs() / gain.abs()).mean(-1)
        return not bool((means > _MEAN_TOLERANCE + rounding).any())


def piece_probabilities(
    model: Discriminator,
    sequences: Sequence[np.ndarray],
    prefix: Sequence[int] = (),
    suffix: Sequence[int] = (),
) -> list[np.ndarray]:
    """Probability that each piece of each sequence was replaced.

    Sequences are sorted by length and packed into batches of at most `MAX_PIECES` pieces.

    Args:
        model: the discriminator.
        sequences: (n,) int64 ids of each sequence, without special pieces.
        prefix: special pieces to put before each sequence.
        suffix: special pieces to put after it.

    Returns:
        (n,) float32 for each sequence, without the special pieces.
    """
    framed = [np.concatenate([prefix, ids, suffix]).astype(np.int64) for ids in sequences]
    lengths = np.array([len(ids) for ids in framed], dtype=np.int64)
    outputs: list[np.ndarray] = [np.empty(0, dtype=np.float32)] * len(framed)
    device = model.encoder.device
    with torch.inference_mode(), precision("fast", device):
        for batch in length_batches(lengths, MAX_PIECES):
            ids = torch.from_numpy(np.concatenate([framed[place] for place in batch])).to(device)
            logits = model(ids, lengths[batch].tolist())
            ends = np.cumsum(lengths[batch])
            parts = np.split(torch.sigmoid(logits).float().cpu().numpy(), ends[:-1])
            for place, part in zip(batch, parts, strict=True):
                outputs[place] = part[len(prefix) : len(part) - len(suffix)]
    return outputs


def head_probabilities(head: DetectionHead, hidden: Tensor) -> np.ndarray:
    """Probability that each of P pieces was replaced: (P, H) vectors to (P,) float32."""
    device = head.norm.weight.device
    parts = [np.empty(0, dtype=np.float32)]
    with torch.inference_mode(), precision("fast", device):
        for rows in hidden.split(MAX_PIECES):
            logits = head(rows.to(device, torch.float32))
            parts.append(torch.sigmoid(logits).float().cpu().numpy())
    return np.concatenate(parts)


__all__ = ["DetectionHead", "head_probabilities", "piece_probabilities"]
