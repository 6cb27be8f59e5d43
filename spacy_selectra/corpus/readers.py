"""Text from files and from the Hugging Face Hub, one document at a time.

Formats, each plain or compressed with gzip, xz or zstd:

* `.txt`: documents separated by blank lines;
* `.jsonl`: one JSON object a line, the text under a key of your choice;
* `.parquet`: the text in a column of your choice;
* `hub:NAME[:CONFIG[:SPLIT]]`: streamed from the Hub, nothing is stored.

Everything streams: memory does not grow with the corpus, and the order is
always the same (files as given, folders sorted by name).
"""

from __future__ import annotations

import codecs
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from spacy_selectra.corpus.compression import open_for_reading, split_suffix
from spacy_selectra.errors import SelectraError

FORMATS = (".txt", ".jsonl", ".parquet")
HUB_PREFIX = "hub:"

_PARQUET_ROWS = 256  # rows decoded at a time; a row group may hold a million


@dataclass(frozen=True)
class Document:
    """A text and where it came from.

    Attributes:
        text: the text as found, paragraphs separated by line feeds.
        source: file or hub address.
        id: the line (txt, jsonl) or row (parquet, hub) it starts at, counted from 1.
    """

    text: str
    source: str
    id: str


def read_documents(
    paths: str | Path | Sequence[str | Path], text_key: str = "text"
) -> Iterator[Document]:
    """Stream the documents of files, folders and hub data sets, in a fixed order.

    Args:
        paths: one source or several; folders are searched recursively for known formats.
        text_key: key (jsonl), column (parquet) or field (hub) that holds the text.

    Raises:
        SelectraError: at once when a source is missing or of unknown format; while
            reading when a file is damaged, not UTF-8 or not of its format; at the
            end when there was not one document.
    """
    sources = list_sources(paths)
    return _nonempty(sources, chain.from_iterable(_read(source, text_key) for source in sources))


