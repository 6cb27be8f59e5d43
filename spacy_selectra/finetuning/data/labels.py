"""Labels of a data set: which there are, and whether all splits agree on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.tasks import Task


def labels_of(task: Task, splits: Mapping[str, Sequence[Any]]) -> list[str]:
    """Labels in the order of the logits, after checking that all splits go with them.

    Classes must occur in every split; of entity types and tags a split may lack some, and a
    task that fixes its labels need not find them all. Values and spans have no labels.

    Args:
        task: what is learnt.
        splits: "train" and others, each with its examples.

    Raises:
        SelectraError: a label the task does not know or that training does not hold, a class
            that a split does not hold, or too few labels to learn anything.
    """
    if task.head not in ("classes", "tags"):
        return []
    counts = {name: Counter(_labels_in(task, examples)) for name, examples in splits.items()}
    labels = list(task.labels or sorted(counts["train"]))
    if not labels:
        raise SelectraError("train: no entity, there is nothing to learn")
    if len(labels) < 2 and not task.entities:
        raise SelectraError(f"train: only one label ('{labels[0]}'), there is nothing to learn")
    for name, found in counts.items():
        _refuse_unknown(task, name, found, labels)
        missing = [label for label in labels if label not in found]
        if missing and task.head == "classes":
            raise SelectraError(
                f"{name}: no example of label '{missing[0]}'; all splits must hold the same "
                f"labels ({', '.join(labels)})"
            )
    return labels


def _labels_in(task: Task, examples: Iterable[Any]) -> Iterable[str]:
    """Class of each example, tag of each word or type of each entity."""
    if task.head == "classes":
        return (example.label for example in examples)
    tags = (tag for example in examples for tag in example.tags)
    return (tag[2:] for tag in tags if tag.startswith("B-")) if task.entities else tags


def _refuse_unknown(task: Task, split: str, found: Counter[str], labels: Sequence[str]) -> None:
    unknown = sorted(set(found) - set(labels))
    if unknown:
        why = "this task's labels" if task.labels else "the labels seen in training"
        unit = "examples" if task.head == "classes" else "entities" if task.entities else "words"
        raise SelectraError(
            f"{split}: label '{unknown[0]}' ({found[unknown[0]]} {unit}) is not one of {why}: "
            f"{', '.join(labels)}"
        )
