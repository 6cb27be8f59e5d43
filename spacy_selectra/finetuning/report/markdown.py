"""Inserting a table between two markers of a Markdown file."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path

from spacy_selectra.errors import SelectraError
from spacy_selectra.util.files import write_text

BEGIN = "<!-- selectra-report:begin -->"
END = "<!-- selectra-report:end -->"


def insert(paths: Iterable[str | Path], markdown: str) -> None:
    """Replace the text between the markers of each file by `markdown`.

    All files are checked before the first is written. A file that already has the table is not
    written. Line endings and everything outside the markers are unchanged.

    Raises:
        SelectraError: a file is missing, is not UTF-8, has no markers, has one of them more
            than once or in the wrong order, or cannot be written.
    """
    texts = {Path(path).resolve(): _filled(Path(path), markdown) for path in paths}
    for path, (old, new) in texts.items():
        if new != old:
            _write(path, new)


def check_markers(path: str | Path) -> None:
    """Check that `insert` can write to the file.

    Raises:
        SelectraError: as `insert`.
    """
    _filled(Path(path), "")


def _filled(path: Path, markdown: str) -> tuple[str, str]:
    """Text of a file before and after."""
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise SelectraError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise SelectraError(f"{path}: not UTF-8 text ({error})") from error
    for marker in (BEGIN, END):
        if (count := text.count(marker)) != 1:
            raise SelectraError(
                f"{path}: '{marker}' occurs {count} times; the table needs it exactly once"
            )
    start, stop = text.index(BEGIN) + len(BEGIN), text.index(END)
    if stop < start:
        raise SelectraError(f"{path}: '{END}' is before '{BEGIN}'; swap them")
    newline = "\r\n" if "\r\n" in text else "\n"
    table = newline.join(["", "", *markdown.split("\n"), "", ""])
    return text, text[:start] + table + text[stop:]


def _write(path: Path, text: str) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    write_text(path, text)
    path.chmod(mode)
