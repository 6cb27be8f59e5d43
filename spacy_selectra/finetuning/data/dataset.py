"""Reading and checking the data of a task, from local files or the hub."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spacy_selectra.corpus.compression import split_suffix
from spacy_selectra.corpus.lines import numbered_lines
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
from spacy_selectra.finetuning.data.labels import labels_of
from spacy_selectra.finetuning.data.parsing import (
    labelled_examples,
    unlabelled,
    unlabelled_examples,
)
from spacy_selectra.finetuning.data.sources import (
    SUFFIXES,
    Formats,
    Row,
    file_rows,
    hub_rows,
)
from spacy_selectra.finetuning.data.squad import squad_rows
from spacy_selectra.finetuning.tasks.registry import TaskSpec
from spacy_selectra.util.files import expanded

# Files with these suffixes are not column files; column files may have any other suffix.
_NO_COLUMNS = (".csv", ".parquet", ".arrow", ".zip", ".xlsx", ".bin", ".npz", ".spacy")


@dataclass(frozen=True)
class Dataset:
    """The splits of a task.

    Attributes:
        labels: classes, tags or entity types in the order of the logits; empty for values and
            spans.
        train, dev, test: examples for the task's head: `Example` (classes), `Scored` (value),
            `TaggedWords` (tags) or `Question` (spans); `test` may be empty.
    """

    labels: list[str]
    train: list[Any]
    dev: list[Any]
    test: list[Any]


def read_dataset(spec: TaskSpec, data: DataSettings, formats: Formats | None = None) -> Dataset:
    """Read all splits and check that they have the same labels.

    Args:
        spec: the task.
        data: section `[data]`.
        formats: readers of further file formats.

    Raises:
        SelectraError: missing file, column, hub data set or split, empty split, unreadable row,
            a label that is unknown to the task or not in the training split, a class missing in
            a split, or `join_sentences` for a task without tagged sentences.
    """
    spec = with_columns(spec, data)
    splits = {
        name: _nonempty(f"{name}: no example in {', '.join(sources)}", read)
        for name, (sources, read) in _sources(spec, data, formats).items()
    }
    labels = labels_of(spec, splits)
    train = splits["train"]
    if data.train_limit is not None:
        chosen = random.Random(0).sample(range(len(train)), len(train))[: data.train_limit]
        if data.join_sentences > 1:  # before the shuffle, so that joined sentences are consecutive
            chosen.sort()
        train = [train[place] for place in chosen]
    if data.join_sentences > 1:
        if spec.head != "tags":
            raise SelectraError(f"data.join_sentences is for tagged sentences, not for {spec.name}")
        train = list(joined_sentences(train, data.join_sentences))
    return Dataset(labels, train, splits["dev"], splits.get("test", []))


def with_columns(spec: TaskSpec, data: DataSettings) -> TaskSpec:
    """The task with the column names of the settings.

    Raises:
        SelectraError: a column for a second text, but the task has single texts.
    """
    named = {"text": data.text_column, "pair": data.pair_column, "label": data.label_column}
    chosen: dict[str, Any] = {part: name for part, name in named.items() if name is not None}
    if not chosen:
        return spec
    if "pair" in chosen and not spec.pairs:
        raise SelectraError(
            f"data.pair_column is for pairs of texts, but {spec.name} has single texts"
        )
    columns = [replace(own, **chosen, only={}, headerless=()) for own in spec.columns]
    return replace(spec, columns=tuple(columns))


def read_split(spec: TaskSpec, paths: Paths, split: str = "data") -> list[Any]:
    """Read the files of one split, in order.

    Raises:
        SelectraError: missing file, missing column, unreadable row or no examples.
    """
    names = _listed(paths)
    return _nonempty(
        f"{split}: no example in {', '.join(names) or 'an empty list of files'}",
        _read_files(spec, names, None),
    )


def read_unlabelled(spec: TaskSpec, paths: Paths, formats: Formats | None = None) -> list[Any]:
    """Unlabelled texts, as examples of the task.

    A line of a `.txt` file is a text. For pairs it is two texts separated by a tab; for tags it is
    a sentence, split into words at white space and punctuation. Files of rows need the task's
    text columns; labels are ignored.

    Returns:
        `Example` with label "", `Scored` with value nan, or `TaggedWords` without tags.

    Raises:
        SelectraError: missing or unreadable file, no texts, or a question answering task.
    """
    names = _listed(paths)
    if spec.head == "spans":
        unlabelled(spec, "", None)
    return _nonempty(
        f"unlabelled: no text in {', '.join(names) or 'an empty list of files'}",
        (
            example
            for name in names
            for example in _read_unlabelled_file(spec, expanded(name), formats)
        ),
    )


def fingerprint(examples: Iterable[AnyExample]) -> str:
    """Hex SHA-256 of examples; it does not depend on the files or the hub they came from."""
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


def _sources(
    spec: TaskSpec, data: DataSettings, formats: Formats | None
) -> dict[str, tuple[list[str], Iterator[AnyExample]]]:
    """Sources and lazily read examples of each split."""
    names = {split: _listed(getattr(data, split)) for split in ("train", "dev", "test")}
    config = data.hub_config
    if data.hub and spec.hub and spec.hub.id == data.hub:
        config = config or spec.hub.config
        if not any(names.values()):
            names = {split: _listed(getattr(spec.hub, split)) for split in names}
    for split in ("train", "dev"):
        if not names[split]:
            known = f"a split of {data.hub}" if data.hub else "a file (or set data.hub)"
            raise SelectraError(f"data.{split} is not set; give {known}")
    if not data.hub:
        return {
            split: (files, _read_files(spec, files, formats))
            for split, files in names.items()
            if files
        }
    return {
        split: ([data.hub, *parts], _read_hub(spec, data, config, parts))
        for split, parts in names.items()
        if parts
    }


def _read_files(
    spec: TaskSpec, names: Sequence[str], formats: Formats | None
) -> Iterator[AnyExample]:
    for name in names:
        yield from _read_file(spec, expanded(name), formats)


def _read_hub(
    spec: TaskSpec, data: DataSettings, config: str | None, parts: Sequence[str]
) -> Iterator[AnyExample]:
    for part in parts:
        rows = hub_rows(str(data.hub), config, data.hub_revision, part)
        yield from labelled_examples(spec, f"{data.hub}, {part}", rows)


def holds_columns(spec: TaskSpec, path: Path, formats: Formats | None = None) -> bool:
    """Whether a file is a column file and not a file of rows.

    Raises:
        SelectraError: this task cannot use the file's format.
    """
    suffix, _ = split_suffix(path)
    if spec.head != "tags" or suffix in (".jsonl", ".json") or (formats and suffix in formats):
        return False
    if suffix in _NO_COLUMNS or (suffix == ".conllu" and spec.entities):
        known = (".jsonl", ".json", *(formats or ()), *(() if spec.entities else (".conllu",)))
        raise SelectraError(
            f"{path}: unknown format (use {', '.join(known)}, or a file with one word and its "
            "tag per line)"
        )
    return True


def _read_file(spec: TaskSpec, path: Path, formats: Formats | None) -> Iterator[AnyExample]:
    suffix, _ = split_suffix(path)
    if holds_columns(spec, path, formats):
        if spec.entities:
            return entity_sentences(path, spec.drop)
        return conllu_sentences(path) if suffix == ".conllu" else tagged_sentences(path)
    if spec.head == "spans":
        if suffix not in (".json", ".jsonl"):
            raise SelectraError(f"{path}: unknown format (use SQuAD's .json, or .jsonl)")
        if suffix == ".json":
            return labelled_examples(spec, str(path), squad_rows(path))
    return labelled_examples(spec, str(path), rows_of(spec, path, formats))


def rows_of(spec: TaskSpec, path: Path, formats: Formats | None = None) -> Iterator[Row]:
    """Rows of a file for a task; see `file_rows`."""
    known = [name for columns in spec.columns for name in columns.all]
    return file_rows(path, known, spec.columns[0].headerless, formats)


def _read_unlabelled_file(
    spec: TaskSpec, path: Path, formats: Formats | None
) -> Iterator[AnyExample]:
    suffix, _ = split_suffix(path)
    if suffix in SUFFIXES or (formats and suffix in formats):
        yield from unlabelled_examples(spec, str(path), rows_of(spec, path, formats))
        return
    if suffix != ".txt":
        raise SelectraError(f"{path}: unknown format (use .txt, or rows in {', '.join(SUFFIXES)})")
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        if not spec.pairs:
            yield unlabelled(spec, line.strip(), None)
            continue
        texts = [text.strip() for text in line.split("\t")]
        if len(texts) != 2 or not all(texts):
            raise SelectraError(f"{path}, line {number}: not two texts separated by a tab")
        yield unlabelled(spec, texts[0], texts[1])


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
    "with_columns",
]


# Joining consecutive sentences, because pipelines read paragraphs and data sets have sentences.


def joined_sentences(
    sentences: Sequence[TaggedWords], most: int, seed: int = 0
) -> Iterator[TaggedWords]:
    """Join all sentences into texts of 1 to `most` consecutive ones, with uniform lengths."""
    numbers = random.Random(seed)
    begin = 0
    while begin < len(sentences):
        group = sentences[begin : begin + numbers.randint(1, most)]
        yield TaggedWords(
            [word for sentence in group for word in sentence.words],
            [tag for sentence in group for tag in sentence.tags],
        )
        begin += len(group)
