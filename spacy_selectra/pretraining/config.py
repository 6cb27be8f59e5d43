"""The sections of a pretraining configuration file.

Defaults without another source are SELECTRA's published recipe, which follows the
original ELECTRA code (Clark et al. 2020, tables 6 and 7).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from spacy_selectra.util.settings import Settings, parse_settings, read_config


class PathSettings(Settings):
    """`[paths]`: what is read."""

    corpus: Path = Field(description="Directory of a packed corpus, as written by `corpus pack`.")
    tokenizer: Path = Field(
        description="Directory of the tokenizer the corpus was packed with; it sets the vocabulary."
    )


def _size() -> Any:
    return Field(None, ge=1, description="Replaces the size of the preset; null keeps it.")


class EncoderSettings(Settings):
    """`[encoder]`: the discriminator, which is the model that is kept."""

    renamed: ClassVar[Mapping[str, str]] = {"warm_start": "init_embeddings"}
    translated: ClassVar[Mapping[str, Mapping[Any, Any]]] = {
        "init_embeddings": {True: "cooccurrence", False: "random"}
    }

    preset: str = Field(
        "small",
        description="Sizes of the network: tiny, small, medium or base. Ignored with `init_from`.",
    )
    init_from: str | None = Field(
        None,
        description="Start from these weights instead of random ones: the output directory of a "
        "pretraining (both networks are used), or a discriminator's directory or hub id.",
    )
    vocabulary: Literal["keep", "replace"] = Field(
        "keep",
        description="With `init_from`: keep its vocabulary (an error if [paths] has another) or "
        "replace it by that of [paths]. Entries that both have keep their embeddings; new ones "
        "start from the pieces that they used to be split into.",
    )
    stack: int = Field(
        1,
        ge=1,
        description="With `init_from`: how often its layers are stacked upon each other. Half as "
        "many layers take half the time while everything is still learnt quickly.",
    )
    train_rows: Path | None = Field(
        None,
        description="A repair.json, as written by `vocab repair`: train only the embeddings of the "
        "entries it lists and leave all other weights unchanged.",
    )
    init_embeddings: Literal["random", "cooccurrence"] = Field(
        "random",
        description="cooccurrence computes the first token embeddings from counts of neighbouring "
        "pieces and from spelling, and lets some attention heads start by looking at the pieces "
        "next to them. It saves short runs most of the time in which nothing is learnt.",
    )
    embedding_size: int | None = _size()
    hidden_size: int | None = _size()
    num_hidden_layers: int | None = _size()
    num_attention_heads: int | None = _size()
    intermediate_size: int | None = _size()
    max_position_embeddings: int | None = Field(
        None, ge=8, description="Longest sequence in pieces; null for the preset's 512."
    )
    hidden_dropout_prob: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Dropout on embeddings and layers in pretraining; null for 0.1.",
    )
    attention_probs_dropout_prob: float | None = Field(
        None, ge=0, lt=1, description="Dropout on attention weights in pretraining; null for 0.1."
    )
    initializer_range: float | None = Field(
        None,
        gt=0,
        description="Standard deviation of the initial weights; null for 0.02, which suits widths "
        "of 768 and more. Narrow networks learn faster from larger weights.",
    )

    def sizes(self) -> dict[str, Any]:
        """What is set of a configuration's sizes and probabilities, the preset aside."""
        others = {"preset", "init_from", "vocabulary", "stack", "train_rows", "init_embeddings"}
        return self.model_dump(exclude=others, exclude_none=True)


class GeneratorSettings(Settings):
    """`[generator]`: the small masked language model that proposes replacements."""

    scale: float = Field(0.25, gt=0, le=1, description="Its width as a fraction of the encoder's.")
    init_from: str | None = Field(
        None,
        description="Start from this generator instead of a random one: a directory or a hub id. "
        "Its embeddings are replaced by those of encoder.init_from, which it was trained with.",
    )


