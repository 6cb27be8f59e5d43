"""The sections of a pretraining configuration file.

Defaults without another source are SELECTRA's published recipe, which follows the
original ELECTRA code (Clark et al. 2020, tables 6 and 7).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from spacy_selectra.errors import SelectraError
from spacy_selectra.util.config import Settings, parse_settings, read_config


class PathSettings(Settings):
    """`[paths]`: what is read."""

    corpus: Path = Field(description="Directory of a packed corpus, as `corpus pack` writes it.")
    tokenizer: Path = Field(
        description="Directory of the tokenizer the corpus was packed with; gives the vocabulary."
    )


class EncoderSettings(Settings):
    """`[encoder]`: the discriminator, which is the model that is kept."""

    renamed: ClassVar[Mapping[str, str]] = {"warm_start": "init_embeddings"}
    translated: ClassVar[Mapping[str, Mapping[Any, Any]]] = {
        "init_embeddings": {True: "cooccurrence", False: "random"}
    }

    preset: str = Field(
        "small", description="Sizes: tiny, small, medium or base; ignored with `init_from`."
    )
    init_from: str | None = Field(
        None,
        description="Start from these weights instead of random ones: a pretraining output "
        "directory (both networks are taken), a discriminator's directory or its hub id.",
    )
    vocabulary: Literal["keep", "replace"] = Field(
        "keep",
        description="With init_from: keep its vocabulary (an error if [paths] names another one), "
        "or replace it by that of [paths]; entries both have keep their embeddings, new ones "
        "start from the pieces they were cut into.",
    )
    train_rows: Path | None = Field(
        None,
        description="A repair.json, as `vocab repair` writes it: train only the embeddings of the "
        "entries it names, every other weight stays as it is.",
    )
    init_embeddings: Literal["random", "cooccurrence"] = Field(
        "random",
        description="cooccurrence starts token embeddings from counts of which pieces stand "
        "together and from spelling, and some attention at the neighbouring pieces: worth it for "
        "short runs, where it saves most of the time in which nothing is learnt.",
    )
    embedding_size: int | None = Field(None, ge=1, description="Instead of the preset's.")
    hidden_size: int | None = Field(None, ge=1, description="Instead of the preset's.")
    num_hidden_layers: int | None = Field(None, ge=1, description="Instead of the preset's.")
    num_attention_heads: int | None = Field(None, ge=1, description="Instead of the preset's.")
    intermediate_size: int | None = Field(None, ge=1, description="Instead of the preset's.")
    max_position_embeddings: int | None = Field(
        None, ge=8, description="Longest sequence in pieces, instead of the preset's 512."
    )
    hidden_dropout_prob: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Dropout on embeddings and layers in pretraining, instead of 0.1.",
    )
    attention_probs_dropout_prob: float | None = Field(
        None, ge=0, lt=1, description="Dropout on attention weights in pretraining, instead of 0.1."
    )
    initializer_range: float | None = Field(
        None,
        gt=0,
        description="Standard deviation of the initial weights, instead of 0.02, which was chosen "
        "for widths of 768 and more; narrow networks learn sooner from larger weights.",
    )


class GeneratorSettings(Settings):
    """`[generator]`: the small masked language model that proposes replacements."""

    scale: float = Field(0.25, gt=0, le=1, description="Its width, as a share of the encoder's.")
    init_from: str | None = Field(
        None,
        description="Start from this generator instead of a random one: a directory or a hub id. "
        "Its embeddings are given up for those of encoder.init_from, which it was trained with.",
    )


class ObjectiveSettings(Settings):
    """`[objective]`: replaced-token detection."""

    renamed: ClassVar[Mapping[str, str]] = {
        "mask_share": "mask_prob",
        "mask_token_share": "mask_token_prob",
        "correction_weight": "corrective_lm_weight",
    }

    mask_prob: float = Field(0.15, gt=0, lt=1, description="Share of pieces to predict.")
    mask_token_prob: float = Field(
        0.85,
        ge=0,
        le=1,
        description="Share of those that become [MASK]; the rest are kept.",
    )
    mlm_weight: float = Field(1.0, ge=0, description="Weight of the generator's loss.")
    rtd_weight: float = Field(50.0, ge=0, description="Weight of the discriminator's loss.")
    corrective_lm_weight: float = Field(
        0.0,
        ge=0,
        description="Weight of naming the original of every masked piece from the discriminator's "
        "hidden states, as COCO-LM does; 0 for ELECTRA. A verdict alone lets a short run forget "
        "in its last layers which word it has read.",
    )


class OptimizerSettings(Settings):
    """`[optimizer]`: Adam with decoupled weight decay, or Muon for the matrices of the layers."""

    renamed: ClassVar[Mapping[str, str]] = {"max_gradient_norm": "max_grad_norm"}

    method: Literal["adam", "muon"] = Field(
        "adam",
        description="adam, as ELECTRA; muon learns far more from each step of a short run.",
    )
    learning_rate: float = Field(5e-4, gt=0, description="Peak learning rate.")
    weight_decay: float = Field(
        0.01, ge=0, description="On matrices only, not on LayerNorm and biases."
    )
    beta1: float = Field(0.9, ge=0, lt=1, description="Decay of the mean of gradients.")
    beta2: float = Field(0.999, ge=0, lt=1, description="Decay of the mean of their squares.")
    eps: float = Field(1e-6, gt=0, description="Added to the root of the mean square.")
    bias_correction: bool = Field(
        False, description="Correct the first steps' means, as Kingma and Ba do; ELECTRA does not."
    )
    matrix_learning_rate: float = Field(
        3e-3, gt=0, description="Muon's peak learning rate; learning_rate is for the rest."
    )
    momentum: float = Field(0.95, ge=0, lt=1, description="Muon's decay of the mean of gradients.")
    max_grad_norm: float = Field(1.0, gt=0, description="Clipping of the global norm.")


class ScheduleSettings(Settings):
    """`[schedule]`: warm-up, linear decay, warm restart."""

    warmup_steps: int = Field(
        10_000, ge=0, description="Steps of linear warm-up, after a restart again."
    )
    restart_step: int | None = Field(
        None,
        ge=1,
        description="Step at which the schedule starts anew; each part decays to 0 at its end. "
        "Not together with training.max_seconds.",
    )


class TrainingSettings(Settings):
    """`[training]`: how long, on what, and what is written meanwhile."""

    renamed: ClassVar[Mapping[str, str]] = {"accumulation": "gradient_accumulation_steps"}

    max_steps: int = Field(300_000, ge=1, description="Optimiser steps.")
    max_seconds: float | None = Field(
        None,
        gt=0,
        description="Wall-clock budget, over all resumed parts. The learning rate then decays "
        "with whichever of steps and time is nearer its end, so it still ends at 0; such a run "
        "is not reproducible to the bit, as steps depend on the clock.",
    )
    batch_size: int = Field(
        128, ge=1, description="Sequences an optimiser step, of all processes together."
    )
    gradient_accumulation_steps: int = Field(
        1,
        ge=1,
        description="Parts a batch is cut into to fit memory; changes no gradient, only the "
        "dropout noise. Times the number of processes it must divide batch_size.",
    )
    max_length: int | None = Field(
        None, ge=8, description="Cut sequences to this many pieces; null takes the corpus's."
    )
    precision: Literal["auto", "fp32", "fast", "bf16"] = Field(
        "auto",
        description="fp32; fast (the CPU library that is faster at it, still fp32-class); bf16 "
        "(mixed precision); auto takes bf16 where the device computes it natively, else fast.",
    )
    device: str = Field("auto", description="auto (a GPU if there is one), cpu, cuda, cuda:1, ...")
    compile: bool | None = Field(
        None, description="Compile the encoders with torch.compile; null does so on GPUs."
    )
    threads: int | None = Field(None, ge=1, description="CPU threads; null leaves torch's choice.")
    seed: int = Field(0, ge=0, description="Of weights, order of data, masks, samples and dropout.")
    log_every: int = Field(100, ge=1, description="Steps between rows of log.jsonl.")
    checkpoint_every: int = Field(5_000, ge=1, description="Steps between checkpoints.")
    checkpoint_seconds: float | None = Field(
        1_800.0, gt=0, description="Seconds after which one is written anyway; null for never."
    )
    keep_checkpoints: int = Field(2, ge=1, description="Newest checkpoints kept.")
    evaluate_every: int | None = Field(
        None, ge=1, description="Steps between evaluations on held-out text; null for never."
    )
    evaluate_sequences: int = Field(256, ge=1, description="Held-out sequences of an evaluation.")
    rollback_after: int = Field(
        3, ge=1, description="Batches in a row that had to be skipped before rolling back."
    )
    divergence_factor: float | None = Field(
        3.0,
        gt=1,
        description="A batch whose loss exceeds the run's lowest mean loss so many times is "
        "skipped like one whose gradient is not finite; null for no such limit.",
    )
    max_rollbacks: int = Field(3, ge=0, description="Roll-backs before the run is given up.")


class LoggingSettings(Settings):
    """`[logging]`: where the rows of log.jsonl and evaluation.jsonl are sent besides."""

    tensorboard: bool = Field(
        False, description="Also write TensorBoard event files, to tensorboard/ in the output."
    )
    wandb_project: str | None = Field(
        None, description="Also log to this project of Weights & Biases; null for not at all."
    )
    wandb_name: str | None = Field(
        None, description="Name of the run there; null lets Weights & Biases choose."
    )
    wandb_entity: str | None = Field(
        None, description="User or team there; null takes the one that is logged in."
    )
    wandb_mode: Literal["online", "offline", "disabled"] | None = Field(
        None, description="offline keeps the run on disk for `wandb sync`; null takes WANDB_MODE."
    )


class PretrainingSettings(Settings):
    """A whole pretraining configuration file."""

    paths: PathSettings
    encoder: EncoderSettings = EncoderSettings()  # pyright: ignore[reportCallIssue]
    generator: GeneratorSettings = GeneratorSettings()  # pyright: ignore[reportCallIssue]
    objective: ObjectiveSettings = ObjectiveSettings()  # pyright: ignore[reportCallIssue]
    optimizer: OptimizerSettings = OptimizerSettings()  # pyright: ignore[reportCallIssue]
    schedule: ScheduleSettings = ScheduleSettings()  # pyright: ignore[reportCallIssue]
    training: TrainingSettings = TrainingSettings()  # pyright: ignore[reportCallIssue]
    logging: LoggingSettings = LoggingSettings()  # pyright: ignore[reportCallIssue]


def read_settings(
    path: str | Path, overrides: Mapping[str, Any] | None = None
) -> PretrainingSettings:
    """Read and check a pretraining configuration.

    Raises:
        SelectraError: unreadable file, unknown key, wrong type, or values that contradict
            each other.
    """
    settings = parse_settings(PretrainingSettings, read_config(path, overrides), str(path))
    training, schedule = settings.training, settings.schedule
    if training.batch_size % training.gradient_accumulation_steps:
        raise SelectraError(
            f"{path}: training.gradient_accumulation_steps {training.gradient_accumulation_steps} "
            f"does not divide training.batch_size {training.batch_size}"
        )
    if schedule.restart_step is not None:
        if training.max_seconds is not None:
            raise SelectraError(
                f"{path}: schedule.restart_step needs a run measured in steps; "
                "set it or training.max_seconds to null"
            )
        if schedule.restart_step >= training.max_steps:
            raise SelectraError(
                f"{path}: schedule.restart_step {schedule.restart_step} is not before "
                f"training.max_steps {training.max_steps}"
            )
    return settings
