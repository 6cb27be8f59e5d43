"""Embeddings as wide as the layers, from narrower ones and their projection.

Small networks have narrow embeddings and a linear map to the width of their layers. A larger
network that starts from such a one has no map, so what the layers read is moved into the table.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from spacy_selectra.encoder.heads import Discriminator
from spacy_selectra.errors import SelectraError


@torch.no_grad()
def fold_projection(model: Discriminator, width: int) -> Discriminator:
    """The network without a projection of its embeddings, and with about the same outputs.

    What the first layer reads of an entry at the mean position becomes its new embedding, scaled
    so that the LayerNorm's weight and bias are the standard deviation and mean of these vectors.
    Positions and segments, small beside the tokens, are mapped to first order. LayerNorm gives
    each vector mean 0 and variance 1 before its weight, which these only have on average: hence
    "about". LayerNorm ignores a common factor, so the new table has the spread of the old one, to
    which output layers that share it and learning rates are used.

    Args:
        model: embeddings of width E, projected to H.
        width: H, that of the layers.

    Raises:
        SelectraError: the layers have another width, or the embeddings have theirs already.
    """
    config = model.config
    project = model.encoder.embeddings_project
    if project is None or width != config.hidden_size:
        raise SelectraError(
            f"encoder.embedding_size: embeddings of {config.embedding_size} can only be made "
            f"as wide as layers that are wider ({config.hidden_size}), not {width}"
        )
    wide = type(model)(replace(config, embedding_size=width))
    old, new = model.encoder.embeddings, wide.encoder.embeddings
    weights = {
        name: tensor
        for name, tensor in model.state_dict().items()
        if not name.startswith(("encoder.embeddings.", "encoder.embeddings_project."))
    }
    wide.load_state_dict(weights, strict=False)

    words = old.word_embeddings.weight
    positions, segments = old.position_embeddings.weight, old.token_type_embeddings.weight
    centre = positions.mean(dim=0) + segments[0]
    read = project(old.layer_norm(words + centre))
    mean, deviation = read.mean(dim=0), read.std(dim=0).clamp_min(1e-6)
    new.layer_norm.weight.copy_(deviation)
    new.layer_norm.bias.copy_(mean)
    size = words.std()
    new.word_embeddings.weight.copy_(size * (read - mean) / deviation)

    scale = (words + centre).std(dim=1, unbiased=False).mean()

    def mapped(change: Tensor) -> Tensor:
        centred = change - change.mean(dim=1, keepdim=True)
        return size * ((centred / scale * old.layer_norm.weight) @ project.weight.T) / deviation

    new.position_embeddings.weight.copy_(mapped(positions - positions.mean(dim=0)))
    new.token_type_embeddings.weight.copy_(mapped(segments - segments[0]))
    return wide
