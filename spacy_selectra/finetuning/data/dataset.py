"""The data of a task, from local files or the hub, checked before anything is trained."""

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

# Files that hold no word and tag a line, whatever else a column file may be called.
_NO_COLUMNS = (".csv", ".parquet", ".arrow", ".zip", ".xlsx", ".bin", ".npz", ".spacy")


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


def read_dataset(spec: TaskSpec, data: DataSettings, formats: Formats | None = None) -> Dataset:
    """Read all splits and check that they speak of the same labels.

    Args:
        spec: what is learnt.
        data: where the splits are, and how their columns are called.
        formats: readers of further kinds of files.

    Raises:
        SelectraError: missing file, column, hub data set or split, empty split, unreadable
            row, a label the task does not know, a label not seen in training, a class that a
            split does not hold, or texts that are to be joined and are not tagged sentences.
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
        if data.join_sentences > 1:  # neighbours stay neighbours
            chosen.sort()
        train = [train[place] for place in chosen]
    if data.join_sentences > 1:
        if spec.head != "tags":
            raise SelectraError(f"data.join_sentences is for tagged sentences, not for {spec.name}")
        train = list(joined_sentences(train, data.join_sentences))
    return Dataset(labels, train, splits["dev"], splits.get("test", []))


def with_columns(spec: TaskSpec, data: DataSettings) -> TaskSpec:
    """The task whose columns are called as the settings say.

    Raises:
        SelectraError: a column for a second text, and the task has one.
    """
    named = {"text": data.text_column, "pair": data.pair_column, "label": data.label_column}
    chosen: dict[str, Any] = {part: name for part, name in named.items() if name is not None}
    if not chosen:
        return spec
    if "pair" in chosen and not spec.pairs:
        raise SelectraError(f"data.pair_column is for two texts, {spec.name} has one")
    columns = [replace(own, **chosen, only={}, headerless=()) for own in spec.columns]
    return replace(spec, columns=tuple(columns))


def read_split(spec: TaskSpec, paths: Paths, split: str = "data") -> list[Any]:
    """Read the files of one split, in order.

    Raises:
        SelectraError: missing file, missing column, unreadable row or no example at all.
    """
    names = _listed(paths)
    return _nonempty(
        f"{split}: no example in {', '.join(names) or 'an empty list of files'}",
        _read_files(spec, names, None),
    )


def read_unlabelled(spec: TaskSpec, paths: Paths, formats: Formats | None = None) -> list[Any]:
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
    if spec.head == "spans":
        unlabelled(spec, "", None)
    return _nonempty(
        f"unlabelled: no text in {', '.join(names) or 'an empty list of files'}",
        (
            example
            for name in names
            for example in _read_unlabelled_file(spec, Path(name).expanduser(), formats)
        ),
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


def _sources(
    spec: TaskSpec, data: DataSettings, formats: Formats | None
) -> dict[str, tuple[list[str], Iterator[AnyExample]]]:
    """What each split is read from, and its examples (read when asked for)."""
    names = {split: _listed(getattr(data, split)) for split in ("train", "dev", "test")}
    config = data.hub_config
    if data.hub and spec.hub and spec.hub.id == data.hub:
        config = config or spec.hub.config
        if not any(names.values()):
            names = {split: _listed(getattr(spec.hub, split)) for split in names}
    for split in ("train", "dev"):
        if not names[split]:
            known = f"a split of {data.hub}" if data.hub else "a file (or set data.hub)"
            raise SelectraError(f"data.{split}: nothing to read; name {known}")
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
        yield from _read_file(spec, Path(name).expanduser(), formats)


def _read_hub(
    spec: TaskSpec, data: DataSettings, config: str | None, parts: Sequence[str]
) -> Iterator[AnyExample]:
    for part in parts:
        rows = hub_rows(str(data.hub), config, data.hub_revision, part)
        yield from labelled_examples(spec, f"{data.hub}, {part}", rows)


def holds_columns(spec: TaskSpec, path: Path, formats: Formats | None = None) -> bool:
    """Whether a file holds a word and its tag a line, rather than rows.

    Raises:
        SelectraError: a kind of file that holds neither for this task.
    """
    suffix, _ = split_suffix(path)
    if spec.head != "tags" or suffix in (".jsonl", ".json") or (formats and suffix in formats):
        return False
    if suffix in _NO_COLUMNS or (suffix == ".conllu" and spec.entities):
        known = (".jsonl", ".json", *(formats or ()), *(() if spec.entities else (".conllu",)))
        raise SelectraError(
            f"{path}: kind of file not known (use {', '.join(known)}, or a file with a word and "
            "its tag a line)"
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
            raise SelectraError(f"{path}: kind of file not known (use .json as SQuAD's, or .jsonl)")
        if suffix == ".json":
            return labelled_examples(spec, str(path), squad_rows(path))
    return labelled_examples(spec, str(path), rows_of(spec, path, formats))


def rows_of(spec: TaskSpec, path: Path, formats: Formats | None = None) -> Iterator[Row]:
    """Rows of a file for a task, which knows the columns it may have; see `file_rows`."""
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
        raise SelectraError(
            f"{path}: kind of file not known (use .txt, or rows as {', '.join(SUFFIXES)})"
        )
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
