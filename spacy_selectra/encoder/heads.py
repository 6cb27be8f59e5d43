"""Heads, and models of encoder and head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.cpu.linear import few_sizes_pay, pad_for_activation, pad_rows
from spacy_selectra.encoder.electra import Dropout, SelectraEncoder, activation, initialise
from spacy_selectra.encoder.layout import PackedLayout


class DiscriminatorHead(nn.Module):
    """Replaced-token detection: (T, H) to (T,) logits (Clark et al. 2020, section 2)."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.dense_prediction = nn.Linear(config.hidden_size, 1)
        self.activation = activation(config.hidden_act)
        initialise(self, config.initializer_range)

    def forward(self, hidden: Tensor) -> Tensor:
        """(T,) logits; positive means replaced."""
        rows = self.activation(self.dense(pad_for_activation(hidden)))
        # weight as a vector: for a matrix of one column oneDNN would generate code three times
        weight, bias = self.dense_prediction.weight, self.dense_prediction.bias
        return torch.matmul(rows, weight[0])[: len(hidden)] + bias


class GeneratorHead(nn.Module):
    """Masked language modelling: (M, H) to (M, V) logits, with tied token embeddings.

    The projection's activation is always GELU, as in BERT's and ELECTRA's code.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.embedding_size)
        self.layer_norm = nn.LayerNorm(config.embedding_size, eps=config.layer_norm_eps)
        self.activation = nn.GELU()
        initialise(self, config.initializer_range)
        self.bias = nn.Parameter(self.dense.weight.new_zeros(config.vocab_size))

    def forward(self, hidden: Tensor, word_embeddings: Tensor) -> Tensor:
        """(M, V) logits for (V, E) embeddings."""
        rows = self.project(hidden)
        return F.linear(rows, word_embeddings, self.bias)[: len(hidden)]

    def project(self, hidden: Tensor) -> Tensor:
        """(M, H) to (M, E) vectors, for the product with the embeddings.

        Padding rows may follow, up to a rounded number (`cpu/sizes.py`).
        """
        rows = self.activation(self.dense(pad_for_activation(hidden)))
        return self.layer_norm(rows if few_sizes_pay() else rows[: len(hidden)])


class SequenceHead(nn.Module):
    """Classes of a text or pair from its [CLS] vector: (B, H) to (B, labels)."""

    def __init__(self, config: EncoderConfig, labels: int) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.out_proj = nn.Linear(config.hidden_size, labels)
        self.dropout = Dropout(config.hidden_dropout_prob)
        # always GELU, whatever the encoder's activation, as in transformers' ELECTRA
        self.activation = nn.GELU()
        initialise(self, config.initializer_range)

    def forward(self, hidden: Tensor) -> Tensor:
        """Logits."""
        rows = self.dense(pad_for_activation(self.dropout(hidden)))
        return self.out_proj(self.dropout(self.activation(rows)))[: len(hidden)]


class TokenHead(nn.Linear):
    """Classes of each piece from its vector: (T, H) to (T, labels).

    Args:
        config: of the encoder.
        labels: number of classes.
        dropout: probability on the vectors; the encoder's own if None.
    """

    def __init__(self, config: EncoderConfig, labels: int, dropout: float | None = None) -> None:
        super().__init__(config.hidden_size, labels)
        self.dropout = Dropout(config.hidden_dropout_prob if dropout is None else dropout)
        initialise(self, config.initializer_range)

    def forward(self, input: Tensor) -> Tensor:
        """Logits."""
        return super().forward(pad_rows(self.dropout(input)))[: len(input)]


# Models of encoder and head.


Lengths = Sequence[int] | Tensor | PackedLayout

Head = Literal["classes", "value", "tags", "spans"]
"""What a model predicts: the class of a text or pair, a value for a pair, a tag for each word, or
the span of a context that answers a question."""


class Discriminator(nn.Module):
    """The model that is kept after pretraining: predicts which pieces were replaced."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = SelectraEncoder(config)
        self.head = DiscriminatorHead(config)

    def forward(
        self, input_ids: Tensor, lengths: Lengths, type_ids: Tensor | None = None
    ) -> Tensor:
        """(T,) packed ids to (T,) logits; positive means replaced. Errors as the encoder's."""
        return self.head(self.encoder(input_ids, lengths, type_ids))


