"""An annotation job that can be interrupted and resumed.

While it runs there is a directory `OUT.parts` beside the output `OUT`, with the identity of the job
(`job.json`) and the finished parts, which are written atomically. The same command resumes the job,
another is rejected. At the end the parts are joined in order and the directory is deleted.
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
# Patterns of all files in the directory, so that no others are deleted.
_OWN = (_JOB, "[0-9]*-[0-9]*", ".*.tmp-*")


@dataclass(frozen=True)
class Force:
    """Engine and resources.

    Attributes:
        engine: "local", or "ray" (the cluster at RAY_ADDRESS, or this machine).
        processes: number of worker processes.
        processors: CPU cores of this machine for all processes together.
    """

    engine: str = "local"
    processes: int = 1
    processors: int = 1


def annotate_input(
    path: str, work: Work, force: Force, *, restart: bool = False, quiet: bool = False
) -> int:
    """Annotate a file, a folder, a data set of the hub or a stream, and write the output.

    An interrupted job is resumed. The result does not depend on the engine, the number of processes
    or interruptions, except for rounding of scores with another number of threads.

    Args:
        path: see `rows.read_rows`.
        work: settings of the annotation, without a directory.
        force: engine and resources.
        restart: discard an unfinished job and start over.
        quiet: no progress on stderr.

    Returns:
        Number of rows that could not be annotated; they are in `work.errors`.

    Raises:
        SelectraError: an input or output error, a requested stop, or an invalid row while
            `work.errors` is None.
        OtherRunError: there is an unfinished job with other settings.
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
                _clear(directory)  # nothing to resume
            raise
        _clear(directory)
    return broken


def identity(path: str, inputs: Sequence[str], work: Work) -> dict[str, Any]:
    """The settings that all parts must share, with names for messages."""
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
        load_pipeline(pipeline)  # raises an error with the reason
    files = (file for file in place.rglob("*") if file.is_file() and file.suffix != ".pyc")
    return sorted(files)


def _digest(files: Iterable[Path]) -> str:
    """Hash of names, sizes and modification times of files."""
    digest = hashlib.sha256()
    for file in files:
        state = file.stat() if file.is_file() else None
        about = (state.st_size, state.st_mtime_ns) if state else ()
        digest.update(repr((str(file.absolute()), *about)).encode())
    return digest.hexdigest()


def begin_job(directory: Path, wanted: dict[str, Any], *, restart: bool) -> None:
    """Prepare the directory, keeping only finished parts of the same job.

    Args:
        directory: directory of the parts.
        wanted: the `identity` of the job.
        restart: delete all parts.

    Raises:
        OtherRunError: there are parts of another job.
    """
    record = directory / _JOB
    for left in directory.glob(_OWN[2]):  # from a killed process
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
            f"{directory}: an interrupted annotation with another {other[0]}; finish it with the "
            "same command as before, or add --restart to start over"
        )


def _clear(directory: Path) -> None:
    for pattern in _OWN:  # job.json first, since parts without it are never reused
        for path in directory.glob(pattern):
            with suppress(FileNotFoundError):
                path.unlink()


def _refuse_own_output(path: str, work: Work) -> None:
    """Reject an output within the input folder, which the next run would read."""
    for written in (work.output, work.errors):
        if (
            written
            and Path(path).is_dir()
            and Path(path).resolve() in Path(written).resolve().parents
        ):
            raise SelectraError(f"{written}: within the input folder; use another one")


def _outcomes(inputs: Sequence[str], work: Work, force: Force, quiet: bool) -> Iterator[Outcome]:
    """Outcomes of all parts, with progress on stderr.

    Raises:
        SelectraError: see `annotate_input`.
    """
    total = None if quiet else count_rows(inputs)
    with ExitStack() as stack:
        ray = None
        if force.engine == "ray":
            # Ray would wait forever for actors without enough CPU cores
            ray = stack.enter_context(ray_cluster(max(force.processors, force.processes)))
        stop = StopRequest()
        if not any(map(is_stream, inputs)):  # a blocking read would prevent a check for the stop
            stack.enter_context(stop)
        progress = stack.enter_context(Progress("Annotating", total, unit="documents", quiet=quiet))
        if ray is not None:
            outcomes = annotate_with_ray(ray, work, inputs, force.processes, force.processors, stop)
        else:
            parts = chain.from_iterable(
                parts_of(work, number, source) for number, source in enumerate(inputs)
            )
            outcomes = annotate_locally(work, parts, force.processes, force.processors, stop)
        # close before Ray, and before signal handlers are restored
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
                f"stopped on request; finished parts are in {work.directory}: run the same "
                "command again to continue"
                if work.directory is not None
                else "stopped on request"
            )


def _join(work: Work, names: Sequence[str]) -> int:
    """Write first the invalid rows and then the output; returns the number of invalid rows."""
    assert work.directory is not None
    directory = Path(work.directory)
    refused = [path for name in names if (path := work.path(name + ERRORS)).exists()]
    broken = sum(path.read_bytes().count(b"\n") for path in refused)
    if broken and work.errors is None:
        raise SelectraError(
            f"{directory}: {broken} rows of the finished parts could not be annotated; give a file "
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
    """Write to a stream while annotating; this cannot be resumed."""
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
