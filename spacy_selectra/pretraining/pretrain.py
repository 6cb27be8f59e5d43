"""A whole pretraining run: from settings to exported networks."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from confection import Config

from spacy_selectra.corpus.packed.format import Manifest
from spacy_selectra.corpus.packed.loader import Batch, BatchLoader, PackedCorpus
from spacy_selectra.corpus.packed.prefetch import Prefetcher
from spacy_selectra.encoder.checkpoint import save_model
from spacy_selectra.encoder.precision import precision, resolve_precision
from spacy_selectra.errors import OtherRunError, SelectraError
from spacy_selectra.pretraining.checkpoints import (
    checkpoints,
    latest_checkpoint,
    seed_process,
)
from spacy_selectra.pretraining.config import PretrainingSettings
from spacy_selectra.pretraining.evaluation.evaluate import evaluate_networks
from spacy_selectra.pretraining.initialization.build import build_model, with_default_dropout
from spacy_selectra.pretraining.initialization.cooccurrence import init_from_cooccurrence
from spacy_selectra.pretraining.masking import MaskedBatch, Masker
from spacy_selectra.pretraining.model import PretrainingModel
from spacy_selectra.pretraining.run_directory import (
    RECORD_FILE,
    add_part,
    delete_run,
    holds_run,
    other_run,
    run_identity,
    run_record,
)
from spacy_selectra.pretraining.run_log import RunLogger
from spacy_selectra.pretraining.trackers import open_trackers
from spacy_selectra.pretraining.trainer import Trainer
from spacy_selectra.text.tokenizer import Vocabulary, declare_longest_sequence, read_vocabulary
from spacy_selectra.util.distributed import World, join_world, local_device
from spacy_selectra.util.files import only_user_of, read_json, write_json, write_text
from spacy_selectra.util.signals import StopRequest

CONFIG_FILE = "config.cfg"


@dataclass(frozen=True)
class Result:
    """How a run ended.

    Attributes:
        finished: False if it was stopped and can be resumed.
        step: optimiser steps made.
        output: directory of the run.
        is_main: whether this process is the one that wrote it.
    """

    finished: bool
    step: int
    output: Path
    is_main: bool = True


def pretrain(
    settings: PretrainingSettings,
    output: Path,
    *,
    resume: Literal["auto", "never"] = "auto",
    replace: bool = False,
    quiet: bool = False,
) -> Result:
    """Pretrain, or go on with a run that was stopped.

    Args:
        settings: the configuration.
        output: gets config.cfg, run.json, log.jsonl, evaluation.jsonl, checkpoint-STEP/ and in
            the end discriminator/ and generator/ in transformers' format.
        resume: "auto" goes on from the newest whole checkpoint in `output`, if any; "never"
            refuses a directory that holds anything.
        replace: a run on other data or settings in `output` is deleted and this one started.
        quiet: no progress on stderr.

    Raises:
        OtherRunError: `output` holds such a run, and `replace` is not set.
        SelectraError: data, tokenizer and settings do not fit together, `output` holds
            something else, files cannot be written, or training diverged too often.
    """
    device = local_device(pick_device(settings.training.device))
    if settings.training.threads is not None:
        torch.set_num_threads(settings.training.threads)
    with (
        StopRequest() as stop,
        join_world(device) as world,
        only_user_of(output) if world.is_main else nullcontext(),
    ):
        return _pretrain(settings, output, resume, replace, quiet, device, world, stop)


def _pretrain(
    settings: PretrainingSettings,
    output: Path,
    resume: str,
    replace: bool,
    quiet: bool,
    device: torch.device,
    world: World,
    stop: StopRequest,
) -> Result:
    training = settings.training
    resuming = world.from_main(holds_run(output, resume) if world.is_main else False)
    tokenizer, data = settings.paths.tokenizer, settings.paths.corpus
    corpus = PackedCorpus(data, "train", tokenizer=tokenizer)
    vocabulary = read_vocabulary(tokenizer)
    identity = run_identity(settings, corpus.manifest)
    problem = other_run(output, identity) if resuming and world.is_main else None
    if problem := world.from_main(problem):
        if not replace:
            raise OtherRunError(problem)
        if world.is_main:
            delete_run(output)
        resuming = False
    # a kill may come after the record and before the first checkpoint
    known = world.from_main(bool(checkpoints(output)) if world.is_main else False)

    torch.manual_seed(training.seed)
    model = build_model(settings, vocabulary.size, vocabulary.pad_id)
    if settings.encoder.init_embeddings == "cooccurrence" and not known:
        init_from_cooccurrence(model, corpus, vocabulary, training.seed)
    model = model.to(device)
    if world.rank:
        seed_process(world, training.seed)
    _check_length(model, corpus.manifest, training.max_length)
    masker = _masker(settings, vocabulary, corpus.manifest)
    mode = resolve_precision(training.precision, device)
    if not resuming and world.is_main:
        record = run_record(identity, settings, corpus.manifest, device, mode, world.size)
        write_json(output / RECORD_FILE, record)
    if world.is_main:
        text = Config(settings.model_dump(mode="json")).to_str()
        write_text(output / CONFIG_FILE, text + "\n")

    def prepare(batch: Batch) -> MaskedBatch:
        masked = masker(batch.input_ids, batch.lengths, batch.type_ids, batch.first)
        if device.type == "cuda":
            return masked.pin()
        with precision(mode, device):
            masked.layout  # noqa: B018 - computed here, in the background
        return masked

    loader = _loader(settings, corpus, world)
    evaluate = _evaluation(settings, model, masker) if world.is_main else None
    with Prefetcher(loader, prepare) as batches:
        if training.compile or (training.compile is None and device.type == "cuda"):
            model.compile_encoders()
        trainer = Trainer(model, batches, settings, output, world, evaluate, quiet)
        _warn_of_unread(trainer.journal, corpus.manifest, training.max_length)
        if known:
            trainer.restore(latest_checkpoint(output) if world.is_main else None)
        if world.is_main:
            if resuming and not trainer.finished:
                record = read_json(output / RECORD_FILE)
                record = add_part(record, device, mode, world.size, step=trainer.step)
                write_json(output / RECORD_FILE, record)
            values = settings.model_dump(mode="json")
            trainer.journal.trackers = open_trackers(
                settings.logging, output, values, trainer.step if resuming else None
            )
        try:
            finished = trainer.train(stop)
            if finished and world.is_main:
                _export(model, output, tokenizer, _trained_positions(settings, corpus))
        finally:
            trainer.journal.trackers.close()
    world.wait()
    return Result(finished, trainer.step, output, world.is_main)


def _masker(settings: PretrainingSettings, vocabulary: Vocabulary, manifest: Manifest) -> Masker:
    return Masker(
        vocabulary.size,
        vocabulary.special_ids,
        vocabulary.mask_id,
        settings.objective.mask_prob,
        settings.objective.mask_token_prob,
        seed=settings.training.seed,
        longest=manifest.sequence_length,
    )


def _loader(settings: PretrainingSettings, corpus: PackedCorpus, world: World) -> BatchLoader:
    training = settings.training
    share, rest = divmod(training.batch_size, training.gradient_accumulation_steps * world.size)
    if rest:
        raise SelectraError(
            f"training.batch_size {training.batch_size} cannot be divided among {world.size} "
            f"processes in {training.gradient_accumulation_steps} parts"
        )
    return BatchLoader(
        corpus,
        share,
        seed=training.seed,
        rank=world.rank,
        world_size=world.size,
        max_length=training.max_length,
    )


def _evaluation(
    settings: PretrainingSettings, model: PretrainingModel, masker: Masker
) -> Callable[[Callable[[], None]], dict[str, float]] | None:
    training = settings.training
    if training.evaluate_every is None:
        return None
    heldout = PackedCorpus(settings.paths.corpus, "heldout", tokenizer=settings.paths.tokenizer)

    def evaluate(look: Callable[[], None]) -> dict[str, float]:
        return evaluate_networks(
            model.generator,
            model.discriminator,
            heldout,
            masker,
            sequences=training.evaluate_sequences,
            max_length=training.max_length,
            mode=training.precision,
            progress=lambda sequences: look(),
        )

    return evaluate


def _export(model: PretrainingModel, output: Path, tokenizer: Path, positions: int | None) -> None:
    networks = {"discriminator": model.discriminator, "generator": model.generator}
    with tempfile.TemporaryDirectory() as scratch:
        declaring = Path(scratch) / "tokenizer"
        shutil.copytree(tokenizer, declaring)
        if positions is not None:
            declare_longest_sequence(declaring, positions)
        for name, network in networks.items():
            network.config = with_default_dropout(network.config)
            save_model(network, output / name, tokenizer=declaring)


def _trained_positions(settings: PretrainingSettings, corpus: PackedCorpus) -> int | None:
    """How many positions this run reaches; None if an earlier one may have reached more."""
    if settings.encoder.init_from is not None:
        return None
    return _longest(corpus.manifest, settings.training.max_length)


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


def _check_length(model: PretrainingModel, manifest: Manifest, max_length: int | None) -> None:
    positions = model.discriminator.config.max_position_embeddings
    positions = min(positions, model.generator.config.max_position_embeddings)
    longest = _longest(manifest, max_length)
    if longest > positions:
        raise SelectraError(
            f"sequences of up to {longest} pieces, the encoder has {positions} positions; "
            "set training.max_length or encoder.max_position_embeddings"
        )


def _warn_of_unread(run_logger: RunLogger, manifest: Manifest, max_length: int | None) -> None:
    longest = _longest(manifest, max_length)
    if longest < manifest.sequence_length:
        run_logger.warn(
            f"sequences of up to {manifest.sequence_length} pieces were packed, of which only the "
            f"first {longest} are read; pack with --length {longest} to read all of the text"
        )


def _longest(manifest: Manifest, max_length: int | None) -> int:
    """Most pieces of a sequence in training."""
    return min(manifest.sequence_length, max_length or manifest.sequence_length)
