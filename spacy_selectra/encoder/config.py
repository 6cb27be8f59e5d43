"""Shape of an ELECTRA encoder, in the words of transformers' `ElectraConfig`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from spacy_selectra.errors import SelectraError

# What of a configuration is dropout.
DROPOUTS = ("hidden_dropout_prob", "attention_probs_dropout_prob")
ACTIVATIONS = ("gelu", "gelu_new", "relu")


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes and constants of one encoder.

    Defaults other than sizes are those of Clark et al. 2020 (ELECTRA), appendix A,
    as SELECTRA uses them: dropout 0.1, LayerNorm epsilon 1e-12, weights drawn with
    standard deviation 0.02.

    Attributes:
        vocab_size: entries of the vocabulary.
        embedding_size: width of the token embeddings; projected if it is not `hidden_size`.
        hidden_size: width of the residual stream.
        num_hidden_layers: layers.
        num_attention_heads: attention heads; must divide `hidden_size`.
        intermediate_size: width of the feed-forward layer.
        hidden_act: activation of the feed-forward layer, one of `ACTIVATIONS`.
        hidden_dropout_prob: dropout on embeddings and on both branches of a layer.
        attention_probs_dropout_prob: dropout on attention weights.
        max_position_embeddings: longest sequence, in pieces.
        type_vocab_size: kinds of segment (first and second text).
        initializer_range: standard deviation of the initial weights.
        layer_norm_eps: epsilon of every LayerNorm.
        pad_token_id: id of [PAD]; its embedding starts at zero.

    Raises:
        SelectraError: sizes that do not fit together.
    """

    vocab_size: int
    embedding_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int = 0

    def __post_init__(self) -> None:
        if self.hidden_size % self.num_attention_heads:
            raise SelectraError(
                f"hidden_size {self.hidden_size} is not a multiple of "
                f"num_attention_heads {self.num_attention_heads}"
            )
        if self.hidden_act not in ACTIVATIONS:
            raise SelectraError(
                f"hidden_act '{self.hidden_act}' is not one of {', '.join(ACTIVATIONS)}"
            )

    def to_dict(self) -> dict[str, Any]:
        """All fields by name."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> EncoderConfig:
        """Build from a mapping that may hold other keys too, such as a `config.json`.

        Raises:
            SelectraError: a size is missing, or the model is not an ELECTRA this encoder computes.
        """
        if values.get("position_embedding_type", "absolute") != "absolute":
            raise SelectraError(
                f"position_embedding_type '{values['position_embedding_type']}' is not supported"
            )
        known = {field.name for field in fields(cls)}
        try:
            return cls(**{name: value for name, value in values.items() if name in known})
        except TypeError as error:
            raise SelectraError(f"incomplete encoder configuration: {error}") from error
