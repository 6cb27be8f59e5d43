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
    positions,
    save_task_model,
    task_tokenizer,
)
from spacy_selectra.finetuning.tasks.base import Inputs, Problem
from spacy_selectra.finetuning.tasks.choose import make_problem
from spacy_selectra.finetuning.tasks.registry import get_task
from spacy_selectra.util.files import read_json, write_json

DROPOUT = ("hidden_dropout_prob", "attention_probs_dropout_prob")


@dataclass(frozen=True)
class Prepared:
    """What the arguments come to.

    Attributes:
        problem: the task's.
        dev: what is scored.
        mean: pieces of a training sequence.
        batches: of an epoch.
    """

    problem: Problem
    dev: Inputs
    mean: float
    batches: int

    def scores(self, rows: np.ndarray) -> dict[str, float]:
        """Of the logits of all sequences of `dev`, one after the other."""
        if not self.problem.per_piece:
            return self.problem.scores(self.dev, list(rows))
        ends = np.cumsum([len(sequence) for sequence in self.dev.sequences])
        return self.problem.scores(self.dev, np.split(rows, ends[:-1]))


def write_model(directory: Path, encoder: Path, arguments: argparse.Namespace) -> Prepared:
    """The model all start from, with its head.

    Raises:
        SelectraError: unusable data or encoder.
    """
    task = get_task(arguments.task)
    data = DataSettings(name="benchmark", train=str(arguments.train), dev=str(arguments.dev))
    dataset = read_dataset(task, data)
    problem = make_problem(task, dataset.labels, task_tokenizer(encoder), arguments.length)
    torch.manual_seed(arguments.seed)
    model = new_task_model(encoder, problem.kind, problem.outputs)
    problem.max_length = min(arguments.length, positions(model))
    save_task_model(model, directory, encoder)
    if arguments.dropout is not None:
        config = read_json(directory / "config.json")
        write_json(directory / "config.json", config | dict.fromkeys(DROPOUT, arguments.dropout))
    lengths = [len(sequence) for sequence in problem.inputs(dataset.train).sequences]
    return Prepared(
        problem=problem,
        dev=problem.inputs(dataset.dev),
        mean=statistics.fmean(lengths),
        batches=-(-len(lengths) // arguments.batch),
    )
