"""The table of tasks holds together."""

from __future__ import annotations

import pytest

from spacy_selectra.finetuning.tasks.registry import TASKS, TaskSpec

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


@pytest.mark.parametrize("spec", TASKS.values(), ids=TASKS)
def test_every_entry_is_complete(spec: TaskSpec):
    assert spec.metric in METRICS[spec.head]
    assert spec.entities == (spec.head == "tags" and spec.metric == "f1")
    assert spec.pairs == all(columns.pair is not None for columns in spec.columns)
    assert spec.source
    assert spec.licence
    if spec.head in ("value", "spans"):
        assert spec.labels is None
        assert spec.pairs
    if spec.labels and spec.head == "tags":
        assert list(spec.labels) == sorted(set(spec.labels))
        assert not set(spec.labels) & spec.drop
    assert (spec.scale is None) or (spec.head == "value" and spec.scale[0] < spec.scale[1])


def test_all_tasks_of_the_field_and_their_data_sets_are_there():
    generic = {"nli", "paraphrase", "topics", "ner", "pos", "similarity", "qa"}
    assert set(TASKS) == generic | set(NAMED.split())
    assert {spec.head for spec in TASKS.values()} == set(METRICS)
