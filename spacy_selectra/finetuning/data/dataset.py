"""The data of a task, from local files or the hub, checked before anything is trained."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy_selectra.corpus.compression import split_suffix
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.config import DataSettings, Paths
from spacy_selectra.finetuning.data.conll import (
    conllu_sentences,
    entity_sentences,
    tagged_sentences,
)
from spacy_selectra.finetuning.data.examples import (
    AnyExample,
    Example,
    Question,
    Scored,
    TaggedWords,
)
from spacy_selectra.finetuning.data.parsing import (
    labelled_examples,
    unlabelled,
    unlabelled_examples,
)
from spacy_selectra.finetuning.data.sources import (
    SUFFIXES,
    Row,
    file_rows,
    hub_rows,
    numbered_lines,
)
from spacy_selectra.finetuning.data.squad import squad_rows
from spacy_selectra.finetuning.tasks.registry import Task

# Files that hold no word and tag a line, whatever else a column file may be called.
_NO_COLUMNS = (".csv", ".json", ".parquet", ".arrow", ".zip", ".xlsx", ".bin", ".npz")


@dataclass(frozen=True)
class Dataset:
    """The splits of a task.

    Attributes:
        labels: classes, tags or entity types in the order of the logits; none for values and
            spans.
        train, dev, test: examples of the kind that goes with the task's head: `Example`
            (classes), `Scored` (value), `TaggedWords` (tags) or `Question` (spans); `test` is
            empty if there is none.
    """

    labels: list[str]
    train: list[Any]
    dev: list[Any]
    test: list[Any]


def read_dataset(task: Task, data: DataSettings) -> Dataset:
    """Read all splits and check that they speak of the same labels.

    Raises:
        SelectraError: missing file, column, hub data set or split, empty split, unreadable
            row, a label the task does not know, a label not seen in training, a class that a
            split does not hold, or texts that are to be joined and are not tagged sentences.
    """
    splits = {
        name: _nonempty(f"{name}: no example in {', '.join(sources)}", read)
        for name, (sources, read) in _sources(task, data).items()
    }
    labels = labels_of(task, splits)
    train = splits["train"]
    if data.train_limit is not None:
        chosen = random.Random(0).sample(range(len(train)), len(train))[: data.train_limit]
        if data.join_sentences > 1:  # neighbours stay neighbours
            chosen.sort()
        train = [train[place] for place in chosen]
    if data.join_sentences > 1:
        if task.head != "tags":
            raise SelectraError(f"data.join_sentences is for tagged sentences, not for {task.name}")
        train = list(joined_sentences(train, data.join_sentences))
    return Dataset(labels, train, splits["dev"], splits.get("test", []))


def read_split(task: Task, paths: Paths, split: str = "data") -> list[Any]:
    """Read the files of one split, in order.

    Raises:
        SelectraError: missing file, missing column, unreadable row or no example at all.
    """
    names = _listed(paths)
    return _nonempty(
        f"{split}: no example in {', '.join(names) or 'an empty list of files'}",
        _read_files(task, names),
    )


def read_unlabelled(task: Task, paths: Paths) -> list[Any]:
    """Texts without labels, as examples of the task's kind.

    A line of a `.txt` file is a text; for pairs, two texts separated by a tab; for tags, a
    sentence whose words are what white space and punctuation leave. Files of rows have the
    task's columns of texts; labels in them are not read.

    Returns:
        `Example` with label "", `Scored` with value nan, or `TaggedWords` without tags.

    Raises:
        SelectraError: missing or unreadable file, no text at all, or a task that asks
            questions.
    """
    names = _listed(paths)
    if task.head == "spans":
        unlabelled(task, "", None)
    return _nonempty(
        f"unlabelled: no text in {', '.join(names) or 'an empty list of files'}",
        (example for name in names for example in _read_unlabelled_file(task, Path(name))),
    )


def fingerprint(examples: Iterable[AnyExample]) -> str:
    """Hex SHA-256 of examples: equal for equal data, whichever files or hub it came from."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(json.dumps(example, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _nonempty(otherwise: str, examples: Iterable[AnyExample]) -> list[Any]:
    found = list(examples)
    if not found:
        raise SelectraError(otherwise)
    return found


