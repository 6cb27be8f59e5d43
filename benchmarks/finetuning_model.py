"""The model that all contenders of finetuning.py start from."""

from __future__ import annotations

import argparse
import statistics
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from spacy_selectra.finetuning.config import DataSettings
from spacy_selectra.finetuning.data.dataset import read_dataset
from spacy_selectra.finetuning.models import (
    new_task_model,
    save_task_model,
    task_tokenizer,
)
from spacy_selectra.finetuning.tasks.base import Inputs, Task
from spacy_selectra.finetuning.tasks.choose import make_task
from spacy_selectra.finetuning.tasks.registry import task_spec
from spacy_selectra.text.tokenizer import usable_positions
from spacy_selectra.util.files import read_json, write_json

DROPOUT = ("hidden_dropout_prob", "attention_probs_dropout_prob")


@dataclass(frozen=True)
class Prepared:
    """What the arguments come to.

    Attributes:
        task: what is learnt.
        dev: what is scored.
        mean: pieces of a training sequence.
        batches: of an epoch.
    """

    task: Task
    dev: Inputs
    mean: float
    batches: int

    def scores(self, rows: np.ndarray) -> dict[str, float]:
        """Of the logits of all sequences of `dev`, one after the other."""
        if not self.task.per_piece:
            return self.task.scores(self.dev, list(rows))
        ends = np.cumsum([len(sequence) for sequence in self.dev.sequences])
        return self.task.scores(self.dev, np.split(rows, ends[:-1]))


def write_model(directory: Path, encoder: Path, arguments: argparse.Namespace) -> Prepared:
    """The model all start from, with its head.

    Raises:
        SelectraError: unusable data or encoder.
    """
    spec = task_spec(arguments.task)
    data = DataSettings(name="benchmark", train=str(arguments.train), dev=str(arguments.dev))
    dataset = read_dataset(spec, data)
    task = make_task(spec, dataset.labels, task_tokenizer(encoder), arguments.length)
    torch.manual_seed(arguments.seed)
    model = new_task_model(encoder, task.spec.head, task.outputs)
    task.max_length = min(arguments.length, usable_positions(model.config))
    save_task_model(model, directory, encoder)
    if arguments.dropout is not None:
        config = read_json(directory / "config.json")
        write_json(directory / "config.json", config | dict.fromkeys(DROPOUT, arguments.dropout))
    lengths = [len(sequence) for sequence in task.inputs(dataset.train).sequences]
    return Prepared(
        task=task,
        dev=task.inputs(dataset.dev),
        mean=statistics.fmean(lengths),
        batches=-(-len(lengths) // arguments.batch),
    )
