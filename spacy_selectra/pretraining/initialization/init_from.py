"""Starting from a checkpoint (`encoder.init_from`), also with some of its embeddings only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from spacy_selectra.encoder.checkpoint import (
    CONFIG_FILE,
    load_discriminator,
    load_generator,
    save_model,
)
from spacy_selectra.encoder.config import generator_config
from spacy_selectra.encoder.heads import Discriminator, Generator, tie_embeddings
from spacy_selectra.encoder.hub import find_discriminator, find_generator, resolve_model
from spacy_selectra.errors import OtherRunError, SelectraError
from spacy_selectra.pretraining.initialization.depth import copy_layers, stack_layers
from spacy_selectra.pretraining.initialization.embedding_width import fold_projection
from spacy_selectra.pretraining.initialization.vocabulary_transfer import (
    embedding_sources,
    transfer_vocabulary,
)
from spacy_selectra.pretraining.model import PretrainingModel
from spacy_selectra.pretraining.network_settings import EncoderSettings, GeneratorSettings
from spacy_selectra.pretraining.run_directory import RECORD_FILE, delete_run
from spacy_selectra.text.tokenizer import (
    Vocabulary,
    load_tokenizer,
    longest_sequence,
    read_vocabulary,
)
from spacy_selectra.util.files import read_json


def load_networks(
    encoder: EncoderSettings, generator: GeneratorSettings, vocabulary: Vocabulary
) -> tuple[Generator, Discriminator]:
    """Both networks from `init_from`; if there is no generator, a new one.

    Random weights come from torch's global generator. With `encoder.stack`, loaded layers are
    repeated, those of a generator only if it is as deep as the discriminator.

    Args:
        encoder: section `[encoder]`, with `init_from`.
        generator: section `[generator]`.
        vocabulary: the one the networks must have.

    Raises:
        SelectraError: no model at `init_from`, networks that do not fit together, or a checkpoint
            with another vocabulary and `encoder.vocabulary` is "keep".
    """
    assert encoder.init_from is not None
    directory, beside = find_discriminator(encoder.init_from)
    discriminator = load_discriminator(directory)
    _fit_vocabulary(discriminator, directory, encoder, vocabulary)
    if encoder.embedding_size is not None:
        discriminator = fold_projection(discriminator, encoder.embedding_size)
        beside = None  # its generator reads embeddings of the old width
    depth = discriminator.config.num_hidden_layers
    discriminator = stack_layers(
        discriminator, encoder.stack, encoder.stack_method, **encoder.dropouts()
    )
    generator_from = generator.init_from or beside
    if generator_from is None:
        if encoder.train_rows is not None:
            raise SelectraError(
                "encoder.train_rows needs the generator trained with the discriminator: set "
                "generator.init_from"
            )
        if generator.copied_layers is not None:
            return copy_layers(discriminator, min(depth, generator.copied_layers)), discriminator
        return Generator(generator_config(discriminator.config, generator.scale)), discriminator
    directory = find_generator(generator_from)
    language_model = load_generator(directory)
    _fit_vocabulary(language_model, directory, encoder, vocabulary)
    # one of fewer layers than the discriminator stays as shallow as it was made
    times = encoder.stack if language_model.config.num_hidden_layers == depth else 1
    language_model = stack_layers(language_model, times, encoder.stack_method, **encoder.dropouts())
    try:
        tie_embeddings(language_model, discriminator)
    except ValueError as error:
        raise SelectraError(f"{generator_from}: does not fit the discriminator: {error}") from error
    return language_model, discriminator


def trained_positions(init_from: str) -> int:
    """Positions that `init_from` was trained on: those that its tokenizer declares, else all.

    Raises:
        SelectraError: no model at `init_from`.
    """
    directory, _ = find_discriminator(init_from)
    positions = int(read_json(directory / CONFIG_FILE)["max_position_embeddings"])
    return longest_sequence(directory, positions)


def _fit_vocabulary(
    model: Discriminator | Generator,
    directory: Path,
    encoder: EncoderSettings,
    vocabulary: Vocabulary,
) -> None:
    """Check that `model` has the vocabulary of `[paths]`, or replace it if the settings say so."""
    size = model.config.vocab_size
    if not any((directory / name).is_file() for name in ("tokenizer.json", "vocab.txt")):
        if size == vocabulary.size:
            return
        raise SelectraError(
            f"{directory}: has {size} embeddings and no tokenizer, but that of [paths] has "
            f"{vocabulary.size} entries; add the files of the model's tokenizer"
        )
    old = read_vocabulary(directory).pieces
    if old == vocabulary.pieces and size == vocabulary.size:
        return
    if len(old) > size:
        raise SelectraError(
            f"{directory}: the tokenizer has {len(old)} entries, but the model {size} embeddings"
        )
    if encoder.vocabulary == "replace":
        sources = embedding_sources(directory, vocabulary.pieces)
        transfer_vocabulary(model, sources, vocabulary.pad_id)
        return
    raise SelectraError(
        f"{directory}: the model's vocabulary ({size} entries) is not that of "
        f"{vocabulary.directory} ({vocabulary.size} entries); pack the corpus with the model's "
        'tokenizer, or set encoder.vocabulary = "replace"'
    )


# Using a published discriminator instead of pretraining one.


def adopt_discriminator(source: str | Path, output: str | Path, *, replace: bool = False) -> Path:
    """Copy a published ELECTRA discriminator to `output/discriminator`, as pretraining writes it.

    Args:
        source: directory or hub id of a discriminator in transformers' format.
        output: directory of the (skipped) pretraining run.
        replace: delete a pretraining run in `output`.

    Returns:
        The directory written.

    Raises:
        OtherRunError: `output` holds a pretraining run, and `replace` is not set.
        SelectraError: `source` is no such model, or a part of the run to be deleted.
    """
    target = Path(output) / "discriminator"
    directory = resolve_model(source)
    model = load_discriminator(directory)
    tokenizer = load_tokenizer(directory)  # before `replace` may delete it
    if (Path(output) / RECORD_FILE).exists():
        if not replace:
            raise OtherRunError(
                f"{output}: holds a pretraining run; use another directory for {source}"
            )
        # the source may be the run's own discriminator, which has been read above
        own = directory.resolve() == target.resolve()
        delete_run(Path(output), [] if own else [directory])
    save_model(model, target)
    # The files are not copied: published tokenizers lack settings for which transformers' defaults
    # are wrong (accents are stripped, there is no maximal length).
    tokenizer.save_pretrained(str(target))
    return target


# Training only some token embeddings.


def restrict_to_rows(model: PretrainingModel, rows: Sequence[int]) -> None:
    """Freeze all weights except `rows` of the shared token embeddings.

    Other rows get gradients of exactly 0, so that an optimiser without weight decay does not
    change them. Generator and all heads are frozen as well.

    Raises:
        SelectraError: `rows` is empty.
    """
    weight = model.discriminator.encoder.embeddings.word_embeddings.weight
    if not rows:
        raise SelectraError("there are no rows to train")
    model.requires_grad_(False)
    weight.requires_grad_(True)
    index = torch.tensor(sorted(set(rows)))

    def only_rows(gradient: Tensor) -> Tensor:
        chosen = index.to(gradient.device)
        kept = torch.zeros_like(gradient)
        kept[chosen] = gradient[chosen]
        return kept

    weight.register_hook(only_rows)
