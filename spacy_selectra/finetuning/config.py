"""Sections of a fine-tuning configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from spacy_selectra.util.config import Settings, parse_settings, read_config

Paths = str | list[str]


class TaskSettings(Settings):
    """`[task]`: an entry of the table in `spacy_selectra.finetuning.tasks.registry`."""

    name: str


class DataSettings(Settings):
    """`[data]`: local files, or splits of a data set on the Hugging Face Hub.

    `name` is what reports call the data ("xnli", "sample"): results are comparable only
    within one name. Without `test`, the score on `dev` is reported and marked as such.

    Without `hub`, `train`, `dev` and `test` are files, several of a split are joined. With
    `hub` (a hub id, or a directory laid out like a data set there) they are names of splits,
    also slices such as "train[:1000]"; if all three are left out, they and `hub_config` are
    those the table of tasks knows for this hub id. `hub_revision` is a branch, tag or commit.

    `train_limit` keeps so many training examples, the first after a shuffle that is always
    the same: a smaller limit takes a part of what a greater one takes (learning curves).
    `join_sentences` trains on up to so many successive sentences at once (tags only), as a model
    that is to read paragraphs needs; development and test sentences stay alone.
    `unlabelled` are files of plain texts for distillation, `.txt` (one a line) or rows.
    """

    name: str
    train: Paths | None = None
    dev: Paths | None = None
    test: Paths | None = None
    hub: str | None = None
    hub_config: str | None = None
    hub_revision: str | None = None
    train_limit: int | None = Field(default=None, ge=1)
    join_sentences: int = Field(default=1, ge=1)
    unlabelled: Paths | None = None


class EncoderSettings(Settings):
    """`[encoder]`: directory or hub id of a pretrained encoder, e.g. a `discriminator/`, and what
    reports call it (its path if there is no name)."""

    path: str = Field(min_length=1)
    name: str | None = Field(default=None, min_length=1)


class TrainingSettings(Settings):
    """`[training]`: SELECTRA's published fine-tuning recipe is the default.

    5 epochs, batches of 32, learning rate 1e-4, warm-up over a tenth of the steps, then
    linear decay; layer-wise decay 0.8, weight decay 0.01 and clipping at 1.0 are ELECTRA's
    (Clark et al. 2020, appendix B, and the original code for small models). A step learns from
    `batch_size` examples, in `gradient_accumulation_steps` parts one after the other, which is
    the same in less memory. `dropout` takes the place of the encoder's own, on hidden states and
    attention alike. With `frozen_layers` the embeddings and so many layers from below stay as they
    are, so that several models can store them once.
    """

    renamed: ClassVar[Mapping[str, str]] = {
        "accumulation": "gradient_accumulation_steps",
        "gradient_clip": "max_grad_norm",
        "warmup": "warmup_ratio",
    }

    epochs: int = Field(default=5, ge=1)
    batch_size: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=1e-4, gt=0)
    warmup_ratio: float = Field(default=0.1, ge=0, le=1)
    layer_decay: float = Field(default=0.8, gt=0, le=1)
    dropout: float | None = Field(default=None, ge=0, lt=1)
    frozen_layers: int | None = Field(default=None, ge=0)
    weight_decay: float = Field(default=0.01, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    gradient_accumulation_steps: int = Field(default=1, ge=1)
    max_length: int = Field(default=512, ge=8)
    seed: int = 0
    precision: Literal["auto", "fp32", "fast", "bf16"] = "auto"
    device: str = "auto"


class DistillationSettings(Settings):
    """`[distillation]`: learning from the logits of a larger model that knows the task.

    The loss is `weight` times the divergence from the teacher's probabilities, both softened by
    `temperature` and scaled by its square, and the rest from the labels (Hinton et al. 2015,
    section 2). `hidden_weight` adds the squared distance of the last hidden states, the
    student's projected to the teacher's width (Romero et al. 2015, section 2.2).
    """

    teacher: str | None = None
    temperature: float = Field(default=2.0, gt=0)
    weight: float = Field(default=0.5, ge=0, le=1)
    hidden_weight: float = Field(default=0.0, ge=0)


class FinetuneSettings(Settings):
    """A whole fine-tuning configuration."""

    task: TaskSettings
    data: DataSettings
    encoder: EncoderSettings
    training: TrainingSettings = TrainingSettings()
    distillation: DistillationSettings = DistillationSettings()


def read_settings(path: str | Path, overrides: Mapping[str, Any] | None = None) -> FinetuneSettings:
    """Read a `.cfg` file with `section.key` overrides.

    Raises:
        SelectraError: missing file, unknown key, missing key or value of the wrong type.
    """
    return parse_settings(FinetuneSettings, read_config(path, overrides), str(path))
