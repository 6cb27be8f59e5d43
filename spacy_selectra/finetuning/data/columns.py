"""Column files: one word and its tag per line, among other columns.

The layout is determined once for a file, and every line must fit it: columns are separated by tabs
if any line with a word has one, else by spaces, and all lines have as many columns as the first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from spacy_selectra.corpus.lines import numbered_lines
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.labels import label_name

_DOCUMENT = "-DOCSTART-"
_COMMENT = re.compile(r"# |#(begin|end) document")
_ASSIGNMENT = re.compile(r"# \S+ =( |$)")  # CoNLL-U's "# text = ..."
_NUMBER = re.compile(r"\d+([-.]\d+)?")


@dataclass
class Rows:
    """First and last columns of the lines of a sentence, and line numbers."""

    words: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


def sentence_rows(path: str | Path, is_tag: Callable[[str], bool] | None) -> Iterator[Rows | None]:
    """Sentences, and None for lines that begin a document.

    Args:
        path: the file.
        is_tag: whether a last column can be a tag; None allows the last columns of all lines that
            cannot be comments.

    Raises:
        SelectraError: the file is missing or not UTF-8, or a line does not fit the layout.
    """
    lines = list(numbered_lines(path))
    columns = _Columns(path, [line for _, line in lines], is_tag)
    rows, words = Rows(), 0
    numbers_only = True
    for number, line in lines:
        kind = columns.kind(line)
        if kind == "word":
            word, tag = columns.word_and_tag(number, line)
            rows.words.append(word)
            rows.tags.append(tag)
            rows.lines.append(number)
            numbers_only = numbers_only and bool(_NUMBER.fullmatch(word))
            words += 1
            continue
        if kind == "comment":
            if rows.words:
                raise SelectraError(
                    f"{path}, line {number}: not a word with its tag; comments are allowed only "
                    f"before a sentence ('{line.strip()}')"
                )
            continue
        if rows.words:
            yield rows
            rows = Rows()
        if kind == "document":
            yield None
    if words > 2 and numbers_only:
        raise SelectraError(
            f"{path}: the first column has numbers, but must have the words (if the file is in "
            "CoNLL-U, its name must end in .conllu)"
        )
    if rows.words:
        yield rows


class _Columns:
    """The layout of a file: separator and number of columns."""

    def __init__(
        self, path: str | Path, lines: Sequence[str], is_tag: Callable[[str], bool] | None
    ) -> None:
        self.path = path
        sure = [
            (number, line.strip(" ").rstrip(" \t"))
            for number, line in enumerate(lines, start=1)
            if line.strip() and not _COMMENT.match(line) and not line.startswith(_DOCUMENT)
        ]
        self.separator = "\t" if any("\t" in line for _, line in sure) else " "
        self.first, first = sure[0] if sure else (0, "")
        self.width = len(self._split(first))
        self.is_tag = is_tag
        if is_tag is None:
            tags = {self._split(line)[-1] for _, line in sure if not line.startswith("#")}
            self.is_tag = tags.__contains__

    def kind(self, line: str) -> str:
        """ "word", "comment", "document" (its beginning) or "end" (of a sentence)."""
        if not line.strip():
            return "end"
        if line.startswith(_DOCUMENT):
            return "document"
        if _COMMENT.match(line):
            fields = self._split(line)
            fits = len(fields) == self.width and not _ASSIGNMENT.match(line)
            if not (fits and self.is_tag and self.is_tag(fields[-1])):
                return "comment"
        return "word"

    def word_and_tag(self, number: int, line: str) -> tuple[str, str]:
        """The first and the last column of a line.

        Raises:
            SelectraError: it does not fit the layout.
        """
        place = f"{self.path}, line {number}"
        fields = self._split(line)
        names = {"\t": "tabs", " ": "spaces"}
        if len(fields) < 2:
            raise SelectraError(
                f"{place}: a word without a tag ('{fields[0]}'); each line must have a word and "
                f"its tag, separated by {names[self.separator]}"
            )
        if len(fields) != self.width:
            advice = "" if self.separator == "\t" else "; if words contain spaces, use tabs"
            raise SelectraError(
                f"{place}: {len(fields)} columns separated by {names[self.separator]}, but line "
                f"{self.first} has {self.width}{advice}"
            )
        if not fields[0]:
            raise SelectraError(f"{place}: a tag without a word ('{fields[-1]}')")
        return fields[0], label_name(fields[-1], place)

    def _split(self, line: str) -> list[str]:
        """Split a line; no-break spaces ("5\u00a0000") and spaces between tabs do not separate."""
        if self.separator == "\t":
            return [part.strip(" ") for part in line.rstrip(" \t").split("\t")]
        return re.split(" +", line.strip(" \t"))
