"""Annotation of a part in a worker: from rows to the bytes of the output."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy_selectra.errors import SelectraError
from spacy_selectra.serving.bulk.outputs import Output, json_line, new_output
from spacy_selectra.serving.bulk.rows import Row, read_rows, text_problem
from spacy_selectra.serving.records import annotate_docs, load_pipeline, zero_shot_component
from spacy_selectra.util.files import atomic_file

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

Annotated = tuple[dict[str, Any], "Doc"]
"""The record of a document, and the document."""
# A part is the unit of work, of some seconds: repeated after a kill, and finished before a stop.
_PART_ROWS = 1024
_PART_CHARACTERS = 500_000
ERRORS = ".errors"


@dataclass(frozen=True)
class Work:
    """Settings of an annotation.

    Attributes:
        pipeline: package or directory.
        output: output file; its extension is the format.
        text_key: column of the text.
        labels: for the zero-shot component.
        batch_size: documents per batch of `nlp.pipe`.
        errors: file for invalid rows; if None, the first is an error.
        directory: directory of finished parts; if None, their bytes are returned.
    """

    pipeline: str
    output: str
    text_key: str = "text"
    labels: tuple[str, ...] = ()
    batch_size: int = 64
    errors: str | None = None
    directory: str | None = None

    def path(self, name: str) -> Path:
        """The file of a part."""
        assert self.directory is not None
        return Path(self.directory, name)

    def is_finished(self, part: Part) -> bool:
        """Whether a part is finished."""
        return self.directory is not None and self.path(part.name).exists()

    @property
    def part_rows(self) -> int:
        """Maximum rows of a part: several batches, or one batch if bytes are returned."""
        return self.batch_size * (-(-_PART_ROWS // self.batch_size) if self.directory else 1)


@dataclass(frozen=True)
class Part:
    """Consecutive rows of one source.

    Attributes:
        name: file name; the output has the parts in alphabetical order.
        first: number of its first row within the source, from 1.
        rows: the rows, including invalid ones.
    """

    name: str
    first: int
    rows: list[Row]


@dataclass(frozen=True)
class Outcome:
    """The result of a part.

    Attributes:
        name: name of the part.
        rows: number of rows, including invalid ones.
        error: an error that stops the job.
        found: whether the part was already finished.
        data: its output, if parts have no files.
        refused: its invalid rows, likewise.
    """

    name: str
    rows: int
    error: str | None = None
    found: bool = False
    data: bytes = b""
    refused: bytes = b""


def parts_of(work: Work, number: int, source: str) -> Iterator[Part]:
    """The parts of a source, deterministically: at most `part_rows` and 500,000 characters each.

    Args:
        work: settings of the annotation.
        number: index of the source.
        source: file or address.

    Raises:
        SelectraError: the source cannot be read.
    """
    rows: list[Row] = []
    count = first = size = 0
    for row in read_rows(source, work.text_key):
        length = len(str(row.values))
        if rows and (len(rows) == work.part_rows or size + length > _PART_CHARACTERS):
            yield Part(f"{number:06d}-{count:08d}", first + 1, rows)
            count, first, size, rows = count + 1, first + len(rows), 0, []
        rows.append(row)
        size += length
    if rows:
        yield Part(f"{number:06d}-{count:08d}", first + 1, rows)


def found(part: Part) -> Outcome:
    """The outcome of a part that is already finished."""
    return Outcome(part.name, len(part.rows), found=True)


@dataclass
class PartAnnotator:
    """Annotates parts; the pipeline is loaded for the first one."""

    work: Work
    check: Callable[[], None] = field(default=lambda: None)

    def __call__(self, part: Part) -> Outcome:
        """Annotate a part and write its files, invalid rows first.

        Finished parts are skipped. `check` is called between batches; its exceptions abort the part
        without writing files. A `SelectraError` is returned in the outcome instead of raised.
        """
        if self.work.is_finished(part):
            return found(part)
        try:
            data, refused = self._annotate(part)
            if self.work.directory is not None:
                self._write(part, data, refused)
                data = refused = b""
        except SelectraError as error:
            return Outcome(part.name, len(part.rows), error=str(error))
        return Outcome(part.name, len(part.rows), data=data, refused=refused)

    @cached_property
    def nlp(self) -> Language:
        """The pipeline.

        Raises:
            SelectraError: it does not load, or has no component for the labels.
        """
        nlp = load_pipeline(self.work.pipeline)
        if self.work.labels:
            zero_shot_component(nlp)
        return nlp

    def _write(self, part: Part, data: bytes, refused: bytes) -> None:
        if refused:
            with atomic_file(self.work.path(part.name + ERRORS)) as temporary:
                temporary.write_bytes(refused)
        with atomic_file(self.work.path(part.name)) as temporary:
            temporary.write_bytes(data)

    def _annotate(self, part: Part) -> tuple[bytes, bytes]:
        types = next((row.types for row in part.rows if row.types is not None), None)
        output = new_output(self.work.output, self.nlp, self.work.text_key, types)
        refused: list[bytes] = []
        numbered = iter(enumerate(part.rows, start=part.first))
        while batch := list(islice(numbered, self.work.batch_size)):
            self.check()
            with self.nlp.memory_zone():
                refused += self._batch(batch, output)
        return output.part(), b"".join(refused)

    def annotated(
        self, batch: list[tuple[int, Row]]
    ) -> tuple[dict[int, Annotated], dict[int, str]]:
        """Annotations of numbered rows, and reasons for rows without.

        Call it within `nlp.memory_zone()`; the documents are invalid outside.
        """
        problems: dict[int, str] = {}
        for number, row in batch:
            problem = row.problem or text_problem(
                row.values, self.work.text_key, self.nlp.max_length
            )
            if problem:
                problems[number] = problem
        return self._docs([item for item in batch if item[0] not in problems], problems), problems

    def _batch(self, batch: list[tuple[int, Row]], output: Output) -> Iterator[bytes]:
        """Add rows to the output, and yield lines for the errors file for invalid ones."""
        docs, problems = self.annotated(batch)
        for number, row in batch:
            if number in docs:
                try:
                    output.add(row.values, *docs[number])
                    continue
                except ValueError as error:
                    problems[number] = str(error)
            yield self._refused(number, row, problems[number])

    def _docs(self, rows: list[tuple[int, Row]], problems: dict[int, str]) -> dict[int, Annotated]:
        """Record and document of each row; if the pipeline fails on a row, add it to problems."""
        texts = [row.values[self.work.text_key] for _, row in rows]
        try:
            docs, records = annotate_docs(
                self.nlp, texts, self.work.labels, batch_size=self.work.batch_size
            )
        except Exception as error:  # components may raise anything
            if len(rows) > 1:  # retry one by one to find the row
                alone = [self._docs([row], problems) for row in rows]
                return {number: found for docs in alone for number, found in docs.items()}
            first = (str(error).strip().splitlines() or [""])[0]
            problems[rows[0][0]] = f"the pipeline fails: {type(error).__name__}: {first}"
            return {}
        numbers = [number for number, _ in rows]
        return dict(zip(numbers, zip(records, docs, strict=True), strict=True))

    def _refused(self, number: int, row: Row, problem: str) -> bytes:
        if self.work.errors is None:
            raise SelectraError(f"{row.place}: {problem}")
        record = {"row": number, "place": row.place, "reason": problem, "content": row.values}
        try:
            return json_line(record)
        except ValueError:  # half surrogate pairs, possible as escapes
            return (json.dumps(record, default=repr) + "\n").encode()
