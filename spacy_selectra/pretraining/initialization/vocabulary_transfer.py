"""Vocabulary transfer: giving a trained network another vocabulary.

Entries in both vocabularies keep their embedding. A new entry starts at the mean of the pieces that
the old tokenizer splits it into, which worked best in Koto et al. 2021 (IndoBERTweet). An entry
that the old tokenizer cannot read gets a random embedding with the mean and standard deviation of
the old ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from spacy_selectra.encoder.heads import Discriminator, Generator
from spacy_selectra.text.normalization import CONTINUATION, is_reserved, split_entry
from spacy_selectra.text.tokenizer import entries, load_backend, plain_copy

_UNKNOWN = "[UNK]"


def embedding_sources(old_tokenizer: Path, pieces: Sequence[str]) -> list[list[int]]:
    """For every new entry, the ids of the old entries whose mean is its embedding.

    Args:
        old_tokenizer: tokenizer directory of the trained network.
        pieces: the new vocabulary, in the order of its ids.

    Returns:
        One list per entry: its own old id if there is one, else the ids of the pieces that the
        old tokenizer splits it into, without [UNK]; possibly empty.

    Raises:
        SelectraError: no tokenizer in the directory.
    """
    backend = plain_copy(load_backend(old_tokenizer))
    old = {piece: index for index, piece in enumerate(entries(backend))}
    sources: list[list[int]] = []
    for piece in pieces:
        known = [piece] if piece in old else _split(piece, backend, old)
        sources.append([old[part] for part in known if part != _UNKNOWN or piece == _UNKNOWN])
    return sources


def transfer_vocabulary(
    model: Discriminator | Generator, sources: Sequence[Sequence[int]], pad_id: int = 0
) -> None:
    """Replace token embeddings, and a generator's output biases, by those of a new vocabulary.

    The bias of a new entry is the mean over the same old entries. Random numbers come from torch's
    global generator.

    Args:
        model: changed in place; tied embeddings have to be tied again.
        sources: old ids of each new entry, from `embedding_sources`.
        pad_id: id of [PAD] in the new vocabulary.
    """
    embeddings = model.encoder.embeddings
    config = replace(model.config, vocab_size=len(sources), pad_token_id=pad_id)
    rows = _means(embeddings.word_embeddings.weight.detach(), sources)
    words = nn.Embedding(len(sources), rows.shape[1], padding_idx=pad_id, _weight=rows)
    embeddings.word_embeddings = words
    if isinstance(model, Generator):
        bias = model.head.bias.detach()
        model.head.bias = nn.Parameter(_means(bias[:, None], sources, noise=0.0).squeeze(1))
    model.config = model.encoder.config = config


def _split(piece: str, backend: Tokenizer, old: dict[str, int]) -> list[str]:
    if is_reserved(piece):
        return []
    if not piece.startswith(CONTINUATION) or piece == CONTINUATION:
        return backend.encode(piece, add_special_tokens=False).tokens
    # a tokenizer cannot be given the continuation of a word, so it is normalised and split here
    rest = piece.removeprefix(CONTINUATION)
    rules = backend.normalizer
    rest = rest if rules is None else rules.normalize_str(rest)
    pieces = split_entry(CONTINUATION + rest, old)
    return pieces or backend.encode(rest, add_special_tokens=False).tokens


def _means(old: Tensor, sources: Sequence[Sequence[int]], noise: float = 1.0) -> Tensor:
    """(V, E) means of rows of `old`; for empty sources, its mean plus normal noise, scaled by
    `noise` and its standard deviation."""
    new = old.new_empty((len(sources), old.shape[1]))
    mean, deviation = old.mean(dim=0), old.std(dim=0)
    for index, ids in enumerate(sources):
        if ids:
            new[index] = old[list(ids)].mean(dim=0)
        else:
            new[index] = mean + noise * deviation * torch.randn_like(mean)
    return new
