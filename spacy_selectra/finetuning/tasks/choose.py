"""The problem a task poses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from spacy_selectra.finetuning.tasks.base import Problem
from spacy_selectra.finetuning.tasks.classification import Classes, Values
from spacy_selectra.finetuning.tasks.question_answering import Answers
from spacy_selectra.finetuning.tasks.registry import Task
from spacy_selectra.finetuning.tasks.tagging import Tagging

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
