"""Decoding the lines of users' text files, in UTF-8 or UTF-16 and with any line endings."""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from spacy_selectra.corpus.compression import open_for_reading
from spacy_selectra.errors import SelectraError
from spacy_selectra.util.files import refuse_pointer

_BLOCK = 1 << 16  # bytes
_MARKS = {  # UTF-32 first, because its mark begins like that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
# Without a byte order mark, UTF-16 is recognised by the zero byte of the first character.
_UNMARKED = {1: "utf-16-le", 0: "utf-16-be"}
# First bytes of common binary files, and a hint for the error message.
_OTHER_KINDS = {
    b"PK\x03\x04": "a zip archive, as .xlsx and .docx files are; save it as .csv or .txt",
    b"\xd0\xcf\x11\xe0": "a binary Office document; save it as .csv or .txt",
    b"%PDF": "a PDF document; extract its text",
    b"x\x9c": "compressed binary data, as spaCy's DocBin; the name of such a file ends in .spacy",
    b"PAR1": "parquet; the name of such a file ends in .parquet",
    b"\x1f\x8b": "compressed; the name of such a file ends in .gz",
    b"\xfd7zXZ": "compressed; the name of such a file ends in .xz",
    b"\x28\xb5\x2f\xfd": "compressed; the name of such a file ends in .zst",
    b"SQLite format 3": "an SQLite data base; export its rows",
}


def numbered_lines(path: str | Path, *, strict: bool = True) -> Iterator[tuple[int, str]]:
    """Lines of a file (plain, .gz, .xz or .zst) without line endings, numbered from 1.

    Args:
        path: the file.
        strict: see `decoded_lines`.

    Raises:
        SelectraError: the file is missing, damaged or not in UTF-8, UTF-16 or UTF-32.
    """
    with open_for_reading(path) as stream:
        yield from decoded_lines(path, stream, strict=strict)


def decoded_lines(
    source: str | Path, stream: BinaryIO, *, strict: bool = True
) -> Iterator[tuple[int, str]]:
    """As `numbered_lines`, from an open stream, in constant memory.

    Lines end in line feeds or, if the first line ends in a single carriage return (old Macintosh),
    in carriage returns. UTF-8 and UTF-16 may begin with a byte order mark, UTF-32 must.

    Args:
        source: name of the file, for errors.
        stream: bytes.
        strict: whether a byte that is not UTF-8 is an error. If not, it becomes a lone surrogate
            (PEP 383), which `wrong_byte` finds.
    """
    first = stream.readline(_BLOCK)
    refuse_pointer(source, first)
    for beginning, kind in _OTHER_KINDS.items():
        if first.startswith(beginning):
            raise SelectraError(f"{source}: not a text file but {kind}")
    mark, encoding = _encoding(first)
    if encoding != "utf-8" or (b"\r" in first[:-1] and not first.endswith(b"\n")):
        yield from enumerate(_reread(source, first[len(mark) :], stream, encoding), start=1)
        return
    if len(first) == _BLOCK and not first.endswith(b"\n"):
        first += stream.readline()
    offset = 0
    for number, raw in enumerate(chain([first] if first else [], stream), start=1):
        try:
            line = raw.decode("utf-8", "strict" if strict else "surrogateescape")
        except UnicodeDecodeError as error:
            byte = f"byte {raw[error.start]:#04x} at {offset + error.start + 1}"
            raise _undecodable(f"{source}, line {number}", byte, source) from error
        offset += len(raw)
        yield number, line.removeprefix("\ufeff" if number == 1 else "").rstrip("\r\n")


def _encoding(first: bytes) -> tuple[bytes, str]:
    for mark, name in _MARKS.items():
        if first.startswith(mark):
            return mark, name
    for place, name in _UNMARKED.items():
        if first[place : place + 1] == b"\0":
            return b"", name
    return (codecs.BOM_UTF8 if first.startswith(codecs.BOM_UTF8) else b""), "utf-8"


def _reread(source: str | Path, first: bytes, stream: BinaryIO, encoding: str) -> Iterator[str]:
    """Lines that end in CR, LF or both, of any encoding."""
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(), True)
    number, left = 1, ""
    for block in chain([first], iter(lambda: stream.read(_BLOCK), b""), [b""]):
        try:
            text = left + decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            place = f"{source}, after line {number}"
            if encoding != "utf-8":
                raise SelectraError(
                    f"{place}: not valid {encoding[:6].upper()}, although the file begins like it"
                ) from error
            byte = f"byte {error.object[error.start]:#04x}"
            raise _undecodable(place, byte, source) from error
        *lines, left = text.split("\n")
        yield from lines
        number += len(lines)
    if left:
        yield left


def wrong_byte(line: str, source: str | Path) -> str | None:
    """An error message for a line that was read without `strict`; None if it is valid UTF-8."""
    for place, character in enumerate(line, start=1):
        if "\udc80" <= character <= "\udcff":
            return _not_utf8(f"byte {ord(character) - 0xDC00:#04x} at character {place}", source)
    return None


def _undecodable(place: str, byte: str, source: str | Path) -> SelectraError:
    return SelectraError(f"{place}: {_not_utf8(byte, source)}")


def _not_utf8(byte: str, source: str | Path) -> str:
    # cp1252 is Latin-1 with € and curly quotes where Latin-1 has control characters
    return (
        f"not UTF-8 ({byte}); if the file is from Windows or in Latin-1, convert it: "
        f"iconv -f cp1252 -t utf-8 {Path(source).name} > NEW"
    )


def json_objects(
    source: str | Path, lines: Iterable[tuple[int, str]]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and object of each line of JSON; blank lines are skipped.

    Args:
        source: name of the file, for errors.
        lines: numbered lines of the file.

    Raises:
        SelectraError: a line is not a JSON object.
    """
    for number, line in lines:
        if not line.strip():
            continue
        try:
            row = json_object(line)
        except SelectraError as error:
            raise SelectraError(f"{source}, line {number}: {error}") from error
        yield number, row


def json_object(line: str) -> dict[str, Any]:
    """The object in a line of JSON.

    Raises:
        SelectraError: it is not a JSON object; the message has no file name or line number.
    """
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise SelectraError(f"not JSON ({error.msg} at character {error.pos + 1})") from error
    except ValueError as error:  # a number with thousands of digits
        raise SelectraError(f"not JSON ({error})") from error
    except RecursionError as error:
        raise SelectraError("not JSON (nested too deeply)") from error
    if not isinstance(row, dict):
        raise SelectraError("not a JSON object")
    return row
