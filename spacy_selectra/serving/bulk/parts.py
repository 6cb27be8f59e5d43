"""What every worker does, whoever started it: rows of a part in, the bytes of its output out."""

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
"""What `describe` says of a document, and the document."""

# A part is what is done again after a kill, and what a stop waits for: some seconds of work.
_PART_ROWS = 1024
_PART_CHARACTERS = 500_000
ERRORS = ".errors"


@dataclass(frozen=True)
class Work:
    """What is to be done with every row.

    Attributes:
        pipeline: package or directory.
        output: the file that is written in the end; its name says how.
        text_key: column of the text.
        labels: for the zero-shot component.
        batch_size: documents a batch of `nlp.pipe`.
        errors: file of the rows that cannot be read or annotated; None makes the first an error.
        directory: where finished parts are put; None hands their bytes back.
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
        """Whether a part is there already."""
        return self.directory is not None and self.path(part.name).exists()

    @property
    def part_rows(self) -> int:
        """Rows of a part at most: whole batches; where bytes are handed back, a single one."""
        return self.batch_size * (-(-_PART_ROWS // self.batch_size) if self.directory else 1)


@dataclass(frozen=True)
class Part:
    """Consecutive rows of one source.

    Attributes:
        name: of its file; in their alphabetic order parts make the output.
        first: number of its first row within the source, from 1.
        rows: broken ones among them.
    """

    name: str
    first: int
    rows: list[Row]


@dataclass(frozen=True)
class Outcome:
    """What came of a part.

    Attributes:
        name: of the part.
        rows: how many it has, broken ones among them.
        error: what stops the whole work.
        found: whether it was there already.
        data: its output, where parts have no files.
        refused: and its broken rows.
    """

    name: str
    rows: int
    error: str | None = None
    found: bool = False
    data: bytes = b""
    refused: bytes = b""


def parts_of(work: Work, number: int, source: str) -> Iterator[Part]:
    """The parts of a source, the same whoever asks: at most `part_rows`, and 500,000 characters.

    Args:
        work: what they are for.
        number: of the source among all.
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
    """The outcome of a part that is there already."""
    return Outcome(part.name, len(part.rows), found=True)


@dataclass
class PartAnnotator:
    """Annotates parts; the pipeline is loaded with the first."""

    work: Work
    check: Callable[[], None] = field(default=lambda: None)

    def __call__(self, part: Part) -> Outcome:
        """Annotate a part and write its files, that of broken rows first.

        A part that is there already is left as it is. `check` is called between batches; what it
        raises ends the part without a trace. No `SelectraError` is raised: the outcome has it.
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
        """What the pipeline finds in numbered rows, and why it can say nothing of the others.

        Call it within `nlp.memory_zone()`, which the documents must not leave.
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
        """Add rows to the output; those that cannot be are yielded, as lines of the errors."""
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
        """Record and document of each row; rows at which the pipeline fails become problems."""
        texts = [row.values[self.work.text_key] for _, row in rows]
        try:
            docs, records = annotate_docs(
                self.nlp, texts, self.work.labels, batch_size=self.work.batch_size
            )
        except Exception as error:  # components raise whatever they like
            if len(rows) > 1:  # find out which of them it is
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
        except ValueError:  # half surrogate pairs, which escapes can write
            return (json.dumps(record, default=repr) + "\n").encode()
