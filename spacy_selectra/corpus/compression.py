"""Reading and writing plain, .gz, .xz and .zst files as streams, and writing JSON lines to them."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

from spacy_selectra.errors import SelectraError
from spacy_selectra.util.extras import required
from spacy_selectra.util.files import atomic_file, expanded, refuse_pointer

if TYPE_CHECKING:
    from spacy_selectra.corpus.documents import Document

SUFFIXES = (".gz", ".xz", ".zst")


def split_suffix(path: str | Path) -> tuple[str, str]:
    """Suffixes of format and compression: `a.jsonl.xz` -> (".jsonl", ".xz")."""
    path = Path(path)
    compression = path.suffix.lower() if path.suffix.lower() in SUFFIXES else ""
    inner = path.with_suffix("") if compression else path
    return inner.suffix.lower(), compression


@contextmanager
def open_for_reading(path: str | Path) -> Iterator[BinaryIO]:
    """Yield a binary stream of the decompressed contents.

    Raises:
        SelectraError: no such file, no permission, damaged or truncated compression.
    """
    path = expanded(path)
    _, compression = split_suffix(path)
    refuse_pointer(path)
    try:
        with path.open("rb") as raw:
            if compression == ".gz":
                with gzip.GzipFile(fileobj=raw) as stream:
                    yield cast("BinaryIO", stream)
            elif compression == ".xz":
                with lzma.LZMAFile(raw) as stream:
                    yield cast("BinaryIO", stream)
            elif compression == ".zst":
                # zstandard's own reader does not notice a truncated file
                stream = required("pyarrow:CompressedInputStream")(raw, "zstd")
                yield cast("BinaryIO", io.BufferedReader(stream, 1 << 18))
            else:
                yield raw
    except FileNotFoundError as error:
        raise SelectraError(f"{path}: no such file") from error
    except (EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise SelectraError(f"{path}: cannot be read ({error.strerror})") from error
        raise SelectraError(
            f"{path}: damaged or truncated {compression} file ({error}); "
            "copy or download it again and check its size"
        ) from error


@contextmanager
def open_for_writing(path: Path, compression: str, *, append: bool = False) -> Iterator[IO[bytes]]:
    """Yield a binary stream that compresses into `path`; equal contents give equal bytes.

    Args:
        path: file.
        compression: its suffix, or "".
        append: append to the file. All formats allow this: several compressed parts are read as
            one.
    """
    with path.open("ab" if append else "wb") as raw, _compressor(raw, compression) as stream:
        yield stream


def compressed(data: bytes, compression: str) -> bytes:
    """Data as a complete compressed file; such files can be concatenated."""
    raw = io.BytesIO()
    with _compressor(raw, compression) as stream:
        stream.write(data)
    return raw.getvalue()


def _compressor(raw: IO[bytes], compression: str) -> AbstractContextManager[Any]:
    if compression == ".gz":
        return gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0)
    if compression == ".xz":
        return lzma.LZMAFile(raw, "wb")
    if compression == ".zst":
        return required("zstandard").ZstdCompressor().stream_writer(raw, closefd=False)
    return nullcontext(raw)


# Writing objects and documents to `.jsonl` files, plain or compressed.


Write = Callable[[Mapping[str, Any]], None]


def json_lines_compression(path: str | Path) -> str:
    """Compression suffix of an output `.jsonl` file, or "".

    Raises:
        SelectraError: the name does not end in .jsonl, .jsonl.gz, .jsonl.xz or .jsonl.zst.
    """
    kind, compression = split_suffix(path)
    if kind != ".jsonl":
        raise SelectraError(f"{path}: the output must end in .jsonl, .jsonl.gz, .jsonl.xz or .zst")
    return compression


@contextmanager
def json_lines_writer(path: str | Path) -> Iterator[Write]:
    """Yield a function that writes an object as a line. The file appears at the end.

    Raises:
        SelectraError: the name does not end in .jsonl (or compressed), or the disk is full.
    """
    compression = json_lines_compression(path)
    with atomic_file(path) as temporary, open_for_writing(temporary, compression) as stream:
        yield partial(write_json_line, stream)


def write_json_line(stream: IO[bytes], record: Mapping[str, Any]) -> None:
    """Write an object as a line."""
    stream.write((json.dumps(record, ensure_ascii=False) + "\n").encode())


def document_record(document: Document) -> dict[str, Any]:
    """`text`, `source` and `id` of a document, for writing."""
    return {"text": document.text, "source": document.source, "id": document.id}


def write_documents(path: str | Path, documents: Iterable[Document]) -> int:
    """Write one JSON object (`text`, `source`, `id`) per line; returns their number.

    The file appears when the last document has been written.

    Raises:
        SelectraError: as `json_lines_writer`.
    """
    count = 0
    with json_lines_writer(path) as write:
        for document in documents:
            write(document_record(document))
            count += 1
    return count
