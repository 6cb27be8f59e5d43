"""The sections of a pretraining configuration file.

Defaults without another source are SELECTRA's published recipe, which follows the
original ELECTRA code (Clark et al. 2020, tables 6 and 7).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from spacy_selectra.pretraining.network_settings import (
    EncoderSettings,
    GeneratorSettings,
    check_networks,
)
from spacy_selectra.util.settings import Settings, parse_settings, read_config


class PathSettings(Settings):
    """`[paths]`: corpus and tokenizer."""

    corpus: Path = Field(description="Directory of a packed corpus, as written by `corpus pack`.")
    tokenizer: Path = Field(
        description="Directory of the tokenizer the corpus was packed with; it sets the vocabulary."
    )


class ObjectiveSettings(Settings):
    """`[objective]`: replaced-token detection."""

    renamed: ClassVar[Mapping[str, str]] = {
        "mask_share": "mask_prob",
        "mask_token_share": "mask_token_prob",
        "correction_weight": "corrective_lm_weight",
    }

    mask_prob: float = Field(0.15, gt=0, lt=1, description="Share of the pieces to be predicted.")
    mask_token_prob: float = Field(
        0.85,
        ge=0,
        le=1,
        description="Share of these that become [MASK]; the others stay as they are.",
    )
    mlm_weight: float = Field(
        1.0, ge=0, description="Weight of the generator's loss (masked language modelling)."
    )
    rtd_weight: float = Field(
        50.0, ge=0, description="Weight of the discriminator's loss (replaced-token detection)."
    )
    corrective_lm_weight: float = Field(
        0.0,
        ge=0,
        description="Weight of the corrective LM head (COCO-LM), with which the discriminator also "
        "predicts the original of every masked piece; 0 for none, as in ELECTRA.",
    )


class OptimizerSettings(Settings):
    """`[optimizer]`: Adam with decoupled weight decay, or Muon for the matrices of the layers."""

    renamed: ClassVar[Mapping[str, str]] = {"max_gradient_norm": "max_grad_norm"}

    method: Literal["adam", "muon"] = Field(
        "adam",
        description="adam, as in ELECTRA, or muon for the matrices of the layers and Adam for "
        "everything else. In short runs Muon makes more progress per step.",
    )
    learning_rate: float = Field(5e-4, gt=0, description="Peak learning rate of Adam.")
    weight_decay: float = Field(
        0.01, ge=0, description="Weight decay of matrices; biases and LayerNorms have none."
    )
    beta1: float = Field(
        0.9, ge=0, lt=1, description="Decay of Adam's first moment, the mean of the gradients."
    )
    beta2: float = Field(
        0.999, ge=0, lt=1, description="Decay of Adam's second moment, the mean of their squares."
    )
    eps: float = Field(1e-6, gt=0, description="Added to the square root of Adam's second moment.")
    bias_correction: bool = Field(
        False,
        description="Adam's bias correction (Kingma and Ba 2015), which ELECTRA leaves out.",
    )
    matrix_learning_rate: float = Field(
        3e-3,
        gt=0,
        description="Muon's peak learning rate.",
    )
    momentum: float = Field(0.95, ge=0, lt=1, description="Muon's momentum.")
    max_grad_norm: float = Field(
        1.0, gt=0, description="Gradients are clipped to this global norm."
    )


class ScheduleSettings(Settings):
    """`[schedule]`: the learning rate over the run: warm-up, linear decay, warm restart."""

    warmup_steps: int = Field(
        10_000, ge=0, description="Steps of linear warm-up, also after a restart."
    )
    restart_step: int | None = Field(
        None,
        ge=1,
        description="Step at which the schedule starts again (warm restart); each part decays to "
        "0. Cannot be combined with training.max_seconds.",
    )


class TrainingSettings(Settings):
    """`[training]`: length of the run, batches, hardware, logs, checkpoints and safeguards."""

    renamed: ClassVar[Mapping[str, str]] = {"accumulation": "gradient_accumulation_steps"}

    max_steps: int = Field(300_000, ge=1, description="Optimizer steps.")
    max_seconds: float | None = Field(
        None,
        gt=0,
        description="Time budget in seconds, resumed parts included. The learning rate decays with "
        "the share of steps or of time used, whichever is larger, so it still ends at 0. Such a "
        "run is not reproducible bit for bit, as its number of steps depends on the clock.",
    )
    batch_size: int = Field(
        128, ge=1, description="Sequences per optimizer step, summed over all processes."
    )
    gradient_accumulation_steps: int = Field(
        1,
        ge=1,
        description="Number of parts a batch is split into, to save memory. Gradients are the same "
        "apart from dropout. batch_size must be divisible by this times the number of processes.",
    )
    max_length: int | None = Field(
        None, ge=8, description="Truncate sequences to this many pieces; null keeps their length."
    )
    precision: Literal["auto", "fp32", "fast", "bf16"] = Field(
        "auto",
        description="fp32; fast (float32 by the faster CPU library); bf16 (mixed precision); or "
        "auto: bf16 if the hardware supports it, else fast.",
    )
    device: str = Field("auto", description="auto (a GPU if there is one), cpu, cuda, cuda:1, ...")
    compile: bool | None = Field(
        None, description="Compile the encoders with torch.compile; null for GPUs only."
    )
    threads: int | None = Field(None, ge=1, description="CPU threads; null for torch's choice.")
    seed: int = Field(
        0,
        ge=0,
        description="Seed of initial weights, data order, masks, generator samples and dropout.",
    )
    log_every: int = Field(100, ge=1, description="Steps between rows of log.jsonl.")
    checkpoint_every: int = Field(5_000, ge=1, description="Steps between checkpoints.")
    checkpoint_seconds: float | None = Field(
        1_800.0,
        gt=0,
        description="Seconds since the last checkpoint after which another is written in any case; "
        "null for no limit.",
    )
    keep_checkpoints: int = Field(2, ge=1, description="Number of checkpoints to keep.")
    evaluate_every: int | None = Field(
        None, ge=1, description="Steps between evaluations on held-out text; null for never."
    )
    evaluate_sequences: int = Field(256, ge=1, description="Held-out sequences per evaluation.")
    rollback_after: int = Field(
        3,
        ge=1,
        description="Number of batches skipped in a row after which the run goes back to a "
        "checkpoint.",
    )
    divergence_factor: float | None = Field(
        3.0,
        gt=1,
        description="Skip a batch whose loss exceeds the run's lowest mean loss by this factor; "
        "null for no limit. A batch with a loss or gradient that is not finite is always skipped.",
    )
    max_rollbacks: int = Field(
        3, ge=0, description="Number of rollbacks to a checkpoint after which the run fails."
    )


class LoggingSettings(Settings):
    """`[logging]`: trackers that get the rows of log.jsonl and evaluation.jsonl as well.

    They need `pip install 'spacy-selectra[tracking]'`.
    """

    tensorboard: bool = Field(
        False, description="Write TensorBoard event files to tensorboard/ in the output directory."
    )
    wandb_project: str | None = Field(
        None, description="Project of Weights & Biases to log to; null for none."
    )
    wandb_name: str | None = Field(
        None, description="Name of the Weights & Biases run; null for a generated name."
    )
    wandb_entity: str | None = Field(
        None, description="User or team at Weights & Biases; null for the one that is logged in."
    )
    wandb_mode: Literal["online", "offline", "disabled"] | None = Field(
        None,
        description="offline keeps the run on disk for `wandb sync`; null for the value of the "
        "environment variable WANDB_MODE.",
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

    @model_validator(mode="after")
    def _check(self) -> PretrainingSettings:
        """Raise ValueError if sections contradict each other."""
        training, schedule = self.training, self.schedule
        if training.batch_size % training.gradient_accumulation_steps:
            raise ValueError(
                f"training.gradient_accumulation_steps {training.gradient_accumulation_steps} "
                f"does not divide training.batch_size {training.batch_size}"
            )
        if schedule.restart_step is not None:
            if training.max_seconds is not None:
                raise ValueError(
                    "schedule.restart_step cannot be combined with training.max_seconds; "
                    "set one of them to null"
                )
            if schedule.restart_step >= training.max_steps:
                raise ValueError(
                    f"schedule.restart_step {schedule.restart_step} is not before "
                    f"training.max_steps {training.max_steps}"
                )
        corrective_lm = self.objective.corrective_lm_weight > 0
        check_networks(self.encoder, self.generator, corrective_lm=corrective_lm)
        return self


def read_settings(
    path: str | Path, overrides: Mapping[str, Any] | None = None
) -> PretrainingSettings:
    """Read and check a pretraining configuration.

    Raises:
        SelectraError: unreadable file, unknown key, wrong type, or values that contradict
            each other.
    """
    return parse_settings(PretrainingSettings, read_config(path, overrides), str(path))
