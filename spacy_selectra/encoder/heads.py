"""What stands on the encoder: replaced-token detection, masked-token prediction, classification
of texts and of pieces."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.dropout import Dropout
from spacy_selectra.encoder.network import activation, initialise
from spacy_selectra.encoder.sizes import pad_rows


class DiscriminatorHead(nn.Module):
    """Was this piece replaced? (T, H) to (T,) logits (Clark et al. 2020, section 2)."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.dense_prediction = nn.Linear(config.hidden_size, 1)
        self.activation = activation(config.hidden_act)
        initialise(self, config.initializer_range)

    def forward(self, hidden: Tensor) -> Tensor:
        """Positive logits mean replaced."""
        rows = self.dense(pad_rows(hidden))
        return self.dense_prediction(self.activation(rows)).squeeze(-1)[: len(hidden)]


class GeneratorHead(nn.Module):
    """Which piece stood here? (M, H) to (M, V) logits, over the token embeddings themselves.

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
        """Score every entry of the (V, E) embeddings."""
        rows = self.project(pad_rows(hidden))
        return F.linear(rows, word_embeddings, self.bias)[: len(hidden)]

    def project(self, hidden: Tensor) -> Tensor:
        """(M, H) to the (M, E) vectors that are compared with the embeddings."""
        return self.layer_norm(self.activation(self.dense(hidden)))


class SequenceHead(nn.Module):
    """Classes of a text or pair from its [CLS] vector: (B, H) to (B, labels)."""

    def __init__(self, config: EncoderConfig, labels: int) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.out_proj = nn.Linear(config.hidden_size, labels)
        self.dropout = Dropout(config.hidden_dropout_prob)
        # fixed to GELU whatever the encoder uses, as in transformers' ELECTRA
        self.activation = nn.GELU()
        initialise(self, config.initializer_range)

    def forward(self, hidden: Tensor) -> Tensor:
        """Unnormalised scores."""
        rows = self.dense(pad_rows(self.dropout(hidden)))
        return self.out_proj(self.dropout(self.activation(rows)))[: len(hidden)]


class TokenHead(nn.Linear):
    """Classes of each piece from its vector: (T, H) to (T, labels).

    Args:
        config: shape of the encoder.
        labels: number of classes.
        dropout: probability on the vectors; the encoder's own if None.
    """

    def __init__(self, config: EncoderConfig, labels: int, dropout: float | None = None) -> None:
        super().__init__(config.hidden_size, labels)
        self.dropout = Dropout(config.hidden_dropout_prob if dropout is None else dropout)
        initialise(self, config.initializer_range)

    def forward(self, input: Tensor) -> Tensor:
        """Unnormalised scores."""
        return super().forward(pad_rows(self.dropout(input)))[: len(input)]
