"""Sections of a fine-tuning configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from spacy_selectra.util.settings import Settings, parse_settings, read_config

Paths = str | list[str]


class TaskSettings(Settings):
    """`[task]`: what is learnt."""

    name: str = Field(
        description="A name of the table of tasks: a general one (nli, paraphrase, topics, "
        "similarity, ner, pos, qa) or that of a data set, which fixes labels and columns."
    )


class DataSettings(Settings):
    """`[data]`: local files, or splits of a data set on the Hugging Face Hub."""

    name: str = Field(
        description="What reports call the data. Results are comparable only within one name."
    )
    train: Paths | None = Field(
        default=None,
        description="Training file (.jsonl, .csv, .tsv, .spacy, a word and its tag a line), or a "
        "list of files that are joined; with `hub` the name of a split, also a slice such as "
        '"train[:1000]".',
    )
    dev: Paths | None = Field(
        default=None, description="The same for development; it chooses the epoch of every trial."
    )
    test: Paths | None = Field(
        default=None,
        description="The same for testing. Without it, the score on `dev` is reported and marked.",
    )
    text_column: str | None = Field(
        default=None,
        description="Column (of tables) or key (of JSON lines) of the text, of the first text of a "
        "pair, or of the words; null for the names in the table of tasks.",
    )
    pair_column: str | None = Field(
        default=None, description="The same of the second text of a pair, or of the question."
    )
    label_column: str | None = Field(
        default=None,
        description="The same of the label: class, value, tags, places of entities or answers.",
    )
    hub: str | None = Field(
        default=None,
        description="Hub id of a data set, or a directory laid out like one. If `train`, `dev` and "
        "`test` are all null, they and `hub_config` are taken from the table of tasks.",
    )
    hub_config: str | None = Field(
        default=None,
        description="Configuration of the data set on the hub, a language for example.",
    )
    hub_revision: str | None = Field(
        default=None, description="Branch, tag or commit of the data set on the hub."
    )
    train_limit: int | None = Field(
        default=None,
        ge=1,
        description="Number of training examples to keep, after a shuffle that is always the same: "
        "a smaller limit keeps a subset of what a larger one keeps (learning curves).",
    )
    join_sentences: int = Field(
        default=1,
        ge=1,
        description="Entities and parts of speech: train on up to this many successive sentences "
        "at once, for pipelines that read paragraphs. Development and test are not joined.",
    )
    unlabelled: Paths | None = Field(
        default=None,
        description="Files of plain texts for distillation: `.txt` (one text per line) or rows.",
    )


class EncoderSettings(Settings):
    """`[encoder]`: what is fine-tuned."""

    path: str = Field(
        min_length=1,
        description="Directory or hub id of an encoder: ELECTRA (the `discriminator/` of a "
        "pretraining), BERT, RoBERTa, ALBERT or DistilBERT; or a pipeline with a discriminator, "
        "such as es_selectra_tiny.",
    )
    name: str | None = Field(
        default=None, min_length=1, description="What reports call it; null for its path."
    )


class TrainingSettings(Settings):
    """`[training]`: the defaults are SELECTRA's published recipe.

    Layer-wise decay, weight decay and clipping are ELECTRA's (Clark et al. 2020, appendix B, and
    the original code for small models).
    """

    renamed: ClassVar[Mapping[str, str]] = {
        "accumulation": "gradient_accumulation_steps",
        "gradient_clip": "max_grad_norm",
        "warmup": "warmup_ratio",
    }

    epochs: int = Field(default=5, ge=1, description="Passes over the training examples.")
    batch_size: int = Field(default=32, ge=1, description="Examples per optimizer step.")
    gradient_accumulation_steps: int = Field(
        default=1,
        ge=1,
        description="Number of parts a batch is split into, one after the other, to save memory.",
    )
    learning_rate: float = Field(default=1e-4, gt=0, description="Peak learning rate.")
    warmup_ratio: float = Field(
        default=0.1, ge=0, le=1, description="Share of the steps in which the rate rises linearly."
    )
    layer_decay: float = Field(
        default=0.8,
        gt=0,
        le=1,
        description="Factor by which the learning rate shrinks from each layer to the one below; "
        "1 for the same rate everywhere.",
    )
    dropout: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="Dropout on hidden states and attention; null keeps the encoder's own.",
    )
    frozen_layers: int | None = Field(
        default=None,
        ge=0,
        description="Keep the embeddings and this many lowest layers unchanged; null trains all.",
    )
    weight_decay: float = Field(
        default=0.01, ge=0, description="Decay of matrices; biases and LayerNorms have none."
    )
    max_grad_norm: float = Field(
        default=1.0, gt=0, description="Gradients are clipped to this global norm."
    )
    max_length: int = Field(
        default=512,
        ge=8,
        description="Longest sequence in pieces; longer texts are cut or windowed.",
    )
    seed: int = Field(
        default=0, description="Seed of the first trial; the others count up from it."
    )
    precision: Literal["auto", "fp32", "fast", "bf16"] = Field(
        default="auto",
        description="fp32; fast (float32 by the faster CPU library); bf16 (mixed precision); auto "
        "chooses bf16 where the device computes it natively, else fast.",
    )
    device: str = Field(
        default="auto", description="auto (a GPU if there is one), cpu, cuda, cuda:1, ..."
    )


class DistillationSettings(Settings):
    """`[distillation]`: learning from the logits of a larger model that knows the task.

    The loss mixes the labels' with the divergence from the teacher's probabilities, both softened
    by a temperature and scaled by its square (Hinton et al. 2015, section 2). Hidden states are
    compared after projecting the student's to the teacher's width (Romero et al. 2015, section
    2.2).
    """

    teacher: str | None = Field(
        default=None,
        description="Directory or hub id of a larger model fine-tuned for the same task; null for "
        "none. Also --teacher on the command line.",
    )
    temperature: float = Field(
        default=2.0, gt=0, description="Softens the probabilities of teacher and student."
    )
    weight: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Weight of the teacher in the loss; the labels get the rest.",
    )
    hidden_weight: float = Field(
        default=0.0,
        ge=0,
        description="Weight of the squared distance between the last hidden states; 0 for none.",
    )


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
