"""Text from files and from the Hugging Face Hub, one document at a time.

Formats, each plain or compressed with gzip, xz or zstd:

* `.txt`: documents separated by blank lines; one of more than 100,000 characters is split between
  lines into several;
* `.jsonl`: one JSON object per line, the text under a key of your choice;
* `.parquet`: the text in a column of your choice;
* `hub:NAME[:CONFIG[:SPLIT]]`: streamed from the Hub, nothing is stored.

All sources are streamed, so memory does not grow with the corpus. The order is always the same:
files as given, folders sorted by name.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from spacy_selectra.corpus.compression import open_for_reading, split_suffix
from spacy_selectra.corpus.hub import HUB_PREFIX, HubStream
from spacy_selectra.corpus.lines import decoded_lines, json_objects
from spacy_selectra.errors import SelectraError
from spacy_selectra.util.extras import required

FORMATS = (".txt", ".jsonl", ".parquet")

# A .txt file without blank lines may be larger than memory.
_LONGEST_TXT = 100_000  # characters

# Number of documents that a worker gets at a time.
_BATCH_DOCUMENTS = 256
_BATCH_CHARACTERS = 1_000_000

_PARQUET_ROWS = 256  # rows decoded at a time; a row group may hold a million


@dataclass(frozen=True)
class Document:
    """A text and its origin.

    Attributes:
        text: the unchanged text, paragraphs separated by line feeds.
        source: file or hub address, or the value of a key.
        id: line (txt, jsonl) or row (parquet, hub) where it starts, counted from 1, or the value
            of a key.
    """

    text: str
    source: str
    id: str


class Keys(NamedTuple):
    """Keys of text, source and id in a record; None for the file and the line."""

    text: str
    source: str | None = None
    id: str | None = None

    def document(self, record: Mapping[str, Any], file: str, line: int, unit: str) -> Document:
        """The document of a line or row (`unit`) of a file.

        Raises:
            SelectraError: the record lacks a key.
        """
        place = f"{file}, {unit} {line}"
        text = _value(record, self.text, place, "--text-key")
        source = file
        if self.source is not None:
            source = _value(record, self.source, place, "--source-key")
        if self.id is None:
            return Document(text, source, str(line))
        if self.id not in record:
            raise _no_key(record, self.id, place, "--id-key")
        return Document(text, source, str(record[self.id]))


def read_documents(
    paths: str | Path | Sequence[str | Path],
    text_key: str = "text",
    source_key: str | None = None,
    id_key: str | None = None,
) -> Iterator[Document]:
    """Stream the documents of files, folders and hub data sets, in a fixed order.

    Args:
        paths: one source or several; folders are searched recursively for known formats.
        text_key: key (jsonl), column (parquet) or field (hub) of the text.
        source_key: key, column or field of a document's source; None for the file. A .txt file is
            always one source.
        id_key: key, column or field of a document's id, of any type; None for the line or row.

    Raises:
        SelectraError: at once if a source is missing or has an unknown format; while reading if a
            file is damaged, not UTF-8 or not in its format; at the end if there were no documents.
    """
    return iter(DocumentStream(paths, text_key, source_key, id_key))


class DocumentStream(Iterator[Document]):
    """As `read_documents`, with a position from which a later stream can continue.

    Args:
        paths: as for `read_documents`.
        text_key: likewise.
        source_key: likewise.
        id_key: likewise.
        position: `position()` of an earlier stream of the same sources.
    """

    def __init__(
        self,
        paths: str | Path | Sequence[str | Path],
        text_key: str = "text",
        source_key: str | None = None,
        id_key: str | None = None,
        position: Mapping[str, Any] | None = None,
    ) -> None:
        self.sources = list_sources(paths)
        self._keys = Keys(text_key, source_key, id_key)
        self._place, self._count = 0, 0
        self._hub: HubStream | None = None
        start = position or {"source": 0, "documents": 0, "hub": None}
        self._documents = self._read(start["source"], start["documents"], start["hub"])

    def __next__(self) -> Document:
        return next(self._documents)

    def position(self) -> dict[str, Any]:
        """The position after the last document, as JSON values: index of the source, number of
        its documents that were read, and position of the hub's stream.
        """
        hub = None if self._hub is None else self._hub.position()
        return {"source": self._place, "documents": self._count, "hub": hub}

    def _read(self, first: int, given: int, hub: Mapping[str, Any] | None) -> Iterator[Document]:
        found = first > 0 or given > 0
        for place, source in enumerate(self.sources[first:], first):
            self._place, self._count, self._hub = place, given, None
            for document in self._documents_of(source, given, hub):
                self._count += 1
                found = True
                yield document
            given, hub = 0, None
        if not found:
            raise SelectraError(f"{', '.join(self.sources)}: no documents found (empty corpus)")

    def _documents_of(
        self, source: str, given: int, hub: Mapping[str, Any] | None
    ) -> Iterator[Document]:
        if not source.startswith(HUB_PREFIX):
            yield from islice(_read(source, self._keys), given, None)
            return
        self._hub = HubStream(source, hub)
        for number, row in self._hub:
            yield self._keys.document(row, source, number, "row")


def batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    """Groups of consecutive documents, large enough to be sent to another process."""
    group: list[Document] = []
    size = 0
    for document in documents:
        group.append(document)
        size += len(document.text)
        if len(group) == _BATCH_DOCUMENTS or size >= _BATCH_CHARACTERS:
            yield group
            group, size = [], 0
    if group:
        yield group


def list_sources(paths: str | Path | Sequence[str | Path]) -> list[str]:
    """All files and hub addresses of `paths`, in the order in which they are read.

    Raises:
        SelectraError: missing path, unknown format, folder without files in a known format.
    """
    given = [paths] if isinstance(paths, (str, Path)) else list(paths)
    if not given:
        raise SelectraError("no corpus given: name at least one file, folder or hub: address")
    sources: list[str] = []
    for item in given:
        path = Path(item)
        if str(item).startswith(HUB_PREFIX):
            sources.append(str(item))
        elif path.is_dir():
            sources.extend(str(file) for file in files_in(path, FORMATS))
        elif not path.exists():
            raise SelectraError(f"{path}: no such file or folder")
        elif split_suffix(path)[0] not in FORMATS:
            raise SelectraError(f"{path}: unknown format; {_known(FORMATS)}")
        else:
            sources.append(str(path))
    return sources


def files_in(folder: Path, formats: Sequence[str]) -> list[Path]:
    """Files of these formats, also compressed, in a folder and its subfolders, sorted.

    Raises:
        SelectraError: there are none, or a folder cannot be read.
    """
    files: list[Path] = []
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, onerror=_refuse, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        real = os.path.realpath(place)
        if real in seen:  # links can be circular
            folders.clear()
            continue
        seen.add(real)
        paths = [Path(place, name) for name in names if not name.startswith(".")]
        files += [path for path in paths if path.is_file() and split_suffix(path)[0] in formats]
    if not files:
        raise SelectraError(f"{folder}: no corpus files in this folder; {_known(formats)}")
    return sorted(files, key=lambda path: path.relative_to(folder).parts)


def _known(formats: Sequence[str]) -> str:
    *most, last = formats
    return f"known are {', '.join(most)} and {last}, each also with .gz, .xz or .zst"


def _refuse(error: OSError) -> None:
    raise SelectraError(f"{error.filename}: cannot be read ({error.strerror})") from error


def _read(source: str, keys: Keys) -> Iterator[Document]:
    read = {".txt": _read_txt, ".jsonl": _read_jsonl, ".parquet": _read_parquet}
    with open_for_reading(source) as stream:
        yield from read[split_suffix(source)[0]](source, stream, keys)


def _read_txt(source: str, stream: BinaryIO, keys: Keys) -> Iterator[Document]:
    lines: list[str] = []
    start, size = 1, 0
    for number, line in decoded_lines(source, stream):
        blank = not line.strip()
        if lines and (blank or size + len(line) > _LONGEST_TXT):
            yield Document("\n".join(lines), source, str(start))
            lines = []
        if blank:
            continue
        if not lines:
            start, size = number, 0
        lines.append(line)
        size += len(line)
    if lines:
        yield Document("\n".join(lines), source, str(start))


def _read_jsonl(source: str, stream: BinaryIO, keys: Keys) -> Iterator[Document]:
    for number, record in json_objects(source, decoded_lines(source, stream)):
        document = keys.document(record, source, number, "line")
        # an escape can encode a lone surrogate, which is not valid in UTF-8
        text = document.text.encode("utf-8", "replace").decode("utf-8")
        yield replace(document, text=text)


def _read_parquet(source: str, stream: BinaryIO, keys: Keys) -> Iterator[Document]:
    row = 0
    for batch in parquet_batches(source, stream, [name for name in keys if name is not None]):
        for record in batch.to_pylist():
            row += 1
            yield keys.document(record, source, row, "row")


def parquet_batches(
    source: str, stream: BinaryIO, wanted: Sequence[str], *, others: bool = False
) -> Iterator[Any]:
    """Record batches of pyarrow, in constant memory.

    Args:
        source: name of the file, for errors.
        stream: its decompressed contents.
        wanted: required columns.
        others: whether to read all other columns as well.

    Raises:
        SelectraError: the file is damaged or lacks a column.
    """
    pa, pq = required("pyarrow"), required("pyarrow.parquet")

    with tempfile.TemporaryFile() as unpacked:
        if split_suffix(source)[1]:  # Parquet starts reading at its end, so it must be seekable.
            shutil.copyfileobj(stream, unpacked)
            unpacked.seek(0)
        try:
            file = pq.ParquetFile(unpacked if split_suffix(source)[1] else source)
            columns = file.schema_arrow.names
            for name in wanted:
                if name not in columns:
                    raise SelectraError(
                        f"{source}: no column '{name}'; choose one of {', '.join(columns)}"
                    )
            chosen = None if others else list(wanted)
            yield from file.iter_batches(batch_size=_PARQUET_ROWS, columns=chosen)
        except pa.ArrowException as error:
            raise SelectraError(f"{source}: not a readable parquet file ({error})") from error


def _value(record: Mapping[str, Any], key: str, place: str, option: str) -> str:
    if key not in record:
        raise _no_key(record, key, place, option)
    text = record[key]
    if text is None:
        return ""
    if not isinstance(text, str):
        raise SelectraError(f"{place}: '{key}' is not a string but {type(text).__name__}")
    return text


def _no_key(record: Mapping[str, Any], key: str, place: str, option: str) -> SelectraError:
    known = ", ".join(map(str, record)) or "none"
    return SelectraError(f"{place}: no key '{key}' (found: {known}); choose it with {option}")
