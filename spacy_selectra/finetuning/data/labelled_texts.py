"""Labelled texts with renamed labels, and entailment pairs made of them.

A text about sports entails "this is about sports" and contradicts "this is about cooking". So
labelled texts can train an entailment model for zero-shot labels (Halder et al. 2020, "Task-Aware
Representation of Sentences for Generic Text Classification", section 3).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from spacy_selectra.corpus.documents import files_in
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.labels import label_name
from spacy_selectra.finetuning.data.sources import file_rows
from spacy_selectra.util.arrays import keep_some
from spacy_selectra.util.files import read_yaml

Names = Mapping[str, Sequence[str]]
_SUFFIXES = (".jsonl", ".tsv", ".csv")
_SENTENCE = re.compile(r"[^\n]+?(?:[.!?…][»”\"')]*(?=\s|$)|$)", re.MULTILINE)


@dataclass(frozen=True)
class LabelledText:
    """A text and the names of its label."""

    text: str
    names: Sequence[str]


@dataclass(frozen=True)
class Selection:
    """Which texts to use, and how much of each.

    Attributes:
        text_key: column of the text.
        label_key: column of the label.
        max_words: shorten longer texts to consecutive whole sentences from a random position; a
            single longer sentence is truncated.
        per_label: maximum number of texts per label, chosen at random.
        seed: of the random choices.
        where: columns and the value that a row must have there.
    """

    text_key: str = "text"
    label_key: str = "label"
    max_words: int | None = None
    per_label: int | None = None
    seed: int = 0
    where: Mapping[str, str] = field(default_factory=dict)


def read_labelled(
    paths: Sequence[str | Path], names: Names | None, selection: Selection | None = None
) -> list[LabelledText]:
    """The texts of some labels, in random order.

    Args:
        paths: `.jsonl`, `.tsv` or `.csv` files, also compressed, or folders of such files.
        names: one or several new names of each label, None to keep all labels. Rows with other
            labels are left out, and rows without the column if other rows of the file have it,
            because only some sources of a corpus may have sections.
        selection: which texts to use; None for all, unshortened.

    Raises:
        SelectraError: a column or a label is missing, or a label of `names` does not occur.
    """
    chosen = selection or Selection()
    random = np.random.default_rng(chosen.seed)
    found: dict[str, list[str]] = defaultdict(list)
    labels: set[str] = set()
    seen: Counter[str] = Counter()
    files = [
        file
        for path in map(Path, paths)
        for file in (files_in(path, _SUFFIXES) if path.is_dir() else [path])
    ]
    for path in files:
        keys = chosen.text_key, chosen.label_key
        for text, label in _rows(path, *keys, all_labelled=False, where=chosen.where):
            labels.add(label)
            if not text or (names is not None and label not in names):
                continue
            seen[label] += 1
            keep_some(found[label], text, seen[label], chosen.per_label, random)
    if not found:
        raise SelectraError(f"{', '.join(map(str, paths))}: no labelled text")
    names = {label: [label] for label in found} if names is None else names
    missing = [label for label in names if not found[label]]
    if missing:
        raise SelectraError(
            f"{', '.join(map(str, paths))}: no text with the label '{missing[0]}' "
            f"(found: {', '.join(sorted(labels)[:30])})"
        )
    texts = [
        LabelledText(stretch(text, chosen.max_words, random), own)
        for label, own in names.items()
        for text in found[label]
    ]
    return [texts[place] for place in random.permutation(len(texts))]


def read_pairs(
    path: str | Path, text_key: str = "text", label_key: str = "label"
) -> list[tuple[str, str]]:
    """Texts and their labels, in the order of the file; rows without text are left out.

    Raises:
        SelectraError: a column is missing, or a label is empty.
    """
    return [row for row in _rows(path, text_key, label_key) if row[0]]


def _rows(
    path: str | Path,
    text_key: str,
    label_key: str,
    *,
    all_labelled: bool = True,
    where: Mapping[str, str] | None = None,
) -> Iterator[tuple[str, str]]:
    missing = ""
    labelled = 0
    wanted = where or {}
    for place, row in file_rows(Path(path), [text_key, label_key, *wanted]):
        if any(str(row.get(key)) != value for key, value in wanted.items()):
            continue
        for key in (text_key, label_key):
            if key not in row:
                missing = f"{place}: no column '{key}' (found: {', '.join(row)})"
                if all_labelled or key == text_key:
                    raise SelectraError(missing)
                break
        else:
            labelled += 1
            yield str(row[text_key]).strip(), label_name(row[label_key], place, label_key)
    if missing and not labelled:
        raise SelectraError(missing)


def stretch(text: str, max_words: int | None, random: np.random.Generator) -> str:
    """Consecutive whole sentences of a text, starting at random, with at most `max_words`."""
    if max_words is None or len(text.split()) <= max_words:
        return text
    sentences = [found.group().strip() for found in _SENTENCE.finditer(text)]
    sentences = [sentence for sentence in sentences if sentence]
    begin = int(random.integers(len(sentences)))
    words = sentences[begin].split()[:max_words]
    for sentence in sentences[begin + 1 :]:
        more = sentence.split()
        if len(words) + len(more) > max_words:
            break
        words += more
    return " ".join(words)


def entailment_pairs(
    texts: Iterable[LabelledText], names: Names, template: str, others: int, seed: int = 0
) -> Iterator[dict[str, str]]:
    """Rows of premise, hypothesis and label: each text with its own label and with others.

    Args:
        texts: the premises.
        names: names of all labels; if there are several, a random one is used.
        template: hypothesis with {} in place of the name.
        others: number of contradictions per text, with different labels.
        seed: of the random choices.

    Raises:
        SelectraError: a template without {}, or too few labels.
    """
    if "{}" not in template:
        raise SelectraError(f"template '{template}' has no {{}} in place of the label")
    if not 0 <= others < len(names):
        raise SelectraError(f"{len(names)} labels are too few for {others} contradictions per text")
    random = np.random.default_rng(seed)
    all_names = [list(own) for own in names.values()]

    def row(text: LabelledText, own: Sequence[str], label: str) -> dict[str, str]:
        name = own[int(random.integers(len(own)))]
        return {"premise": text.text, "hypothesis": template.replace("{}", name), "label": label}

    for text in texts:
        wrong = [own for own in all_names if own != list(text.names)]
        yield row(text, text.names, "entailment")
        for place in random.permutation(len(wrong))[:others]:
            yield row(text, wrong[place], "contradiction")


def read_names(path: str | Path) -> dict[str, list[str]]:
    """Read a YAML file of `label: name` or `label: [name, other name]`.

    Raises:
        SelectraError: the file has another form.
    """
    given = read_yaml(path)
    if not isinstance(given, dict) or len(given) < 2:
        raise SelectraError(f"{path}: expected a mapping of two or more labels to names")
    names: dict[str, list[str]] = {}
    for label, value in given.items():
        own = [value] if isinstance(value, str) else value
        if not isinstance(own, list) or not own or not all(isinstance(n, str) for n in own):
            raise SelectraError(f"{path}: '{label}' needs a name or a list of names")
        names[label_name(label, str(path))] = own
    return names