class Generator(nn.Module):
    """The small masked language model that proposes replacements."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = SelectraEncoder(config)
        self.head = GeneratorHead(config)

    def forward(
        self,
        input_ids: Tensor,
        lengths: Lengths,
        type_ids: Tensor | None = None,
        positions: Tensor | None = None,
    ) -> Tensor:
        """(T,) packed ids to (M, V) logits at the rows `positions` (M,), or at all T rows."""
        hidden = self.encoder(input_ids, lengths, type_ids)
        if positions is not None:
            hidden = hidden[positions]
        return self.head(hidden, self.encoder.embeddings.word_embeddings.weight)


class _Labelled(nn.Module):
    """An encoder with a head whose logits have names."""

    def __init__(
        self,
        config: EncoderConfig,
        labels: Sequence[str],
        head: type[SequenceHead] | type[TokenHead],
    ) -> None:
        super().__init__()
        self.config = config
        self.labels = list(labels)
        self.encoder = SelectraEncoder(config)
        self.head = head(config, len(self.labels))


class SequenceClassifier(_Labelled):
    """Classes of a text or of a pair of texts.

    Args:
        config: of the encoder.
        labels: names of the classes, in the order of the logits.
    """

    def __init__(self, config: EncoderConfig, labels: Sequence[str]) -> None:
        super().__init__(config, labels, SequenceHead)

    def forward(
        self, input_ids: Tensor, lengths: Lengths, type_ids: Tensor | None = None
    ) -> Tensor:
        """(T,) packed ids of B sequences to (B, labels) logits. Errors as the encoder's."""
        layout = self.encoder.layout(input_ids, lengths)
        return self.head(self.encoder(input_ids, layout, type_ids, cls_only=True))


class TokenClassifier(_Labelled):
    """A class for each piece.

    Args:
        config: of the encoder.
        labels: names of the classes, in the order of the logits.
    """

    def __init__(self, config: EncoderConfig, labels: Sequence[str]) -> None:
        super().__init__(config, labels, TokenHead)

    def forward(
        self, input_ids: Tensor, lengths: Lengths, type_ids: Tensor | None = None
    ) -> Tensor:
        """(T,) packed ids to (T, labels) logits. Errors as the encoder's."""
        return self.head(self.encoder(input_ids, lengths, type_ids))


class SpanClassifier(nn.Module):
    """Start and end of an answer (Devlin et al. 2019, section 4.2)."""

    labels = ("start", "end")

    def __init__(self, config: EncoderConfig, labels: Sequence[str] = labels) -> None:
        super().__init__()
        self.config = config
        self.encoder = SelectraEncoder(config)
        self.head = TokenHead(config, len(labels), dropout=0.0)

    def forward(
        self, input_ids: Tensor, lengths: Lengths, type_ids: Tensor | None = None
    ) -> Tensor:
        """(T,) packed ids to (T, 2) logits of start and end. Errors as the encoder's."""
        return self.head(self.encoder(input_ids, lengths, type_ids))


def tie_embeddings(generator: Generator, discriminator: Discriminator) -> None:
    """Make the generator use the discriminator's embeddings.

    Token, position and segment embeddings and their LayerNorm are shared, but not the projection
    to the generator's hidden size (Clark et al. 2020, section 3.2, and the scope
    "electra/embeddings" of the original code).

    Raises:
        ValueError: the embeddings have different shapes.
    """
    if generator.encoder.embeddings.word_embeddings.weight.shape != (
        discriminator.encoder.embeddings.word_embeddings.weight.shape
    ):
        raise ValueError("generator and discriminator need the same vocabulary and embedding size")
    generator.encoder.embeddings = discriminator.encoder.embeddings
