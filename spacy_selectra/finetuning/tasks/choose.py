"""From an entry of the table of tasks (`TaskSpec`) to a `Task`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from spacy_selectra.encoder.heads import Head
from spacy_selectra.finetuning.tasks.base import Task
from spacy_selectra.finetuning.tasks.classification import Classification, Regression
from spacy_selectra.finetuning.tasks.question_answering import QuestionAnswering
from spacy_selectra.finetuning.tasks.registry import TaskSpec
from spacy_selectra.finetuning.tasks.tagging import Tagging

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_TASKS: dict[Head, type[Task]] = {
    "classes": Classification,
    "value": Regression,
    "tags": Tagging,
    "spans": QuestionAnswering,
}


def make_task(spec: TaskSpec, labels: Sequence[str], tokenizer: Tokenizer, max_length: int) -> Task:
    """The `Task` for the head of an entry; arguments as for `Task`."""
    return _TASKS[spec.head](spec, labels, tokenizer, max_length)
