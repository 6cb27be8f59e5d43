"""Labels in user input: names, wordings, and groups of exclusive labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from spacy_selectra.components.checked import strings
from spacy_selectra.errors import SelectraError

# Names, or names with a description or wording, or several.
GivenLabels = Iterable[str] | Mapping[str, str | Sequence[str]]
Wordings = dict[str, tuple[str, ...]]
GivenGroups = Mapping[str, GivenLabels]


def check_labels(labels: Any) -> Wordings:
    """Zero-shot labels with their wordings, by default the name.

    Raises:
        SelectraError: labels that are not strings, empty or not distinct.
    """
    if isinstance(labels, Mapping):
        names = strings("labels", list(labels))
        given = [[one] if isinstance(one, str) else one for one in labels.values()]
        own = [tuple(strings(f"wordings of '{n}'", w)) for n, w in zip(names, given, strict=True)]
    else:
        names = strings("labels", labels)
        own = [(name,) for name in names]
    if empty := [name for name, words in zip(names, own, strict=True) if not words]:
        raise SelectraError(f"zero-shot label '{empty[0]}' has no wording")
    if empty := [word for words in [names, *own] for word in words if not word.strip()]:
        raise SelectraError(f"a zero-shot label is empty: {empty[0]!r}")
    if len(set(map(plain, names))) < len(names):
        raise SelectraError(f"a zero-shot label is given twice: {', '.join(names)}")
    return dict(zip(names, own, strict=True))


def plain(label: str) -> str:
    """A label normalised as in training data, so that labels that look alike are equal."""
    from spacy_selectra.finetuning.data.labels import label_name

    return label_name(label, "labels")


def is_template(value: Any) -> bool:
    """Whether a value is a string with {} for a label."""
    return isinstance(value, str) and "{}" in value


def check_template(template: str, example: str) -> str:
    """Check a hypothesis template.

    Raises:
        SelectraError: it is not a string with {}.
    """
    if not is_template(template):
        raise SelectraError(
            f"hypothesis_template '{template}' has no {{}} where the label goes, as in '{example}'"
        )
    return template


def check_groups(groups: Any) -> dict[str, Wordings]:
    """Groups of exclusive labels, by name.

    Raises:
        SelectraError: not a mapping of names to labels, a group of less than two labels, or labels
            rejected by `check_labels`.
    """
    if not isinstance(groups, Mapping):
        raise SelectraError(
            "groups must be a mapping of a name to the labels of each group, as in "
            f"{{'tema': ['cine', 'salud']}}, not {type(groups).__name__}"
        )
    names = strings("names of groups", list(groups))
    checked = {
        name: check_labels(labels) for name, labels in zip(names, groups.values(), strict=True)
    }
    if small := [name for name, labels in checked.items() if len(labels) < 2]:
        raise SelectraError(
            f"group '{small[0]}' has {len(checked[small[0]])} label(s); it needs at least two"
        )
    return checked


def check_apart(labels: Iterable[str], groups: Mapping[str, Wordings]) -> None:
    """Check that names are unique, since all scores are in one mapping.

    Raises:
        SelectraError: a label of a group is also in another group or among the other labels.
    """
    homes = dict.fromkeys(labels, "among the labels of no group")
    for group, own in groups.items():
        for name in own:
            if name in homes:
                raise SelectraError(
                    f"zero-shot label '{name}' is in group '{group}' and {homes[name]}; rename it "
                    "in one of them, with a wording: {'otro nombre': "
                    f"'{name}'}}"
                )
            homes[name] = f"in group '{group}'"


def together(texts: list[str], sets: list[Wordings]) -> Iterator[tuple[list[str], Wordings]]:
    """Consecutive texts with the same labels in the same order."""
    for own, run in groupby(zip(texts, sets, strict=True), lambda one: list(one[1].items())):
        yield [text for text, _ in run], dict(own)
