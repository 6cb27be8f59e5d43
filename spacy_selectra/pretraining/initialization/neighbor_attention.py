"""Neighbour attention: initialising heads to attend to the previous or the next piece.

A trained BERT has such heads (Clark et al. 2019, section 3.1), because neighbours are the first
evidence of whether a piece fits. From random weights it takes millions of pieces until heads find
neighbours through learnt positions. Here some heads start with this. The architecture is
unchanged: sinusoidal positions (Vaswani et al. 2017, section 3.5) get some dimensions of the
embedding to themselves. A shift of a sinusoid is a rotation, so a query that is a rotated position
matches the key of the neighbour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.electra import SelectraEncoder

# Share of the embedding's dimensions for positions; the rest is for tokens.
POSITION_SHARE = 0.25
# Attention score of the neighbour. With 16 frequencies its attention weight is about 0.8, so that
# other pieces still get attention and gradients.
SCORE = 10.0
_OFFSETS = (-1, 1, -2, 2)
_SECOND_OFFSETS = (-1, 1)


def position_width(discriminator: EncoderConfig, generator: EncoderConfig) -> int:
    """Number of dimensions for positions: even, as a frequency takes two.

    It is at most the head size of either network.
    """
    heads = (c.hidden_size // c.num_attention_heads for c in (discriminator, generator))
    widest = min(int(discriminator.embedding_size * POSITION_SHARE), *heads)
    return max(2, widest - widest % 2)


def neighbour_plan(layers: int, heads: int) -> list[list[int]]:
    """Offsets that the first heads of each layer attend to; the last layer has none."""
    per_layer = min(heads, len(_OFFSETS))
    offsets = [*_OFFSETS, *(_SECOND_OFFSETS if heads >= len(_OFFSETS) else ())]
    plan = [offsets[i : i + per_layer] for i in range(0, len(offsets), per_layer)]
    return plan[: max(0, layers - 1)]


@torch.no_grad()
def attend_to_neighbours(encoders: Sequence[SelectraEncoder], width: int) -> None:
    """Set positions, projection and some queries and keys of encoders that share embeddings.

    The last `width` columns of the token embeddings should be (almost) zero. Random numbers come
    from torch's global generator.

    Args:
        encoders: discriminator and generator, on the CPU.
        width: dimensions for positions, from `position_width`.
    """
    embeddings = encoders[0].embeddings
    positions = embeddings.position_embeddings.weight
    frequencies = _frequencies(width // 2)
    waves = torch.arange(len(positions))[:, None] * frequencies
    # after LayerNorm, tokens and positions have the same share of the variance
    size = embeddings.word_embeddings.weight.norm(dim=1).mean() / math.sqrt(width // 2)
    positions.zero_()
    positions[:, -width::2] = size * waves.cos()
    positions[:, positions.shape[1] - width + 1 :: 2] = size * waves.sin()
    for encoder in encoders:
        _set_neighbour_heads(encoder, frequencies, width)


def _set_neighbour_heads(encoder: SelectraEncoder, frequencies: Tensor, width: int) -> None:
    config = encoder.config
    size = config.hidden_size // config.num_attention_heads
    select = _project_whole_positions(encoder, width)
    # after LayerNorm the squared norm of a position is E/2; attention divides by sqrt(head size)
    gain = math.sqrt(SCORE * math.sqrt(size) / (config.embedding_size / 2))
    plan = neighbour_plan(config.num_hidden_layers, config.num_attention_heads)
    for layer, offsets in zip(encoder.layers, plan, strict=False):
        weight = layer.get_submodule("qkv").get_parameter("weight")
        for head, offset in enumerate(offsets):
            query = slice(head * size, head * size + width)
            key = slice(config.hidden_size + query.start, config.hidden_size + query.stop)
            weight[query] = gain * _rotation(frequencies * offset) @ select
            weight[key] = gain * select


def _project_whole_positions(encoder: SelectraEncoder, width: int) -> Tensor:
    """Make the projection of embeddings an isometry for positions.

    Returns the (width, H) matrix that extracts them from a hidden state.
    """
    config = encoder.config
    wide, hidden = config.embedding_size, config.hidden_size
    if encoder.embeddings_project is None:
        return torch.eye(wide)[wide - width :]
    weight = encoder.embeddings_project.weight
    if hidden >= wide:
        weight.copy_(_orthogonal(hidden, wide))
    else:
        tokens = torch.zeros(hidden, wide)
        tokens[:width, wide - width :] = torch.eye(width)
        tokens[width:, : wide - width] = _orthogonal(wide - width, hidden - width).T
        weight.copy_(_orthogonal(hidden, hidden) @ tokens)
    return torch.linalg.pinv(weight)[wide - width :]


def _orthogonal(rows: int, columns: int) -> Tensor:
    """Random (rows, columns) with orthonormal columns; rows >= columns."""
    return torch.linalg.qr(torch.randn(rows, columns))[0]


def _rotation(angles: Tensor) -> Tensor:
    """Block-diagonal rotation of pairs (cos, sin) by `angles`: (2k, 2k)."""
    cos, sin = angles.cos(), angles.sin()
    blocks = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
    return torch.block_diag(*blocks)


def _frequencies(count: int) -> Tensor:
    """Angles per position, in radians.

    Three quarters are random up to pi, so that only equal positions match. A quarter are small and
    encode the region of the text.
    """
    slow = count // 4
    fast = torch.rand(count - slow) * math.pi
    return torch.cat([fast, math.pi / torch.logspace(0.7, 2.5, slow)])
