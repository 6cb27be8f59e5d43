"""Writing documents to a `.jsonl` file so that an interrupted command can be resumed.

`OUT.partial` next to the output has the unfinished file and a record of its length after the last
part, the reading position and the counts. To resume, the file is truncated to that length, and
reading continues from that position. Earlier files of a data set on the hub are not downloaded
again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from spacy_selectra.corpus.compression import (
    document_record,
    json_lines_compression,
    open_for_writing,
    write_json_line,
)
from spacy_selectra.corpus.documents import Document, DocumentStream, read_documents
from spacy_selectra.corpus.hub import HUB_PREFIX
from spacy_selectra.errors import SelectraError
from spacy_selectra.util.files import only_user_of, partial_directory, read_json, write_json
from spacy_selectra.util.signals import StopRequest

# Documents read between two records: at most about ten seconds of cleaning are lost.
PART = 20_000

_STATE = "state.json"


def _nothing() -> None:
    return


@dataclass(frozen=True)
class Work:
    """Processing of a stream of documents in parts.

    Attributes:
        process: yields the output for a part of the documents, and reads all of them.
        counts: returns the counts so far, as JSON values.
        resume: restores the state from earlier counts and output.
        check: called at the end, before the output appears; may raise an error.
    """

    process: Callable[[Iterable[Document]], Iterator[Document]]
    counts: Callable[[], dict[str, Any]]
    resume: Callable[[Mapping[str, Any], Iterable[Document]], None]
    check: Callable[[], None] = _nothing


def write_resumable(
    out: Path,
    stream: Callable[[Mapping[str, Any] | None], DocumentStream],
    work: Work,
    settings: Mapping[str, Any],
    stop: StopRequest,
    resumed: Callable[[int], None] = lambda documents: None,
) -> None:
    """Write the output of `work` for a stream; `out` appears at the end.

    Args:
        out: `.jsonl` file, may be compressed.
        stream: opens the stream at a position, or at its beginning for None.
        work: processes the documents.
        settings: JSON values. If they, or a source file, differ from those of the interrupted run,
            everything starts again.
        stop: request to stop.
        resumed: called with the number of documents already written, if the run is resumed.

    Raises:
        SelectraError: the stream fails, the disk is full, another process writes the same file, or
            a stop was requested. Calling it again resumes after the last part.
    """
    compression = json_lines_compression(out)
    partial = partial_directory(out)
    identity = {**settings, "sources": [_described(source) for source in stream(None).sources]}
    with only_user_of(partial):
        file = partial / f"documents.jsonl{compression}"
        state = _state(partial, identity)
        try:
            if state is None:
                file.write_bytes(b"")
            else:
                os.truncate(file, state["bytes"])
                written = read_documents(file, source_key="source", id_key="id")
                work.resume(state["counts"], written if state["documents"] else ())
                resumed(state["documents"])
            documents = stream(None if state is None else state["position"])
            count = 0 if state is None else int(state["documents"])
            while True:
                part = _Counted(stop.until(islice(documents, PART), lambda: _kept(partial)))
                with open_for_writing(file, compression, append=True) as target:
                    for document in work.process(part):
                        write_json_line(target, document_record(document))
                        count += 1
                if part.count < PART:
                    break
                _flush(file)
                state = {
                    "settings": identity,
                    "bytes": file.stat().st_size,
                    "documents": count,
                    "position": documents.position(),
                    "counts": work.counts(),
                }
                write_json(partial / _STATE, state)
            work.check()
            _flush(file)
            os.replace(file, out)
            state = None
        except OSError as error:
            raise SelectraError(
                f"{out}: could not be written ({error.strerror or error}); {_kept(partial)}"
            ) from error
        finally:
            if state is None:
                shutil.rmtree(partial, ignore_errors=True)


class _Counted(Iterator[Document]):
    def __init__(self, documents: Iterator[Document]) -> None:
        self._documents = documents
        self.count = 0

    def __next__(self) -> Document:
        document = next(self._documents)
        self.count += 1
        return document


def _described(source: str) -> list[Any]:
    if source.startswith(HUB_PREFIX):
        return [source]
    status = os.stat(source)
    return [os.path.abspath(source), status.st_size, status.st_mtime_ns]


def _state(partial: Path, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    """The record of an interrupted run with these settings; otherwise None, and its files are
    deleted."""
    path = partial / _STATE
    state = read_json(path) if path.is_file() else None
    if state is not None and state["settings"] == identity:
        return state
    for child in partial.iterdir():
        child.unlink()
    return None


def _kept(partial: Path) -> str:
    if not (partial / _STATE).is_file():
        return "nothing was written"
    return f"finished parts are in {partial}: run the same command again to continue"


def _flush(file: Path) -> None:
    with file.open("rb+") as stream:
        os.fsync(stream.fileno())
