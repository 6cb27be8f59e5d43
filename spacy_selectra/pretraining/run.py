"""A whole pretraining run: from settings to exported networks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from confection import Config

from spacy_selectra.corpus.loader import BatchLoader, PackedCorpus
from spacy_selectra.corpus.manifest import Manifest
from spacy_selectra.corpus.prefetch import Prefetcher
from spacy_selectra.encoder.checkpoint import save_model
from spacy_selectra.encoder.precision import resolve_precision
from spacy_selectra.errors import SelectraError
from spacy_selectra.files import read_json, write_json, write_text
from spacy_selectra.pretraining.build import build_model, with_default_dropout
from spacy_selectra.pretraining.checkpoints import latest_checkpoint, remove_leftovers
from spacy_selectra.pretraining.evaluation import evaluate_networks
from spacy_selectra.pretraining.masking import Masker
from spacy_selectra.pretraining.model import PretrainingModel
from spacy_selectra.pretraining.record import (
    RECORD_FILE,
    check_identity,
    run_identity,
    run_record,
)
from spacy_selectra.pretraining.settings import PretrainingSettings
from spacy_selectra.pretraining.trainer import Trainer
from spacy_selectra.pretraining.vocabulary import read_vocabulary
from spacy_selectra.pretraining.warm_start import warm_start
from spacy_selectra.signals import StopRequest

CONFIG_FILE = "config.cfg"


@dataclass(frozen=True)
class Result:
    """How a run ended.

    Attributes:
        finished: False if it was stopped and can be resumed.
        step: optimiser steps made.
        output: directory of the run.
    """

    finished: bool
    step: int
    output: Path


def pretrain(
    settings: PretrainingSettings,
    output: Path,
    *,
    resume: Literal["auto", "never"] = "auto",
    quiet: bool = False,
) -> Result:
    """Pretrain, or go on with a run that was stopped.

    Args:
        settings: the configuration.
        output: gets config.cfg, run.json, log.jsonl, evaluation.jsonl, checkpoint-STEP/ and in
            the end discriminator/ and generator/ in transformers' format.
        resume: "auto" goes on from the newest whole checkpoint in `output`, if any; "never"
            refuses a directory that holds anything.
        quiet: no progress on stderr.

    Raises:
        SelectraError: data, tokenizer and settings do not fit together, `output` holds
            something else, files cannot be written, or training diverged too often.
    """
    resuming = _check_output(output, resume)
    training = settings.training
    if training.threads is not None:
        torch.set_num_threads(training.threads)
    device = pick_device(training.device)
    tokenizer, data = settings.paths.tokenizer, settings.paths.corpus
    corpus = PackedCorpus(data, "train", tokenizer=tokenizer)
    vocabulary = read_vocabulary(tokenizer)
    identity = run_identity(settings, corpus.manifest)
    if resuming:
        check_identity(read_json(output / RECORD_FILE)["identity"], identity, str(output))

    torch.manual_seed(training.seed)
    model = build_model(settings, vocabulary.size, vocabulary.pad_id)
    if settings.encoder.warm_start and not resuming:
        warm_start(model, corpus, vocabulary, training.seed)
    model = model.to(device)
    _check_length(model, corpus.manifest, training.max_length)
    masker = Masker(
        vocabulary.size,
        vocabulary.special_ids,
        vocabulary.mask_id,
        settings.objective.mask_share,
        settings.objective.mask_token_share,
    )
    loader = BatchLoader(
        corpus,
        training.batch_size // training.accumulation,
        seed=training.seed,
        max_length=training.max_length,
    )
    evaluate = None
    if training.evaluate_every is not None:
        heldout = PackedCorpus(data, "heldout", tokenizer=tokenizer)
        evaluate = partial(
            evaluate_networks,
            model.generator,
            model.discriminator,
            heldout,
            masker,
            sequences=training.evaluate_sequences,
            max_length=training.max_length,
            mode=training.precision,
        )
    if not resuming:
        mode = resolve_precision(training.precision, device)
        write_json(output / RECORD_FILE, run_record(identity, device, mode))
    write_text(output / CONFIG_FILE, Config(settings.model_dump(mode="json")).to_str() + "\n")
    with Prefetcher(loader) as batches:
        trainer = Trainer(model, batches, masker, settings, output, evaluate, quiet)
        if resuming and (checkpoint := latest_checkpoint(output)) is not None:
            trainer.restore(checkpoint)
        with StopRequest() as stop:
            finished = trainer.train(stop)
    if finished:
        for network, name in (
            (model.discriminator, "discriminator"),
            (model.generator, "generator"),
        ):
            network.config = with_default_dropout(network.config)
            save_model(network, output / name, tokenizer=tokenizer)
    return Result(finished, trainer.step, output)


def pick_device(name: str) -> torch.device:
    """The device a setting names; "auto" is a GPU if there is one.

    Raises:
        SelectraError: there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise SelectraError(f"device '{name}' is not available here: {error}") from error
    return device


def _check_output(output: Path, resume: str) -> bool:
    """Whether `output` holds a run to resume."""
    if output.exists() and not output.is_dir():
        raise SelectraError(f"{output}: is a file, not a directory")
    remove_leftovers(output)
    if not output.is_dir() or not any(output.iterdir()):
        return False
    if resume == "never":
        raise SelectraError(
            f"{output}: is not empty; use another directory, or --resume auto to go on with it"
        )
    if not (output / RECORD_FILE).is_file():
        raise SelectraError(f"{output}: is not empty and holds no pretraining run; use another")
    return True


def _check_length(model: PretrainingModel, manifest: Manifest, max_length: int | None) -> None:
    positions = model.discriminator.config.max_position_embeddings
    positions = min(positions, model.generator.config.max_position_embeddings)
    longest = manifest.sequence_length
    if max_length is not None:
        longest = min(longest, max_length)
    if longest > positions:
        raise SelectraError(
            f"sequences of up to {longest} pieces, the encoder has {positions} positions; "
            "set training.max_length or encoder.max_position_embeddings"
        )
