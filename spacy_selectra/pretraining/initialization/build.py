"""Making the networks a configuration describes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from spacy_selectra.encoder.checkpoint import load_discriminator, load_generator
from spacy_selectra.encoder.config import DROPOUTS, EncoderConfig, generator_config, preset
from spacy_selectra.encoder.heads import Discriminator, Generator
from spacy_selectra.encoder.hub import find_discriminator, find_generator
from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.config import EncoderSettings, PretrainingSettings
from spacy_selectra.pretraining.initialization.accent_repair import read_rows
from spacy_selectra.pretraining.initialization.vocabulary_transfer import (
    embedding_sources,
    transfer_vocabulary,
)
from spacy_selectra.pretraining.model import PretrainingModel
from spacy_selectra.text.tokenizer import read_vocabulary

_NOT_SIZES = {"preset", "init_from", "vocabulary", "train_rows", "init_embeddings"}


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
    return replace(config, **{name: fields[name].default for name in DROPOUTS})


def build_model(
    settings: PretrainingSettings, vocab_size: int, pad_id: int = 0
) -> PretrainingModel:
    """Both networks, from random weights or from those `init_from` names.

    With `encoder.train_rows`, all weights but some rows of the token embeddings are frozen.
    Random weights come from torch's global generator.

    Args:
        settings: the configuration; its tokenizer is read if there are weights to start from.
        vocab_size: entries of that tokenizer.
        pad_id: id of its [PAD].

    Raises:
        SelectraError: sizes that do not fit, settings that contradict each other, nothing at
            `init_from`, or a checkpoint with another vocabulary that is not to be replaced.
    """
    _check(settings)
    encoder, generator = settings.encoder, settings.generator
    generator_from: str | Path | None = generator.init_from
    if encoder.init_from is None:
        discriminator = Discriminator(encoder_config(encoder, vocab_size, pad_id))
    else:
        directory, beside = find_discriminator(encoder.init_from)
        generator_from = generator_from or beside
        discriminator = load_discriminator(directory)
        _fit_vocabulary(discriminator, directory, settings, vocab_size, pad_id)
    if generator_from is None:
        if encoder.train_rows is not None:
            raise SelectraError(
                "encoder.train_rows needs the generator trained with the discriminator: set "
                "generator.init_from"
            )
        language_model = Generator(generator_config(discriminator.config, generator.scale))
    else:
        directory = find_generator(generator_from)
        language_model = load_generator(directory)
        _fit_vocabulary(language_model, directory, settings, vocab_size, pad_id)
    try:
        model = PretrainingModel(
            language_model,
            discriminator,
            mlm_weight=settings.objective.mlm_weight,
            rtd_weight=settings.objective.rtd_weight,
            corrective_lm_weight=settings.objective.corrective_lm_weight,
        )
    except ValueError as error:
        raise SelectraError(f"{generator_from}: does not fit the discriminator: {error}") from error
    if encoder.train_rows is not None:
        pieces = read_vocabulary(settings.paths.tokenizer).pieces
        restrict_to_rows(model, read_rows(encoder.train_rows, pieces))
    return model


def _check(settings: PretrainingSettings) -> None:
    encoder = settings.encoder
    if encoder.init_from is None:
        needing = {
            "encoder.vocabulary": encoder.vocabulary == "replace",
            "encoder.train_rows": encoder.train_rows is not None,
            # its embeddings are replaced by the discriminator's, which would be random
            "generator.init_from": settings.generator.init_from is not None,
        }
        if named := [name for name, needs in needing.items() if needs]:
            raise SelectraError(f"{named[0]} needs a discriminator to start from; set init_from")
        return
    if changed := encoder.model_dump(exclude=_NOT_SIZES, exclude_none=True):
        raise SelectraError(
            f"encoder.init_from gives the sizes; remove encoder.{', encoder.'.join(changed)}"
        )
    if encoder.init_embeddings != "random":
        raise SelectraError(
            "encoder.init_from already gives the weights; set encoder.init_embeddings = random"
        )
    if encoder.train_rows is not None and settings.objective.corrective_lm_weight > 0:
        raise SelectraError(
            "encoder.train_rows would leave the corrector random; set "
            "objective.corrective_lm_weight = 0"
        )


def _fit_vocabulary(
    model: Discriminator | Generator,
    directory: Path,
    settings: PretrainingSettings,
    vocab_size: int,
    pad_id: int,
) -> None:
    """Make sure that `model` has the vocabulary of `[paths]`, and give it that if asked to."""
    size = model.config.vocab_size
    if not any((directory / name).is_file() for name in ("tokenizer.json", "vocab.txt")):
        if size == vocab_size:
            return
        raise SelectraError(
            f"{directory}: has {size} embeddings and no tokenizer, the tokenizer of [paths] has "
            f"{vocab_size} entries; put the files of the model's tokenizer there"
        )
    old = read_vocabulary(directory).pieces
    new = read_vocabulary(settings.paths.tokenizer).pieces
    if old == new and size == vocab_size:
        return
    if len(old) > size:
        raise SelectraError(f"{directory}: {size} embeddings for {len(old)} entries")
    if settings.encoder.vocabulary == "replace":
        transfer_vocabulary(model, embedding_sources(directory, new), pad_id)
        return
    raise SelectraError(
        f"{directory}: the model's vocabulary ({size} entries) is not that of "
        f"{settings.paths.tokenizer} ({vocab_size} entries); pack the corpus with the model's "
        'tokenizer, or set encoder.vocabulary = "replace"'
    )


# Training some token embeddings and nothing else.


def restrict_to_rows(model: PretrainingModel, rows: Sequence[int]) -> None:
    """Freeze all weights but the shared token embeddings, and of these all rows but `rows`.

    The rows that stay get gradients of exactly 0, so that an optimiser without weight decay leaves
    them as they are to the bit. Heads and generator are frozen too, a corrector likewise.

    Raises:
        SelectraError: no rows, or one beyond the vocabulary.
    """
    weight = model.discriminator.encoder.embeddings.word_embeddings.weight
    if not rows:
        raise SelectraError("there are no rows to train")
    if min(rows) < 0 or max(rows) >= len(weight):
        raise SelectraError(
            f"row {max(rows)} is to be trained, the vocabulary has {len(weight)} entries"
        )
    model.requires_grad_(False)
    weight.requires_grad_(True)
    index = torch.tensor(sorted(set(rows)))

    def only_rows(gradient: Tensor) -> Tensor:
        chosen = index.to(gradient.device)
        kept = torch.zeros_like(gradient)
        kept[chosen] = gradient[chosen]
        return kept

    weight.register_hook(only_rows)