class ObjectiveSettings(Settings):
    """`[objective]`: replaced-token detection."""

    renamed: ClassVar[Mapping[str, str]] = {
        "mask_share": "mask_prob",
        "mask_token_share": "mask_token_prob",
        "correction_weight": "corrective_lm_weight",
    }

    mask_prob: float = Field(
        0.15, gt=0, lt=1, description="Share of the pieces that are predicted."
    )
    mask_token_prob: float = Field(
        0.85,
        ge=0,
        le=1,
        description="Share of the predicted pieces that become [MASK]; the others stay.",
    )
    mlm_weight: float = Field(1.0, ge=0, description="Weight of the generator's loss.")
    rtd_weight: float = Field(50.0, ge=0, description="Weight of the discriminator's loss.")
    corrective_lm_weight: float = Field(
        0.0,
        ge=0,
        description="Weight of corrective language modelling (COCO-LM): the discriminator also "
        "predicts the original of every masked piece. 0, as in ELECTRA, for none.",
    )


class OptimizerSettings(Settings):
    """`[optimizer]`: Adam with decoupled weight decay, or Muon for the matrices of the layers."""

    renamed: ClassVar[Mapping[str, str]] = {"max_gradient_norm": "max_grad_norm"}

    method: Literal["adam", "muon"] = Field(
        "adam",
        description="adam, as in ELECTRA, or muon for the matrices of the layers, which learns far "
        "more from each step of a short run.",
    )
    learning_rate: float = Field(5e-4, gt=0, description="Peak learning rate of Adam.")
    weight_decay: float = Field(
        0.01, ge=0, description="Decay of matrices; biases and LayerNorms have none."
    )
    beta1: float = Field(0.9, ge=0, lt=1, description="Adam's decay of the mean of the gradients.")
    beta2: float = Field(
        0.999, ge=0, lt=1, description="Adam's decay of the mean of their squares."
    )
    eps: float = Field(
        1e-6, gt=0, description="Added to the root of the mean square of the gradients."
    )
    bias_correction: bool = Field(
        False,
        description="Correct both means in the first steps (Kingma and Ba 2015); ELECTRA does not.",
    )
    matrix_learning_rate: float = Field(
        3e-3,
        gt=0,
        description="Muon's peak learning rate; all other weights are Adam's.",
    )
    momentum: float = Field(0.95, ge=0, lt=1, description="Muon's momentum.")
    max_grad_norm: float = Field(
        1.0, gt=0, description="Gradients are clipped to this global norm."
    )


class ScheduleSettings(Settings):
    """`[schedule]`: warm-up, linear decay, warm restart."""

    warmup_steps: int = Field(
        10_000, ge=0, description="Steps of linear warm-up, also after a restart."
    )
    restart_step: int | None = Field(
        None,
        ge=1,
        description="Step at which the schedule starts again; each part decays linearly to 0. Not "
        "together with training.max_seconds.",
    )


class TrainingSettings(Settings):
    """`[training]`: how long, on what, and what is written meanwhile."""

    renamed: ClassVar[Mapping[str, str]] = {"accumulation": "gradient_accumulation_steps"}

    max_steps: int = Field(300_000, ge=1, description="Optimizer steps.")
    max_seconds: float | None = Field(
        None,
        gt=0,
        description="Time budget in seconds, over all resumed parts. The learning rate then decays "
        "with steps or time, whichever is nearer its end, and still ends at 0. Such a run is not "
        "reproducible bit for bit, as its steps depend on the clock.",
    )
    batch_size: int = Field(
        128, ge=1, description="Sequences per optimizer step, over all processes together."
    )
    gradient_accumulation_steps: int = Field(
        1,
        ge=1,
        description="Number of parts a batch is split into, to save memory. Only dropout differs, "
        "not the gradients. Times the number of processes it must divide batch_size.",
    )
    max_length: int | None = Field(
        None, ge=8, description="Cut sequences to this many pieces; null for the corpus's length."
    )
    precision: Literal["auto", "fp32", "fast", "bf16"] = Field(
        "auto",
        description="fp32; fast (float32 by the faster CPU library); bf16 (mixed precision); auto "
        "chooses bf16 where the device computes it natively, else fast.",
    )
    device: str = Field("auto", description="auto (a GPU if there is one), cpu, cuda, cuda:1, ...")
    compile: bool | None = Field(
        None, description="Compile the encoders with torch.compile; null for GPUs only."
    )
    threads: int | None = Field(None, ge=1, description="CPU threads; null for torch's choice.")
    seed: int = Field(
        0, ge=0, description="Seed of weights, data order, masks, samples and dropout."
    )
    log_every: int = Field(100, ge=1, description="Steps between rows of log.jsonl.")
    checkpoint_every: int = Field(5_000, ge=1, description="Steps between checkpoints.")
    checkpoint_seconds: float | None = Field(
        1_800.0,
        gt=0,
        description="Seconds after which a checkpoint is written anyway; null for never.",
    )
    keep_checkpoints: int = Field(2, ge=1, description="Number of checkpoints to keep.")
    evaluate_every: int | None = Field(
        None, ge=1, description="Steps between evaluations on held-out text; null for never."
    )
    evaluate_sequences: int = Field(256, ge=1, description="Held-out sequences per evaluation.")
    rollback_after: int = Field(
        3,
        ge=1,
        description="Batches skipped in a row after which the run goes back to a checkpoint.",
    )
    divergence_factor: float | None = Field(
        3.0,
        gt=1,
        description="A batch is skipped if its loss exceeds this many times the lowest mean loss "
        "of the run, as one is whose loss or gradient is not finite; null for no such limit.",
    )
    max_rollbacks: int = Field(3, ge=0, description="Roll-backs after which the run is abandoned.")


