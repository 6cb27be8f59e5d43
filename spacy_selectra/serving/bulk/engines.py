"""Engines for the annotation of parts: processes on this machine, or a Ray cluster.

On Ray this uses Ray Data instead of the actors of `util/workers.py`, because then the cluster reads
the sources as well, and slow parts do not delay others.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

from spacy_selectra.errors import SelectraError
from spacy_selectra.serving.bulk.parts import Outcome, Part, PartAnnotator, Work, found, parts_of
from spacy_selectra.util.ray_cluster import ADDRESS
from spacy_selectra.util.signals import Stopped, StopRequest
from spacy_selectra.util.workers import Engine

Batch = dict[str, Any]
"""A row of Ray Data: each column is a list or array of one value."""
# Parts per actor: one in progress and one waiting.
_IN_FLIGHT = 2


def annotate_locally(
    work: Work, parts: Iterator[Part], processes: int, processors: int, stop: StopRequest
) -> Generator[Outcome]:
    """Outcomes of the parts, in order, until all are finished or a stop is requested.

    Args:
        work: settings of the annotation.
        parts: read lazily.
        processes: number of processes; with 1, parts are annotated in this process.
        processors: number of CPU cores, distributed over the processes as threads.
        stop: after a request no further part is started.

    Raises:
        SelectraError: a process was killed.
    """
    make = partial(_with_threads, work, max(1, processors // processes))
    if processes == 1:
        make = partial(PartAnnotator, work, stop.check)
    try:
        with Engine("local", processes) as engine, engine.workers(make) as workers:
            for _, outcome in workers.results(takewhile(lambda _: not stop.requested, parts)):
                yield outcome
                if stop.requested:
                    return
    except Stopped:
        return
    except SelectraError:
        if not stop.requested:  # a stop may also kill the other processes
            raise


def _with_threads(work: Work, threads: int) -> PartAnnotator:
    # read by torch and tokenizers when they are imported, with the first part
    os.environ["OMP_NUM_THREADS"] = os.environ["RAYON_NUM_THREADS"] = str(threads)
    return PartAnnotator(work)


# On a Ray cluster.


def annotate_with_ray(
    ray: Any, work: Work, sources: Sequence[str], processes: int, processors: int, stop: StopRequest
) -> Generator[Outcome]:
    """Outcomes of all parts, until a stop is requested.

    Parts without files are returned in order, others in the order in which they finish. Each part
    is one row of Ray Data in a separate block, so that any free actor gets it. One task per source
    reads it; Ray decides how far it reads ahead.

    Args:
        ray: the module from `ray_cluster`.
        work: settings of the annotation, with a directory shared by all machines.
        sources: addresses, or files shared by all machines.
        processes: number of actors.
        processors: total number of CPU cores, distributed over the actors as threads.
        stop: after a request, results of further parts are ignored.
    """
    if os.environ.get(ADDRESS):
        work, sources = from_anywhere(work, sources)
    numbered = [{"number": number, "source": source} for number, source in enumerate(sources)]
    context = ray.data.DataContext.get_current()
    before, context.target_max_block_size = context.target_max_block_size, 1
    if work.directory is None:  # written in the order of arrival
        context.execution_options.preserve_order = True
    try:
        read = ray.data.from_items(numbered, override_num_blocks=len(numbered)).map_batches(
            PartReader(work), batch_size=1, num_cpus=0
        )
        outcomes = read.map_batches(
            PartActor,
            fn_constructor_args=(work,),
            batch_size=1,
            num_cpus=max(1, processors // processes),
            compute=ray.data.ActorPoolStrategy(
                size=processes, max_tasks_in_flight_per_actor=_IN_FLIGHT
            ),
        )
        for row in outcomes.iter_rows():
            yield row["outcome"]
            if stop.requested:
                return
    finally:
        context.target_max_block_size = before


def from_anywhere(work: Work, sources: Sequence[str]) -> tuple[Work, list[str]]:
    """The same with absolute paths, since actors have other working directories."""

    def whole(path: str) -> str:
        return str(Path(path).absolute()) if Path(path).exists() else path

    return replace(work, pipeline=whole(work.pipeline)), [whole(source) for source in sources]


class PartReader:
    """Reads a source as parts; finished parts are only counted."""

    def __init__(self, work: Work) -> None:
        self.work = work

    def __call__(self, batch: Batch) -> Iterator[Batch]:
        """The parts of one source."""
        for part in parts_of(self.work, int(batch["number"][0]), str(batch["source"][0])):
            yield {"part": [found(part) if self.work.is_finished(part) else part]}


class PartActor:
    """Annotates parts, with one pipeline per actor."""

    def __init__(self, work: Work) -> None:
        self._annotator = PartAnnotator(work)

    def __call__(self, batch: Batch) -> Batch:
        """Annotate one part."""
        part = batch["part"][0]
        return {"outcome": [part if isinstance(part, Outcome) else self._annotator(part)]}
