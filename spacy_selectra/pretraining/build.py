"""Making the networks a configuration describes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from spacy_selectra.encoder.checkpoint import load_discriminator, load_generator
from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.models import Discriminator, Generator
from spacy_selectra.encoder.presets import generator_config, preset
from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.model import PretrainingModel
from spacy_selectra.pretraining.settings import EncoderSettings, PretrainingSettings

_NOT_SIZES = {"preset", "init_from", "warm_start"}


def encoder_config(settings: EncoderSettings, vocab_size: int, pad_id: int = 0) -> EncoderConfig:
    """The preset with what `[encoder]` changes of it.

    Raises:
        SelectraError: no such preset, or sizes that do not fit together.
    """
    changes = settings.model_dump(exclude=_NOT_SIZES, exclude_none=True)
    return replace(preset(settings.preset, vocab_size), pad_token_id=pad_id, **changes)


def with_default_dropout(config: EncoderConfig) -> EncoderConfig:
    """The configuration to export: dropout of the pretraining run says nothing about how the
    network should be fine-tuned, so it goes back to ELECTRA's 0.1."""
    fields = EncoderConfig.__dataclass_fields__
    names = ("hidden_dropout_prob", "attention_probs_dropout_prob")
    return replace(config, **{name: fields[name].default for name in names})


def build_model(
    settings: PretrainingSettings, vocab_size: int, pad_id: int = 0
) -> PretrainingModel:
    """Both networks, from random weights or from those `init_from` names.

    Random weights come from torch's global generator.

    Raises:
        SelectraError: sizes that do not fit, or a checkpoint with another vocabulary.
    """
    encoder, generator = settings.encoder, settings.generator
    generator_from = generator.init_from
    if encoder.init_from is None:
        discriminator = Discriminator(encoder_config(encoder, vocab_size, pad_id))
    else:
        if changed := encoder.model_dump(exclude=_NOT_SIZES, exclude_none=True):
            raise SelectraError(
                f"encoder.init_from gives the sizes; remove encoder.{', encoder.'.join(changed)}"
            )
        if encoder.warm_start:
            raise SelectraError(
                "encoder.init_from already gives the weights; set encoder.warm_start = false"
            )
        directory = encoder.init_from
        if (directory / "discriminator").is_dir():
            if generator_from is None and (directory / "generator").is_dir():
                generator_from = directory / "generator"
            directory = directory / "discriminator"
        discriminator = load_discriminator(directory)
        _check_vocabulary(discriminator, vocab_size, directory)
    if generator_from is None:
        language_model = Generator(generator_config(discriminator.config, generator.scale))
    else:
        language_model = load_generator(generator_from)
        _check_vocabulary(language_model, vocab_size, generator_from)
    try:
        return PretrainingModel(
            language_model,
            discriminator,
            mlm_weight=settings.objective.mlm_weight,
            rtd_weight=settings.objective.rtd_weight,
            correction_weight=settings.objective.correction_weight,
        )
    except ValueError as error:
        raise SelectraError(f"{generator_from}: does not fit the discriminator: {error}") from error


def _check_vocabulary(model: Discriminator | Generator, size: int, directory: Path) -> None:
    if model.config.vocab_size != size:
        raise SelectraError(
            f"{directory}: vocabulary of {model.config.vocab_size} entries, the tokenizer has "
            f"{size}; use the tokenizer of that model"
        )
