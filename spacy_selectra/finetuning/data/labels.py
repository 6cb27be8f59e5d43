"""Labels: normalising their names, and checking that all splits have the same."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.tasks.registry import TaskSpec

# Joiners have an effect within a word: in emoji sequences and in some scripts.
_JOINERS = "\u200c\u200d"
# Missing values as written by spreadsheets and pandas.
_NO_VALUE = frozenset(["nan", "NaN", "NaT", "<NA>", "#N/A", "#N/D"])


def visible(text: str) -> str:
    """Remove invisible characters: zero-width and direction marks, soft hyphens, control characters
    other than white space, and joiners at the ends."""
    kept = [
        char
        for char in text
        if char.isspace()
        or char in _JOINERS
        or unicodedata.category(char) not in ("Cc", "Cf")
        or "\U000e0020" <= char <= "\U000e007f"  # in flag emoji
    ]
    return "".join(kept).strip(_JOINERS)


def label_name(value: Any, place: str, column: str = "label") -> str:
    """The name of a class, tag or entity type, with normalised Unicode (NFC) and white space and
    without invisible characters.

    A number is named by its digits; 1.0 becomes "1".

    Args:
        value: in the data.
        place: file and line, for errors.
        column: of the value, for errors.

    Raises:
        SelectraError: the value is empty, or a list or the like.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # pandas converts integers to floats if a value is missing
    if value is None or value != value:
        raise SelectraError(f"{place}: column '{column}' is empty")
    if not isinstance(value, (str, Real)):
        raise SelectraError(
            f"{place}: column '{column}' must have one label, not a "
            f"{type(value).__name__} ({value!r})"
        )
    name = " ".join(unicodedata.normalize("NFC", visible(str(value))).split())
    if not name:
        raise SelectraError(f"{place}: column '{column}' is empty")
    if name in _NO_VALUE:
        raise SelectraError(f"{place}: column '{column}' is empty ('{name}')")
    return name


def labels_of(spec: TaskSpec, splits: Mapping[str, Sequence[Any]]) -> list[str]:
    """Labels in the order of the logits, after checking those of all splits.

    Classes must occur in every split. Entity types and tags may be missing in a split, and so may
    labels that the table of tasks fixes. Values and spans have no labels.

    Args:
        spec: the task.
        splits: "train" and others, each with its examples.

    Raises:
        SelectraError: a label is unknown to the task or not in the training split, a class is
            missing in a split, or there are fewer than two labels.
    """
    if spec.head not in ("classes", "tags"):
        return []
    counts = {name: Counter(_labels_in(spec, examples)) for name, examples in splits.items()}
    labels = list(spec.labels or sorted(counts["train"]))
    if not labels:
        raise SelectraError("train: no entities, so there is nothing to learn")
    if len(labels) < 2 and not spec.entities:
        raise SelectraError(f"train: only one label ('{labels[0]}'), so there is nothing to learn")
    for name, found in counts.items():
        _refuse_unknown(spec, name, found, labels)
        missing = [label for label in labels if label not in found]
        if missing and spec.head == "classes":
            raise SelectraError(
                f"{name}: no example with the label '{missing[0]}'; all splits must have the same "
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
        why = "the task's labels" if spec.labels else "the labels of the training data"
        unit = "examples" if spec.head == "classes" else "entities" if spec.entities else "words"
        raise SelectraError(
            f"{split}: label '{unknown[0]}' ({found[unknown[0]]} {unit}) is not one of {why}: "
            f"{', '.join(labels)}"
        )
