"""Names of labels: read in one way everywhere, and the same in all splits."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.tasks.registry import TaskSpec

# Joiners show within a word: in emoji of several and in some scripts.
_JOINERS = "\u200c\u200d"
# What spreadsheets and pandas write where a value is missing.
_NO_VALUE = frozenset(["nan", "NaN", "NaT", "<NA>", "#N/A", "#N/D"])


def visible(text: str) -> str:
    """A text without the characters that no editor shows: zero-width and direction marks, soft
    hyphens, control characters other than white space; joiners at its ends."""
    kept = [
        char
        for char in text
        if char.isspace()
        or char in _JOINERS
        or unicodedata.category(char) not in ("Cc", "Cf")
        or "\U000e0020" <= char <= "\U000e007f"  # within flags
    ]
    return "".join(kept).strip(_JOINERS)


def label_name(value: Any, place: str, column: str = "label") -> str:
    """The name of a class, tag or entity type as data has it: composed (NFC), without what cannot
    be seen and white space around it, one space for any within. A number is named by its digits
    (1 and 1.0 alike).

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
    name = " ".join(unicodedata.normalize("NFC", visible(str(value))).split())
    if not name:
        raise SelectraError(f"{place}: column '{column}' is empty")
    if name in _NO_VALUE:
        raise SelectraError(f"{place}: column '{column}' is empty ('{name}' is written for that)")
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
