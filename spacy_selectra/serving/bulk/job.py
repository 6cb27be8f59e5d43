"""A whole annotation: what it is, what of it is done already, and what it leaves.

Beside the output `OUT` stands, while it is worked on, the directory `OUT.parts`. It holds the
identity of the work (`job.json`) and the finished parts, each of which has got its name by a single
renaming. The same command finishes what is there; other work is refused. In the end the parts are
joined in their order, and the directory goes.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import IO, Any

from spacy_selectra.corpus.compression import open_for_writing, split_suffix
from spacy_selectra.errors import OtherRunError, SelectraError
from spacy_selectra.serving.bulk.engines import annotate_locally, annotate_with_ray
from spacy_selectra.serving.bulk.outputs import JsonLines, output_class
from spacy_selectra.serving.bulk.parts import ERRORS, Outcome, Work, parts_of
from spacy_selectra.serving.bulk.rows import (
    STANDARD_STREAM,
    count_rows,
    is_stream,
    list_inputs,
)
from spacy_selectra.serving.records import load_pipeline
from spacy_selectra.util.files import atomic_file, only_user_of, read_json, write_json
from spacy_selectra.util.progress import Progress
from spacy_selectra.util.ray_cluster import ray_cluster
from spacy_selectra.util.signals import StopRequest
from spacy_selectra.util.workers import ENGINES

_FORMAT = 1
_JOB = "job.json"
# Everything that is ever in the directory, so that nothing else is deleted.
_OWN = (_JOB, "[0-9]*-[0-9]*", ".*.tmp-*")


@dataclass(frozen=True)
class Force:
    """Who does the work.

    Attributes:
        engine: "local", or "ray" (a cluster that RAY_ADDRESS names, or this machine).
        processes: worker processes.
        processors: of this machine, for all of them together.
    """

    engine: str = "local"
    processes: int = 1
    processors: int = 1


def annotate_input(
    path: str, work: Work, force: Force, *, restart: bool = False, quiet: bool = False
) -> int:
    """Annotate a file, a folder, a data set of the hub or a stream, and write the output.

    Work that was interrupted is continued. The result does not depend on the engine, on the number
    of its processes, or on interruptions, but for the last digit of scores, which may depend on the
    number of threads.

    Args:
        path: see `rows.read_rows`.
        work: what is done with each row, without a directory.
        force: who does it.
        restart: leave unfinished work aside and begin anew.
        quiet: no progress on stderr.

    Returns:
        How many rows could not be annotated; they are in `work.errors`.

    Raises:
        SelectraError: something of this cannot be read or written, a stop was requested, a row
            cannot be annotated while `work.errors` is None.
        OtherRunError: there is unfinished work, of another kind.
    """
    inputs = list_inputs(path)
    if force.engine not in ENGINES:
        raise SelectraError(f"unknown engine '{force.engine}' (known: {', '.join(ENGINES)})")
    if force.engine == "ray" and is_stream(path):
        raise SelectraError(f"{path}: the engine ray reads files and data sets, not streams")
    if is_stream(work.output):
        return _to_stream(inputs, work, force, quiet)
    output_class(work.output)
    _refuse_own_output(path, work)
    kept = not is_stream(path)
    directory = Path(f"{work.output}.parts").absolute()
    work = replace(work, directory=str(directory))
    with only_user_of(directory):
        begin_job(directory, identity(path, inputs, work), restart=restart or not kept)
        try:
            names = [outcome.name for outcome in _outcomes(inputs, work, force, quiet)]
            broken = _join(work, sorted(names))
        except BaseException:
            if not kept or not any(directory.glob(_OWN[1])):
                _clear(directory)  # nothing that could be continued
            raise
        _clear(directory)
    return broken


def identity(path: str, inputs: Sequence[str], work: Work) -> dict[str, Any]:
    """What has to be the same for parts to fit together, with names for messages."""
    from spacy_selectra import __version__

    return {
        "format": _FORMAT,
        "version of spacy-selectra": __version__,
        "pipeline": _digest(_files_of(work.pipeline)),
        "input": [path, _digest(Path(name) for name in inputs)],
        "name of the output": Path(work.output).name,
        "text key": work.text_key,
        "labels": list(work.labels),
        "batch size": work.batch_size,
        "size of parts": work.part_rows,
    }


def _files_of(pipeline: str) -> Iterable[Path]:
    import spacy.util

    place = Path(pipeline)
    if spacy.util.is_package(pipeline):
        place = spacy.util.get_package_path(pipeline)
    elif not place.is_dir():
        load_pipeline(pipeline)  # which says what is wrong
    files = (file for file in place.rglob("*") if file.is_file() and file.suffix != ".pyc")
    return sorted(files)


def _digest(files: Iterable[Path]) -> str:
    """Hash of the names of files, their sizes and when they were changed."""
    digest = hashlib.sha256()
    for file in files:
        state = file.stat() if file.is_file() else None
        about = (state.st_size, state.st_mtime_ns) if state else ()
        digest.update(repr((str(file.absolute()), *about)).encode())
    return digest.hexdigest()


def begin_job(directory: Path, wanted: dict[str, Any], *, restart: bool) -> None:
    """Leave in the directory nothing but finished parts of this very work.

    Args:
        directory: of the parts.
        wanted: the `identity` of the work.
        restart: delete the parts in any case.

    Raises:
        OtherRunError: there are parts of other work.
    """
    record = directory / _JOB
    for left in directory.glob(_OWN[2]):  # by a process that was killed
        left.unlink(missing_ok=True)
    if restart or not record.exists():
        _clear(directory)
        write_json(record, wanted)
    found = read_json(record)
    other = [
        name for name in wanted if not isinstance(found, dict) or found.get(name) != wanted[name]
    ]
    if other:
        raise OtherRunError(
            f"{directory}: an annotation that was interrupted, with another {other[0]}; finish it "
            "with the command that began it, or add --restart to begin anew"
        )


def _clear(directory: Path) -> None:
    for pattern in _OWN:  # the record first: parts without it are never taken for finished work
        for path in directory.glob(pattern):
            with suppress(FileNotFoundError):
                path.unlink()


def _refuse_own_output(path: str, work: Work) -> None:
    """An output that the next run would read as a part of the input."""
    for written in (work.output, work.errors):
        if (
            written
            and Path(path).is_dir()
            and Path(path).resolve() in Path(written).resolve().parents
        ):
            raise SelectraError(f"{written}: within the folder that is read; write it elsewhere")


def _outcomes(inputs: Sequence[str], work: Work, force: Force, quiet: bool) -> Iterator[Outcome]:
    """Everything that is done, with progress on stderr.

    Raises:
        SelectraError: see `annotate_input`.
    """
    total = None if quiet else count_rows(inputs)
    with ExitStack() as stack:
        ray = None
        if force.engine == "ray":
            # actors that find no processors would be waited for without end
            ray = stack.enter_context(ray_cluster(max(force.processors, force.processes)))
        stop = StopRequest()
        if not any(map(is_stream, inputs)):  # while one is waited for, nobody would look
            stack.enter_context(stop)
        progress = stack.enter_context(Progress("Annotating", total, unit="documents", quiet=quiet))
        if ray is not None:
            outcomes = annotate_with_ray(ray, work, inputs, force.processes, force.processors, stop)
        else:
            parts = chain.from_iterable(
                parts_of(work, number, source) for number, source in enumerate(inputs)
            )
            outcomes = annotate_locally(work, parts, force.processes, force.processors, stop)
        # closed before Ray is, and before signals are handled as ever
        stack.callback(outcomes.close)
        for outcome in outcomes:
            if outcome.error is not None:
                raise SelectraError(outcome.error)
            if not outcome.found:
                progress.update(outcome.rows)
            elif progress.total:
                progress.total -= outcome.rows
            yield outcome
        if stop.requested:
            raise SelectraError(
                f"stopped on request; finished parts stay in {work.directory}: run the same "
                "command again to continue"
                if work.directory is not None
                else "stopped on request"
            )


def _join(work: Work, names: Sequence[str]) -> int:
    """Write the output, and the broken rows before it; returns how many they are."""
    assert work.directory is not None
    directory = Path(work.directory)
    refused = [path for name in names if (path := work.path(name + ERRORS)).exists()]
    broken = sum(path.read_bytes().count(b"\n") for path in refused)
    if broken and work.errors is None:
        raise SelectraError(
            f"{directory}: {broken} rows of the finished parts could not be annotated; name a file "
            "for them with --errors"
        )
    if work.errors is not None:
        with _errors_file(work.errors, directory) as stream:
            for path in refused:
                stream.write(path.read_bytes())
    with atomic_file(work.output, directory) as temporary:
        output_class(work.output).join([work.path(name) for name in names], temporary)
    return broken


@contextmanager
def _errors_file(path: str, within: Path | None = None) -> Iterator[IO[bytes]]:
    _, compression = split_suffix(path)
    with (
        atomic_file(path, within) as temporary,
        open_for_writing(temporary, compression) as stream,
    ):
        yield stream


def _to_stream(inputs: Sequence[str], work: Work, force: Force, quiet: bool) -> int:
    """Write to a stream as the work goes on: nothing is kept of it."""
    if output_class(work.output) is not JsonLines:
        raise SelectraError(f"{work.output}: only JSON lines can be written to a stream")
    broken = 0
    with ExitStack() as stack:
        errors = stack.enter_context(_errors_file(work.errors)) if work.errors else None
        if work.output == STANDARD_STREAM:
            sys.stdout.flush()
            stream: IO[bytes] = sys.stdout.buffer
        else:
            stream = stack.enter_context(open(work.output, "wb"))
        for outcome in _outcomes(inputs, work, force, quiet):
            stream.write(outcome.data)
            stream.flush()
            if errors is not None:
                errors.write(outcome.refused)
                broken += outcome.refused.count(b"\n")
    return broken
