"""Word vectors with a part from an encoder, which knows words from all that it was trained on.

Counting in some 100 million words tells little of rare words and of synonyms. An encoder of
sentences was trained to give texts of the same meaning the same vector, and a word is a short text
(as in Model2Vec, Tulkens and van Dongen 2024). The encoder is read once, and is not needed later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spacy_selectra.encoder.hub import load_encoder, resolve_model
from spacy_selectra.encoder.predict import predict
from spacy_selectra.errors import SelectraError
from spacy_selectra.matching.word_vectors import TrainedVectors, centred
from spacy_selectra.matching.words import unit
from spacy_selectra.text.encode import PieceTokenizer, Template, TypedPieces, join, load_pieces
from spacy_selectra.util.progress import Progress

_BLOCK = 2_000  # words between two updates of the progress line


@dataclass(frozen=True)
class EncoderVectorSettings:
    """How an encoder's vectors are added to those of a corpus.

    Attributes:
        prefix: text before every word; the models of E5 expect "query: ".
        weight: weight of the encoder's part; both parts are normalised before. The default is the
            best of 0.5, 0.8, 1.2 and 1.6 on development texts (docs/zero_shot.md).
        dimensions: of the result, by principal components.
    """

    prefix: str = ""
    weight: float = 1.2
    dimensions: int = 400


def add_encoder_vectors(
    vectors: TrainedVectors,
    encoder: str | Path,
    settings: EncoderVectorSettings | None = None,
    *,
    quiet: bool = False,
) -> TrainedVectors:
    """Join vectors of a corpus with an encoder's vectors of the same words.

    Args:
        vectors: of a corpus.
        encoder: directory or hub id of a model whose mean of all pieces is the vector of a text.
        settings: defaults if None.
        quiet: print no progress.

    Raises:
        SelectraError: no such encoder, or fewer dimensions available than asked for.
    """
    chosen = settings or EncoderVectorSettings()
    found = encoder_vectors(vectors.words, encoder, chosen.prefix, quiet=quiet)
    # the most frequent words alone would make up half of the mean and of the components
    share = np.sqrt(vectors.share)
    share /= share.sum()
    own = chosen.weight * centred(found, share)
    joined = unit(np.concatenate([vectors.vectors, own], axis=1))
    origin = {**vectors.origin, "encoder": Path(encoder).name, "encoder_weight": chosen.weight}
    reduced = unit(_principal(joined, share, chosen.dimensions))
    return TrainedVectors(vectors.words, vectors.share, reduced, origin)


def encoder_vectors(
    words: Sequence[str], encoder: str | Path, prefix: str = "", *, quiet: bool = False
) -> np.ndarray:
    """(words, H) float32 mean of the encoder's last hidden states for each word, special pieces
    included, as sentence-transformers pools them; rows are normalised.

    Raises:
        SelectraError: no such encoder, or none whose tokenizer fits.
    """
    directory = resolve_model(encoder)
    model = load_encoder(directory)
    pieces = load_pieces(directory, {}, model.config)
    pooled = _MeanPooled(model)
    rows: list[np.ndarray] = []
    with Progress("reading words with the encoder", len(words), "words", quiet=quiet) as progress:
        for begin in range(0, len(words), _BLOCK):
            some = words[begin : begin + _BLOCK]
            rows += predict(pooled, _sequences(pieces, [prefix + word for word in some]))
            progress.update(len(some))
    return unit(np.stack(rows))


class _MeanPooled(nn.Module):
    """(T,) packed ids of B texts to (B, H), the mean of each text's hidden states."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, ids: Tensor, lengths: Sequence[int], types: Tensor) -> Tensor:
        """Packed ids, the pieces of each text, and segments."""
        hidden = self.encoder(ids, lengths, types).float()
        counts = torch.tensor(lengths, device=hidden.device)
        owners = torch.repeat_interleave(torch.arange(len(counts), device=hidden.device), counts)
        sums = hidden.new_zeros(len(counts), hidden.shape[1]).index_add(0, owners, hidden)
        return sums / counts[:, None]


def _sequences(pieces: PieceTokenizer, texts: Sequence[str]) -> list[TypedPieces]:
    template = Template.of(pieces.backend, pairs=False)
    return [
        join([template.left(one.ids[: pieces.budget]), template.right(None)])
        for one in pieces.encode(texts)
    ]


def _principal(rows: np.ndarray, share: np.ndarray, dimensions: int) -> np.ndarray:
    """(n, d) rows on the principal directions of the words, weighted by `share`."""
    available = min(rows.shape)
    if dimensions > available:
        raise SelectraError(f"{dimensions} dimensions asked for, but there are {available}")
    if dimensions == rows.shape[1]:
        return rows
    _, directions = np.linalg.eigh((rows * share[:, None]).T.astype(np.float64) @ rows)
    return rows @ directions[:, ::-1][:, :dimensions].astype(np.float32)
