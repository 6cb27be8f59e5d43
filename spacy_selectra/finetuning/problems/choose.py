"""The problem a task poses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from spacy_selectra.finetuning.problems.answers import Answers
from spacy_selectra.finetuning.problems.base import Problem
from spacy_selectra.finetuning.problems.sequences import Classes, Values
from spacy_selectra.finetuning.problems.tagging import Tagging
from spacy_selectra.finetuning.tasks import Task

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_KINDS: dict[str, type[Problem]] = {
    "classes": Classes,
    "value": Values,
    "tags": Tagging,
    "spans": Answers,
}


def make_problem(
    task: Task, labels: Sequence[str], tokenizer: Tokenizer, max_length: int
) -> Problem:
    """`task` for the pieces of one tokenizer; arguments as for `Problem`."""
    return _KINDS[task.head](task, labels, tokenizer, max_length)
