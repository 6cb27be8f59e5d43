"""A whole pretraining run: from settings to exported networks."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from confection import Config

from spacy_selectra.corpus.packed.format import Batch, PackedCorpus
from spacy_selectra.corpus.packed.loader import BatchLoader, Prefetcher
from spacy_selectra.encoder.checkpoint import save_model
from spacy_selectra.encoder.config import DROPOUTS, EncoderConfig
from spacy_selectra.encoder.precision import precision, resolve_precision
from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.checkpoints import seed_process
from spacy_selectra.pretraining.config import PretrainingSettings, TrainingSettings
from spacy_selectra.pretraining.evaluation.evaluate import Heldout
from spacy_selectra.pretraining.initialization.accent_repair import read_rows
from spacy_selectra.pretraining.initialization.cooccurrence import init_from_cooccurrence
from spacy_selectra.pretraining.initialization.init_from import (
    load_networks,
    restrict_to_rows,
    trained_positions,
)
from spacy_selectra.pretraining.masking import MaskedBatch, Masker
from spacy_selectra.pretraining.model import PretrainingModel, new_networks
from spacy_selectra.pretraining.optimizer import Schedule, build_optimizer
from spacy_selectra.pretraining.run_directory import (
    RECORD_FILE,
    add_part,
    open_run,
    run_identity,
    run_record,
)
from spacy_selectra.pretraining.run_log import RunLogger
from spacy_selectra.pretraining.step import Guard, TrainingStep
from spacy_selectra.pretraining.trackers import Trackers, open_trackers
from spacy_selectra.pretraining.trainer import Trainer
from spacy_selectra.text.tokenizer import Vocabulary, declare_longest_sequence, read_vocabulary
from spacy_selectra.util.distributed import Process, World, join_world, pick_device
from spacy_selectra.util.extras import required
from spacy_selectra.util.files import only_user_of, read_json, write_json, write_text
from spacy_selectra.util.signals import StopRequest

CONFIG_FILE = "config.cfg"


@dataclass(frozen=True)
class Result:
    """How a run ended.

    Attributes:
        finished: False if it was stopped and can be resumed.
        step: optimiser steps done.
        output: directory of the run.
        is_main: whether this is the main process, which writes all files.
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
    """Pretrain, or resume a run that was stopped.

    Args:
        settings: the configuration.
        output: gets config.cfg, run.json, log.jsonl, evaluation.jsonl, checkpoint-STEP/ and in
            the end discriminator/ and generator/ in transformers' format.
        resume: "auto" resumes from the newest intact checkpoint in `output`, if any; "never"
            requires an empty directory.
        replace: delete a run with other data or settings in `output` and start this one.
        quiet: no progress on stderr.

    Raises:
        OtherRunError: `output` holds a run with other data or settings; `replace` is not set.
        SelectraError: data, tokenizer and settings do not fit together, `output` holds
            something else, files cannot be written, or training diverged too often.
    """
    process = Process.of_environment()
    device = pick_device(settings.training.device, process)
    if settings.training.threads is not None:
        torch.set_num_threads(settings.training.threads)
    with (
        StopRequest() as stop,
        join_world(process, device) as world,
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
    mode = resolve_precision(training.precision, device)
    vocabulary = read_vocabulary(settings.paths.tokenizer)
    corpus = PackedCorpus(settings.paths.corpus, "train", vocabulary)
    packed_length = corpus.manifest.sequence_length
    longest = min(packed_length, training.max_length or packed_length)

    identity = run_identity(settings, corpus.manifest)
    paths = settings.paths
    sources = [paths.corpus, paths.tokenizer, settings.encoder.init_from]
    sources = [str(source) for source in (*sources, settings.generator.init_from) if source]
    checkpoint = world.in_main(
        lambda: open_run(output, identity, resume=resume, replace=replace, sources=sources)
    )
    start = world.from_main(checkpoint.step if checkpoint else None)  # None: a new run

    torch.manual_seed(training.seed)
    model = build_model(settings, vocabulary)
    _check_length(model, longest)
    # now and not in the end, when a checkpoint or the hub may be out of reach
    source = settings.encoder.init_from
    trained = max(longest, 0 if source is None else trained_positions(source))
    if settings.encoder.init_embeddings == "cooccurrence" and start is None:
        init_from_cooccurrence(model, corpus, vocabulary, training.seed)
    model = model.to(device)
    if world.rank:
        seed_process(world, training.seed)
    optimizer = build_optimizer(dict(model.named_parameters()), settings.optimizer)
    guard = Guard(training.divergence_factor, device)
    max_norm = settings.optimizer.max_grad_norm
    make_step = TrainingStep(model, optimizer, guard, mode, max_norm, world)
    if training.compile or (training.compile is None and device.type == "cuda"):
        model.compile_encoders()

    masker = Masker(
        vocabulary.size,
        vocabulary.special_ids,
        vocabulary.mask_id,
        settings.objective.mask_prob,
        settings.objective.mask_token_prob,
        seed=training.seed,
        longest=packed_length,
    )
    loader = batch_loader(corpus, training, world)
    heldout = None
    trackers = Trackers()
    if world.is_main:
        if training.evaluate_every is not None:
            required("sklearn.metrics")  # fail now, not at the first evaluation
            heldout = Heldout(
                PackedCorpus(settings.paths.corpus, "heldout", vocabulary),
                masker.with_seed(0),
                training.max_length,
                training.evaluate_sequences,
                mode,
            )
        values = settings.model_dump(mode="json")
        if start is None:  # first of all files: a directory without it cannot be resumed
            record = run_record(identity, settings, corpus.manifest, device, mode, world.size)
            write_json(output / RECORD_FILE, record)
        write_text(output / CONFIG_FILE, Config(values).to_str() + "\n")
        trackers = open_trackers(settings.logging, output, values, start)

    with trackers, Prefetcher(loader, partial(_prepare, masker, device, mode)) as batches:
        run_log = RunLogger(model, training, output, world, trackers, start or 0)
        if longest < packed_length:
            run_log.warn(
                f"sequences of up to {packed_length} pieces are truncated to {longest}; pack the "
                f"corpus with --length {longest} to train on all of the text"
            )
        schedule = Schedule(
            peak=settings.optimizer.learning_rate,
            max_steps=training.max_steps,
            warmup_steps=settings.schedule.warmup_steps,
            restart_step=settings.schedule.restart_step,
        )
        trainer = Trainer(make_step, batches, schedule, training, output, run_log, heldout, quiet)
        if start is not None:
            trainer.restore(checkpoint)
            del checkpoint  # as large as the model and its optimiser
            if world.is_main and not trainer.finished:
                record = read_json(output / RECORD_FILE)
                record = add_part(record, device, mode, world.size, step=start)
                write_json(output / RECORD_FILE, record)
        finished = trainer.train(stop)
        if finished and world.is_main:
            _export(model, output, settings.paths.tokenizer, trained)
    world.wait()
    return Result(finished, trainer.step, output, world.is_main)


def build_model(settings: PretrainingSettings, vocabulary: Vocabulary) -> PretrainingModel:
    """Both networks, with random weights or those of `init_from`.

    With `encoder.train_rows`, all weights except some rows of the token embeddings are frozen.
    Random weights come from torch's global generator.

    Raises:
        SelectraError: sizes that do not fit together, no model at `init_from`, or a checkpoint
            with another vocabulary and `encoder.vocabulary` is "keep".
    """
    encoder, generator, objective = settings.encoder, settings.generator, settings.objective
    if encoder.init_from is None:
        networks = new_networks(encoder, generator, vocabulary.size, vocabulary.pad_id)
    else:
        networks = load_networks(encoder, generator, vocabulary)
    weights = objective.mlm_weight, objective.rtd_weight, objective.corrective_lm_weight
    model = PretrainingModel(*networks, *weights)
    if encoder.train_rows is not None:
        restrict_to_rows(model, read_rows(encoder.train_rows, vocabulary.pieces))
    return model


def _check_length(model: PretrainingModel, longest: int) -> None:
    networks = model.discriminator, model.generator
    positions = min(network.config.max_position_embeddings for network in networks)
    if longest > positions:
        raise SelectraError(
            f"sequences have up to {longest} pieces, but the encoder has only {positions} "
            "positions; set training.max_length or encoder.max_position_embeddings"
        )


def batch_loader(corpus: PackedCorpus, training: TrainingSettings, world: World) -> BatchLoader:
    """Batches of this process: its share of one gradient accumulation step each.

    Raises:
        SelectraError: the batch size is not divisible by processes and accumulation steps.
    """
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


def _prepare(masker: Masker, device: torch.device, mode: str, batch: Batch) -> MaskedBatch:
    """Mask a batch; runs in the prefetching thread."""
    masked = masker(batch.input_ids, batch.lengths, batch.type_ids, batch.first)
    if device.type == "cuda":
        return masked.pin()
    with precision(mode, device):
        masked.layout  # noqa: B018 - computed and kept
    return masked


def _export(model: PretrainingModel, output: Path, tokenizer: Path, longest: int) -> None:
    """Write both networks; `longest` is the number of trained positions."""
    # fine-tuning should not inherit the dropout of pretraining, which is often 0
    defaults = {name: EncoderConfig.__dataclass_fields__[name].default for name in DROPOUTS}
    networks = {"discriminator": model.discriminator, "generator": model.generator}
    with tempfile.TemporaryDirectory() as scratch:
        declaring = Path(scratch) / "tokenizer"
        shutil.copytree(tokenizer, declaring)
        declare_longest_sequence(declaring, longest)
        for name, network in networks.items():
            network.config = dataclasses.replace(network.config, **defaults)
            save_model(network, output / name, tokenizer=declaring)
