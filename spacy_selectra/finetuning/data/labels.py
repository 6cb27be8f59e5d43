"""Names of labels: read in one way everywhere, and the same in all splits."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.tasks.registry import TaskSpec

# Zero-width characters at the ends, which no editor shows.
_INVISIBLE = re.compile("^[\u200b\u2060\ufeff]+|[\u200b\u2060\ufeff]+$")


def label_name(value: Any, place: str, column: str = "label") -> str:
    """The name of a class, tag or entity type as data has it: composed (NFC), without white space
    around it, one space for any within. A number is named by its digits (1 and 1.0 alike).

    Args:
        value: what stands in the data.
        place: where, for errors.
        column: its column, for errors.

    Raises:
        SelectraError: nothing, or something that holds several values.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # pandas makes floats of integers beside missing ones
    if value is None or value != value:
        raise SelectraError(f"{place}: column '{column}' is empty")
    if not isinstance(value, (str, Real)):
        raise SelectraError(
            f"{place}: column '{column}' has to hold one label, there is a "
            f"{type(value).__name__} ({value!r})"
        )
    visible = _INVISIBLE.sub("", str(value).strip())
    name = " ".join(unicodedata.normalize("NFC", visible).split())
    if not name:
        raise SelectraError(f"{place}: column '{column}' is empty")
    return name


def labels_of(spec: TaskSpec, splits: Mapping[str, Sequence[Any]]) -> list[str]:
    """Labels in the order of the logits, after checking that all splits go with them.

    Classes must occur in every split; of entity types and tags a split may lack some, and a
    task that fixes its labels need not find them all. Values and spans have no labels.

    Args:
        spec: what is learnt.
        splits: "train" and others, each with its examples.

    Raises:
        SelectraError: a label the task does not know or that training does not hold, a class
            that a split does not hold, or too few labels to learn anything.
    """
    if spec.head not in ("classes", "tags"):
        return []
    counts = {name: Counter(_labels_in(spec, examples)) for name, examples in splits.items()}
    labels = list(spec.labels or sorted(counts["train"]))
    if not labels:
        raise SelectraError("train: no entity, there is nothing to learn")
    if len(labels) < 2 and not spec.entities:
        raise SelectraError(f"train: only one label ('{labels[0]}'), there is nothing to learn")
    for name, found in counts.items():
        _refuse_unknown(spec, name, found, labels)
        missing = [label for label in labels if label not in found]
        if missing and spec.head == "classes":
            raise SelectraError(
                f"{name}: no example of label '{missing[0]}'; all splits must hold the same "
                f"labels ({', '.join(labels)})"
            )
    return labels


def _labels_in(spec: TaskSpec, examples: Iterable[Any]) -> Iterable[str]:
    """Class of each example, tag of each word or type of each entity."""
    if spec.head == "classes":
        return (example.label for example in examples)
    tags = (tag for example in examples for tag in example.tags)
    return (tag[2:] for tag in tags if tag.startswith("B-")) if spec.entities else tags


def _refuse_unknown(spec: TaskSpec, split: str, found: Counter[str], labels: Sequence[str]) -> None:
    unknown = sorted(set(found) - set(labels))
    if unknown:
        why = "this task's labels" if spec.labels else "the labels seen in training"
        unit = "examples" if spec.head == "classes" else "entities" if spec.entities else "words"
        raise SelectraError(
            f"{split}: label '{unknown[0]}' ({found[unknown[0]]} {unit}) is not one of {why}: "
            f"{', '.join(labels)}"
        )
