"""Configuration of an ELECTRA encoder, with the names of transformers' `ElectraConfig`; presets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from spacy_selectra.errors import SelectraError

# Fields for dropout.
DROPOUTS = ("hidden_dropout_prob", "attention_probs_dropout_prob")
# Fields for additional outputs.
OUTPUTS = ("output_attentions", "output_hidden_states")
ACTIVATIONS = ("gelu", "gelu_new", "relu")


@dataclass(unsafe_hash=True)
class EncoderConfig:
    """Configuration of an encoder; only the output options can be changed afterwards.

    Defaults other than sizes are those of Clark et al. 2020 (ELECTRA), appendix A, as in SELECTRA:
    dropout 0.1, LayerNorm epsilon 1e-12, standard deviation of initial weights 0.02.

    Attributes:
        vocab_size: entries of the vocabulary.
        embedding_size: width of the token embeddings; projected if it is not `hidden_size`.
        hidden_size: width of the residual stream.
        num_hidden_layers: number of layers.
        num_attention_heads: number of heads; must divide `hidden_size`.
        intermediate_size: width of the feed-forward layer.
        hidden_act: activation of the feed-forward layer, one of `ACTIVATIONS`.
        hidden_dropout_prob: dropout on embeddings and on attention and feed-forward outputs.
        attention_probs_dropout_prob: dropout on attention weights.
        max_position_embeddings: longest sequence, in pieces.
        type_vocab_size: number of segment types (first and second text).
        initializer_range: standard deviation of the initial weights.
        layer_norm_eps: epsilon of every LayerNorm.
        pad_token_id: id of [PAD]; its embedding starts at zero.
        output_attentions: whether `trf_data` includes attention weights.
        output_hidden_states: whether `trf_data` includes the hidden states of every layer.

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
    output_attentions: bool = False
    output_hidden_states: bool = False

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

    def __setattr__(self, name: str, value: Any) -> None:
        """Only output options, and attributes that are not fields, can be set.

        Raises:
            AttributeError: for other fields, on which the weights depend.
        """
        if name in self.__dict__ and name in self.__dataclass_fields__ and name not in OUTPUTS:
            raise AttributeError(f"'{name}' of an encoder cannot be changed")
        super().__setattr__(name, value)

    def to_dict(self) -> dict[str, Any]:
        """All fields by name; output options only if they are on."""
        return {name: value for name, value in asdict(self).items() if value or name not in OUTPUTS}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> EncoderConfig:
        """From a mapping that may have other keys too, such as a `config.json`.

        Raises:
            SelectraError: a size is missing, or the variant of ELECTRA is not supported.
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


# Presets, and the generator of each.
# small and medium are the published SELECTRA models; base is the size of ELECTRICIDAD (ELECTRA
# base). tiny is for laptops and CPU serving: on a CPU, four layers with hidden size 256 take less
# time per piece than more, narrower layers with the same number of parameters.
PRESETS: dict[str, EncoderConfig] = {
    "tiny": EncoderConfig(
        vocab_size=16_000,
        embedding_size=128,
        hidden_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=1024,
    ),
    "small": EncoderConfig(
        vocab_size=50_000,
        embedding_size=256,
        hidden_size=256,
        num_hidden_layers=12,
        num_attention_heads=4,
        intermediate_size=1024,
    ),
    "medium": EncoderConfig(
        vocab_size=50_000,
        embedding_size=384,
        hidden_size=384,
        num_hidden_layers=12,
        num_attention_heads=6,
        intermediate_size=1536,
    ),
    "base": EncoderConfig(
        vocab_size=31_002,
        embedding_size=768,
        hidden_size=768,
        num_hidden_layers=12,
        num_attention_heads=12,
        intermediate_size=3072,
    ),
}


def preset(name: str, vocab_size: int | None = None) -> EncoderConfig:
    """The preset called `name`, with another vocabulary size if given.

    Raises:
        SelectraError: unknown preset.
    """
    if name not in PRESETS:
        raise SelectraError(f"no encoder preset '{name}' (there are: {', '.join(PRESETS)})")
    config = PRESETS[name]
    return config if vocab_size is None else replace(config, vocab_size=vocab_size)


def generator_config(config: EncoderConfig, scale: float = 0.25) -> EncoderConfig:
    """The generator of a discriminator: same depth and embeddings, `scale` times the hidden size.

    A quarter was best for small models in Clark et al. 2020, section 3.2, and is SELECTRA's scale.

    Raises:
        SelectraError: the scaled hidden size cannot be divided into heads.
    """
    heads = max(1, round(config.num_attention_heads * scale))
    return replace(
        config,
        hidden_size=round(config.hidden_size * scale),
        num_attention_heads=heads,
        intermediate_size=round(config.intermediate_size * scale),
    )
