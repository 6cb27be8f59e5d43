"""The table of tasks holds together."""

from __future__ import annotations

import pytest

from spacy_selectra.finetuning.tasks.registry import TASKS, Task

METRICS = {
    "classes": {"accuracy", "macro_f1"},
    "value": {"pearson"},
    "tags": {"f1", "accuracy"},
    "spans": {"f1"},
}
NAMED = (
    "conll2002 ancora_ner ancora_names capitel_ner ud_pos pawsx xnli sts_es mldoc sib200 xquad tar "
    "mlqa sqac"
)


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_every_entry_is_complete(task: Task):
    assert task.metric in METRICS[task.head]
    assert task.entities == (task.head == "tags" and task.metric == "f1")
    assert task.pairs == all(layout.pair is not None for layout in task.layouts)
    assert task.source
    assert task.licence
    if task.head in ("value", "spans"):
        assert task.labels is None
        assert task.pairs
    if task.labels and task.head == "tags":
        assert list(task.labels) == sorted(set(task.labels))
        assert not set(task.labels) & task.drop
    assert (task.scale is None) or (task.head == "value" and task.scale[0] < task.scale[1])


def test_all_tasks_of_the_field_and_their_data_sets_are_there():
    generic = {"nli", "paraphrase", "topics", "ner", "pos", "similarity", "qa"}
    assert set(TASKS) == generic | set(NAMED.split())
    assert {task.head for task in TASKS.values()} == set(METRICS)