def _listed(paths: Paths | None) -> list[str]:
    return [paths] if isinstance(paths, str) else list(paths or ())


def _sources(task: Task, data: DataSettings) -> dict[str, tuple[list[str], Iterator[AnyExample]]]:
    """What each split is read from, and its examples (read when asked for)."""
    names = {split: _listed(getattr(data, split)) for split in ("train", "dev", "test")}
    config = data.hub_config
    if data.hub and task.hub and task.hub.id == data.hub:
        config = config or task.hub.config
        if not any(names.values()):
            names = {split: _listed(getattr(task.hub, split)) for split in names}
    for split in ("train", "dev"):
        if not names[split]:
            known = f"a split of {data.hub}" if data.hub else "a file (or set data.hub)"
            raise SelectraError(f"data.{split}: nothing to read; name {known}")
    if not data.hub:
        return {split: (files, _read_files(task, files)) for split, files in names.items() if files}
    return {
        split: ([data.hub, *parts], _read_hub(task, data, config, parts))
        for split, parts in names.items()
        if parts
    }


def _read_files(task: Task, names: Sequence[str]) -> Iterator[AnyExample]:
    for name in names:
        yield from _read_file(task, Path(name))


def _read_hub(
    task: Task, data: DataSettings, config: str | None, parts: Sequence[str]
) -> Iterator[AnyExample]:
    for part in parts:
        rows = hub_rows(str(data.hub), config, data.hub_revision, part)
        yield from labelled_examples(task, f"{data.hub}, {part}", rows)


def _read_file(task: Task, path: Path) -> Iterator[AnyExample]:
    suffix, _ = split_suffix(path)
    if task.head == "tags" and suffix != ".jsonl":
        if suffix in _NO_COLUMNS or (suffix == ".conllu" and task.entities):
            raise SelectraError(
                f"{path}: kind of file not known (use .jsonl"
                f"{'' if task.entities else ', .conllu'}, or a file with a word and its tag a line)"
            )
        if task.entities:
            return entity_sentences(path, task.drop)
        return conllu_sentences(path) if suffix == ".conllu" else tagged_sentences(path)
    if task.head == "spans":
        if suffix not in (".json", ".jsonl"):
            raise SelectraError(f"{path}: kind of file not known (use .json as SQuAD's, or .jsonl)")
        if suffix == ".json":
            return labelled_examples(task, str(path), squad_rows(path))
    return labelled_examples(task, str(path), _rows(task, path))


def _rows(task: Task, path: Path) -> Iterator[Row]:
    known = [column for layout in task.layouts for column in layout.columns]
    return file_rows(path, known, task.layouts[0].headerless)


def _read_unlabelled_file(task: Task, path: Path) -> Iterator[AnyExample]:
    suffix, _ = split_suffix(path)
    if suffix in SUFFIXES:
        yield from unlabelled_examples(task, str(path), _rows(task, path))
        return
    if suffix != ".txt":
        raise SelectraError(
            f"{path}: kind of file not known (use .txt, or rows as {', '.join(SUFFIXES)})"
        )
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        if not task.pairs:
            yield unlabelled(task, line.strip(), None)
            continue
        texts = [text.strip() for text in line.split("\t")]
        if len(texts) != 2 or not all(texts):
            raise SelectraError(f"{path}, line {number}: not two texts separated by a tab")
        yield unlabelled(task, texts[0], texts[1])


__all__ = [
    "AnyExample",
    "Dataset",
    "Example",
    "Question",
    "Scored",
    "TaggedWords",
    "fingerprint",
    "read_dataset",
    "read_split",
    "read_unlabelled",
]


# Labels of a data set: which there are, and whether all splits agree on them.


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


# Successive sentences as one text: pipelines read paragraphs, tagged data sets hold sentences.


def joined_sentences(
    sentences: Sequence[TaggedWords], most: int, seed: int = 0
) -> Iterator[TaggedWords]:
    """Every sentence once, in texts of 1 to `most` successive ones, each number equally likely."""
    numbers = random.Random(seed)
    begin = 0
    while begin < len(sentences):
        group = sentences[begin : begin + numbers.randint(1, most)]
        yield TaggedWords(
            [word for sentence in group for word in sentence.words],
            [tag for sentence in group for tag in sentence.tags],
        )
        begin += len(group)
