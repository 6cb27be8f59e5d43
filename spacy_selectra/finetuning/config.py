"""The sections of a fine-tuning configuration file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from spacy_selectra.util.settings import Settings, parse_settings, read_config

Paths = str | list[str]


class TaskSettings(Settings):
    """`[task]`: what to learn."""

    name: str = Field(
        description="A task (nli, paraphrase, topics, similarity, ner, pos, qa) or a data set in "
        "the table of tasks, which fixes labels and columns."
    )


class DataSettings(Settings):
    """`[data]`: local files, or splits of a data set on the Hugging Face Hub."""

    name: str = Field(
        description="Name of the data in reports. Only results under the same name are compared."
    )
    train: Paths | None = Field(
        default=None,
        description="Training file (.jsonl, .csv, .tsv, .spacy, or one word and its tag per line) "
        "or a list of files; with `hub` the name of a split or a slice such as "
        '"train[:1000]".',
    )
    dev: Paths | None = Field(
        default=None,
        description="Development data, in the same form; the best epoch is chosen on it.",
    )
    test: Paths | None = Field(
        default=None,
        description="Test data, in the same form. Without it, reports show the score on `dev` and "
        "mark it.",
    )
    text_column: str | None = Field(
        default=None,
        description="Column (of tables) or key (of JSON lines) of the text, of the first text of a "
        "pair, or of the words; null for the names in the table of tasks.",
    )
    pair_column: str | None = Field(
        default=None, description="Column or key of the second text of a pair, or of the question."
    )
    label_column: str | None = Field(
        default=None,
        description="Column or key of the label: class, value, tags, entity spans or answers.",
    )
    hub: str | None = Field(
        default=None,
        description="Hub id of a data set, or a local directory in the same layout. If `train`, "
        "`dev` and `test` are all null, they and `hub_config` come from the table of tasks.",
    )
    hub_config: str | None = Field(
        default=None,
        description="Configuration of the data set on the hub, for example a language.",
    )
    hub_revision: str | None = Field(
        default=None, description="Branch, tag or commit of the data set on the hub."
    )
    train_limit: int | None = Field(
        default=None,
        ge=1,
        description="Number of training examples to keep, for learning curves. The shuffle before "
        "does not depend on the seed, so a smaller limit keeps a subset of a larger one.",
    )
    join_sentences: int = Field(
        default=1,
        ge=1,
        description="For entities and parts of speech: join up to this many consecutive training "
        "sentences into one example, for pipelines that read whole paragraphs. Development and "
        "test data are never joined.",
    )
    unlabelled: Paths | None = Field(
        default=None,
        description="Files of unlabelled texts for distillation: `.txt` with one text per line, or "
        "any of the formats above.",
    )


class EncoderSettings(Settings):
    """`[encoder]`: the model to fine-tune."""

    path: str = Field(
        min_length=1,
        description="Directory or hub id of an encoder: ELECTRA (the `discriminator/` of a "
        "pretraining), BERT, RoBERTa, ALBERT or DistilBERT; or a pipeline with a discriminator, "
        "such as es_selectra_tiny.",
    )
    name: str | None = Field(
        default=None, min_length=1, description="Name of the encoder in reports; null for its path."
    )


class TrainingSettings(Settings):
    """`[training]`: optimizer and schedule; the defaults are SELECTRA's published recipe.

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
        description="Number of parts a batch is split into, to save memory.",
    )
    learning_rate: float = Field(default=1e-4, gt=0, description="Peak learning rate.")
    warmup_ratio: float = Field(
        default=0.1, ge=0, le=1, description="Share of the steps that are linear warm-up."
    )
    layer_decay: float = Field(
        default=0.8,
        gt=0,
        le=1,
        description="Layer-wise decay: each layer's learning rate is that of the layer above it "
        "times this factor; 1 for the same rate everywhere.",
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
        description="Freeze the embeddings and this many of the lowest layers; null trains all.",
    )
    weight_decay: float = Field(
        default=0.01, ge=0, description="Weight decay of matrices; biases and LayerNorms have none."
    )
    max_grad_norm: float = Field(
        default=1.0, gt=0, description="Gradients are clipped to this global norm."
    )
    max_length: int = Field(
        default=512,
        ge=8,
        description="Longest sequence in pieces. Longer texts are truncated; for tags and answers "
        "they are split into windows.",
    )
    seed: int = Field(default=0, description="Seed of the first trial; each further trial adds 1.")
    precision: Literal["auto", "fp32", "fast", "bf16"] = Field(
        default="auto",
        description="fp32; fast (float32 by the faster CPU library); bf16 (mixed precision); or "
        "auto: bf16 if the hardware supports it, else fast.",
    )
    device: str = Field(
        default="auto", description="auto (a GPU if there is one), cpu, cuda, cuda:1, ..."
    )


class DistillationSettings(Settings):
    """`[distillation]`: learning from the logits of a larger model trained for the same task.

    The loss is a weighted sum of the loss on the labels and the KL divergence between the
    softened probabilities of teacher and student, times the temperature squared (Hinton et al.
    2015, section 2). Hidden states are compared after projecting the student's to the teacher's
    hidden size (Romero et al. 2015, section 2.2).
    """

    teacher: str | None = Field(
        default=None,
        description="Directory or hub id of a larger model fine-tuned for the same task; null for "
        "no distillation. On the command line, --teacher is short for it.",
    )
    temperature: float = Field(
        default=2.0,
        gt=0,
        description="Divides the logits of teacher and student, which softens their probabilities.",
    )
    weight: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Weight of the teacher's probabilities in the loss; the labels get the rest.",
    )
    hidden_weight: float = Field(
        default=0.0,
        ge=0,
        description="Weight of the mean squared error between the last hidden states; 0 for none.",
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
