"""Sections of a fine-tuning configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from spacy_selectra.settings import Settings, parse_settings, read_config

Paths = str | list[str]


class TaskSettings(Settings):
    """`[task]`: an entry of the table in `spacy_selectra.finetuning.tasks`."""

    name: str


class DataSettings(Settings):
    """`[data]`: local files, `.jsonl`, `.tsv` or `.csv`; several files of a split are joined.

    `name` is what reports call the data ("xnli", "sample"): results are comparable only
    within one name. Without `test`, the score on `dev` is reported and marked as such.
    """

    name: str
    train: Paths
    dev: Paths
    test: Paths | None = None


class EncoderSettings(Settings):
    """`[encoder]`: directory or hub id of a pretrained encoder, e.g. a `discriminator/`."""

    path: str = Field(min_length=1)


class TrainingSettings(Settings):
    """`[training]`: SELECTRA's published fine-tuning recipe is the default.

    5 epochs, batches of 32, learning rate 1e-4, warm-up over a tenth of the steps, then
    linear decay; layer-wise decay 0.8, weight decay 0.01 and clipping at 1.0 are ELECTRA's
    (Clark et al. 2020, appendix B, and the original code for small models).
    """

    epochs: int = Field(default=5, ge=1)
    batch_size: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=1e-4, gt=0)
    warmup: float = Field(default=0.1, ge=0, le=1)
    layer_decay: float = Field(default=0.8, gt=0, le=1)
    weight_decay: float = Field(default=0.01, ge=0)
    gradient_clip: float = Field(default=1.0, gt=0)
    max_length: int = Field(default=512, ge=8)
    seed: int = 0
    precision: Literal["auto", "fp32", "fast", "bf16"] = "auto"
    device: str = "auto"


class FinetuneSettings(Settings):
    """A whole fine-tuning configuration."""

    task: TaskSettings
    data: DataSettings
    encoder: EncoderSettings
    training: TrainingSettings = TrainingSettings()


def read_settings(path: str | Path, overrides: Mapping[str, Any] | None = None) -> FinetuneSettings:
    """Read a `.cfg` file with `section.key` overrides.

    Raises:
        SelectraError: missing file, unknown key, missing key or value of the wrong type.
    """
    return parse_settings(FinetuneSettings, read_config(path, overrides), str(path))
