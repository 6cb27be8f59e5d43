"""Initial attention that looks at neighbours.

A trained BERT has heads for the previous and the next piece (Clark et al. 2019, section 3.1), and
what stands next to a piece is the first thing that tells whether it fits. From random weights it
takes millions of pieces until heads find their neighbours through learnt positions; here some of
them start there. Nothing in the architecture changes: sinusoidal positions (Vaswani et al. 2017,
section 3.5) get a part of the embedding to themselves, and as a shift of a sinusoid is a rotation,
a query that is the rotated position finds the key of its neighbour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.electra import SelectraEncoder

# Of the width of an embedding; the rest is the token's.
POSITION_SHARE = 0.25
# Attention score of the neighbour sought. With 16 frequencies it gets about 0.8 of the attention,
# which leaves the rest, and the gradients, something to do.
SCORE = 10.0
_OFFSETS = (-1, 1, -2, 2)
_SECOND_OFFSETS = (-1, 1)


def position_width(discriminator: EncoderConfig, generator: EncoderConfig) -> int:
    """Columns of the embeddings that positions get to themselves; even, as a frequency needs two.

    No more than a head of either network can compare.
    """
    heads = (c.hidden_size // c.num_attention_heads for c in (discriminator, generator))
    widest = min(int(discriminator.embedding_size * POSITION_SHARE), *heads)
    return max(2, widest - widest % 2)


def neighbour_plan(layers: int, heads: int) -> list[list[int]]:
    """Which offsets the first heads of the first layers look at; the last layer stays free."""
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
        width: columns for positions, from `position_width`.
    """
    embeddings = encoders[0].embeddings
    positions = embeddings.position_embeddings.weight
    frequencies = _frequencies(width // 2)
    waves = torch.arange(len(positions))[:, None] * frequencies
    # tokens and positions share the variance that LayerNorm leaves
    size = embeddings.word_embeddings.weight.norm(dim=1).mean() / math.sqrt(width // 2)
    positions.zero_()
    positions[:, -width::2] = size * waves.cos()
    positions[:, positions.shape[1] - width + 1 :: 2] = size * waves.sin()
    for encoder in encoders:
        _look_at_neighbours(encoder, frequencies, width)


def _look_at_neighbours(encoder: SelectraEncoder, frequencies: Tensor, width: int) -> None:
    config = encoder.config
    size = config.hidden_size // config.num_attention_heads
    select = _project_whole_positions(encoder, width)
    # LayerNorm leaves E/2 as the squared norm of a position, attention divides by sqrt(size)
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
    """Make the projection of embeddings an isometry of the positions; returns the (width, H)
    matrix that takes them out of a hidden state again."""
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
    """Angles a piece: most at random up to a half turn, so that only equal positions agree; every
    fourth slow, for where in the text a piece stands."""
    slow = count // 4
    fast = torch.rand(count - slow) * math.pi
    return torch.cat([fast, math.pi / torch.logspace(0.7, 2.5, slow)])