class LoggingSettings(Settings):
    """`[logging]`: where the rows of log.jsonl and evaluation.jsonl are sent as well.

    Both trackers need `pip install 'spacy-selectra[tracking]'`.
    """

    tensorboard: bool = Field(
        False, description="Write TensorBoard event files to tensorboard/ in the output directory."
    )
    wandb_project: str | None = Field(
        None, description="Project of Weights & Biases to log to; null for none."
    )
    wandb_name: str | None = Field(
        None, description="Name of the run there; null for one that Weights & Biases chooses."
    )
    wandb_entity: str | None = Field(
        None, description="User or team there; null for the one that is logged in."
    )
    wandb_mode: Literal["online", "offline", "disabled"] | None = Field(
        None,
        description="offline keeps the run on disk for `wandb sync`; null for WANDB_MODE's value.",
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
        """See that sections do not contradict each other."""
        training, schedule = self.training, self.schedule
        if training.batch_size % training.gradient_accumulation_steps:
            raise ValueError(
                f"training.gradient_accumulation_steps {training.gradient_accumulation_steps} "
                f"does not divide training.batch_size {training.batch_size}"
            )
        if schedule.restart_step is not None:
            if training.max_seconds is not None:
                raise ValueError(
                    "schedule.restart_step needs a run measured in steps; "
                    "set it or training.max_seconds to null"
                )
            if schedule.restart_step >= training.max_steps:
                raise ValueError(
                    f"schedule.restart_step {schedule.restart_step} is not before "
                    f"training.max_steps {training.max_steps}"
                )
        if self.encoder.init_from is None:
            self._check_new_networks()
        else:
            self._check_loaded_networks()
        return self

    def _check_new_networks(self) -> None:
        needing = {
            "encoder.vocabulary": self.encoder.vocabulary == "replace",
            "encoder.train_rows": self.encoder.train_rows is not None,
            "encoder.stack": self.encoder.stack > 1,
            # its embeddings are replaced by the discriminator's, which would be random
            "generator.init_from": self.generator.init_from is not None,
        }
        if named := [name for name, needs in needing.items() if needs]:
            raise ValueError(f"{named[0]} needs a discriminator to start from; set init_from")

    def _check_loaded_networks(self) -> None:
        if changed := self.encoder.sizes():
            raise ValueError(
                f"encoder.init_from gives the sizes; remove encoder.{', encoder.'.join(changed)}"
            )
        if self.encoder.init_embeddings != "random":
            raise ValueError(
                "encoder.init_from already gives the weights; set encoder.init_embeddings = random"
            )
        if self.encoder.train_rows is not None and self.encoder.stack > 1:
            raise ValueError("encoder.train_rows would leave new layers untrained; set stack = 1")
        if self.encoder.train_rows is not None and self.objective.corrective_lm_weight > 0:
            raise ValueError(
                "encoder.train_rows would leave the corrector random; set "
                "objective.corrective_lm_weight = 0"
            )


def read_settings(
    path: str | Path, overrides: Mapping[str, Any] | None = None
) -> PretrainingSettings:
    """Read and check a pretraining configuration.

    Raises:
        SelectraError: unreadable file, unknown key, wrong type, or values that contradict
            each other.
    """
    return parse_settings(PretrainingSettings, read_config(path, overrides), str(path))