def list_sources(paths: str | Path | Sequence[str | Path]) -> list[str]:
    """The files and hub addresses that `paths` stands for, in the order they are read.

    Raises:
        SelectraError: missing path, unknown format, folder without any known file.
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
            sources.extend(str(file) for file in _files_in(path))
        elif not path.exists():
            raise SelectraError(f"{path}: no such file or folder")
        elif split_suffix(path)[0] not in FORMATS:
            raise SelectraError(f"{path}: unknown format; {_known_formats()}")
        else:
            sources.append(str(path))
    return sources


def _files_in(folder: Path) -> list[Path]:
    files = [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and split_suffix(path)[0] in FORMATS
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not files:
        raise SelectraError(f"{folder}: no corpus files in this folder; {_known_formats()}")
    return sorted(files, key=lambda path: path.relative_to(folder).parts)


def _known_formats() -> str:
    return "known are .txt, .jsonl and .parquet, each also with .gz, .xz or .zst"


def _nonempty(sources: list[str], documents: Iterable[Document]) -> Iterator[Document]:
    found = False
    for document in documents:
        found = True
        yield document
    if not found:
        raise SelectraError(f"{', '.join(sources)}: not one document in it (empty corpus)")


def _read(source: str, text_key: str) -> Iterator[Document]:
    if source.startswith(HUB_PREFIX):
        yield from _read_hub(source, text_key)
        return
    read = {".txt": _read_txt, ".jsonl": _read_jsonl, ".parquet": _read_parquet}
    with open_for_reading(source) as stream:
        yield from read[split_suffix(source)[0]](source, stream, text_key)


def _read_txt(source: str, stream: BinaryIO, text_key: str) -> Iterator[Document]:
    lines: list[str] = []
    start = 1
    for number, line in _decoded_lines(source, stream):
        if line.strip():
            if not lines:
                start = number
            lines.append(line)
        elif lines:
            yield Document("\n".join(lines), source, str(start))
            lines = []
    if lines:
        yield Document("\n".join(lines), source, str(start))


def _read_jsonl(source: str, stream: BinaryIO, text_key: str) -> Iterator[Document]:
    for number, line in _decoded_lines(source, stream):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise SelectraError(
                f"{source}, line {number}: broken JSON ({error.msg} at character {error.pos + 1})"
            ) from error
        text = _text_of(record, text_key, f"{source}, line {number}")
        if "\\ud" in line.lower():  # Only an escape can hide half a surrogate pair in UTF-8.
            text = text.encode("utf-8", "replace").decode("utf-8")
        yield Document(text, source, str(number))


def _read_parquet(source: str, stream: BinaryIO, text_key: str) -> Iterator[Document]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with tempfile.TemporaryFile() as unpacked:
        if split_suffix(source)[1]:  # Parquet starts reading at its end, so it must be seekable.
            shutil.copyfileobj(stream, unpacked)
            unpacked.seek(0)
        try:
            file = pq.ParquetFile(unpacked if split_suffix(source)[1] else source)
            columns = file.schema_arrow.names
            if text_key not in columns:
                raise SelectraError(
                    f"{source}: no column '{text_key}'; choose one of {', '.join(columns)}"
                )
            row = 0
            for batch in file.iter_batches(batch_size=_PARQUET_ROWS, columns=[text_key]):
                for text in batch.column(0).to_pylist():
                    row += 1
                    record = {text_key: text}
                    yield Document(
                        _text_of(record, text_key, f"{source}, row {row}"), source, str(row)
                    )
        except pa.ArrowException as error:
            raise SelectraError(f"{source}: not a readable parquet file ({error})") from error


def _read_hub(source: str, text_key: str) -> Iterator[Document]:
    name, config, split = parse_hub_address(source)
    import datasets

    try:
        rows = iter(datasets.load_dataset(name, config, split=split, streaming=True))
    except Exception as error:  # datasets and huggingface-hub raise many unrelated types
        raise SelectraError(f"{source}: cannot be opened ({error})") from error
    number = 0
    while True:
        try:
            row: Any = next(rows)
        except StopIteration:
            return
        except Exception as error:
            raise SelectraError(f"{source}: stopped after row {number} ({error})") from error
        number += 1
        yield Document(_text_of(row, text_key, f"{source}, row {number}"), source, str(number))


def parse_hub_address(address: str) -> tuple[str, str | None, str]:
    """`hub:NAME[:CONFIG[:SPLIT]]` as (name, config or None, split); the split is train by default.

    Raises:
        SelectraError: not of that form.
    """
    parts = address.removeprefix(HUB_PREFIX).split(":")
    if not parts[0] or len(parts) > 3:
        raise SelectraError(
            f"{address}: a hub address is hub:NAME[:CONFIG[:SPLIT]], "
            "for example hub:oscar-corpus/OSCAR-2301:es:train"
        )
    name, config, split = (*parts, "", "")[:3]
    return name, config or None, split or "train"


def _decoded_lines(source: str, stream: BinaryIO) -> Iterator[tuple[int, str]]:
    """Lines without their end, numbered from 1; split at line feeds only."""
    offset = 0
    for number, raw in enumerate(stream, start=1):
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise SelectraError(
                f"{source}, line {number}, byte {offset + error.start + 1}: not UTF-8 text. "
                f"If it is Latin-1, convert it: iconv -f LATIN1 -t UTF-8 {Path(source).name} > utf8"
            ) from error
        if number == 1 and raw.startswith(codecs.BOM_UTF8):
            line = line[1:]
        offset += len(raw)
        yield number, line.rstrip("\r\n")


def _text_of(record: Any, key: str, place: str) -> str:
    if not isinstance(record, dict):
        raise SelectraError(f"{place}: expected a JSON object with the key '{key}'")
    if key not in record:
        known = ", ".join(map(str, record)) or "none"
        raise SelectraError(f"{place}: no key '{key}' (found: {known}); choose it with --text-key")
    text = record[key]
    if text is None:
        return ""
    if not isinstance(text, str):
        raise SelectraError(f"{place}: '{key}' is not a string but {type(text).__name__}")
    return text
