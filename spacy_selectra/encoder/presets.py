"""Encoders by name, and the generator that goes with each."""

from __future__ import annotations

from dataclasses import replace

from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.errors import SelectraError

# small and medium: the published SELECTRA models. base: the size of ELECTRICIDAD (ELECTRA
# base). tiny: for laptops and CPU serving; shallow and wide, because on a CPU four layers
# of 256 cost less time a token than more, thinner layers of the same parameter count.
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
        SelectraError: no such preset.
    """
    if name not in PRESETS:
        raise SelectraError(f"no encoder preset '{name}' (there are: {', '.join(PRESETS)})")
    config = PRESETS[name]
    return config if vocab_size is None else replace(config, vocab_size=vocab_size)


def generator_config(config: EncoderConfig, scale: float = 0.25) -> EncoderConfig:
    """The generator of a discriminator: same depth and embeddings, `scale` times the width.

    A quarter of the width is what Clark et al. 2020, section 3.2, found best for small
    models, and what SELECTRA used.

    Raises:
        SelectraError: the scaled width cannot be divided into heads.
    """
    heads = max(1, round(config.num_attention_heads * scale))
    return replace(
        config,
        hidden_size=round(config.hidden_size * scale),
        num_attention_heads=heads,
        intermediate_size=round(config.intermediate_size * scale),
    )
