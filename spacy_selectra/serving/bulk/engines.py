"""Who annotates parts: this process or several of their own on this machine, or a Ray cluster.

On Ray it is Ray Data, not the actors of `util/workers.py`: the sources are read on the cluster,
too, and a part that takes long holds no other back.
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
"""A row of Ray Data: each column a list, or array, of one value."""

# Actors get the next part while they work on one. More would only wait.
_IN_FLIGHT = 2


def annotate_locally(
    work: Work, parts: Iterator[Part], processes: int, processors: int, stop: StopRequest
) -> Generator[Outcome]:
    """What came of the parts, in their order, until all are done or a stop is requested.

    Args:
        work: what is done with each row.
        parts: read as they are needed.
        processes: how many; with 1 the work is done in this one.
        processors: shared out over the processes' threads.
        stop: after a request no further part is begun.

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
        if not stop.requested:  # which may have ended the other processes, too
            raise


def _with_threads(work: Work, threads: int) -> PartAnnotator:
    # read when torch and tokenizers are loaded, which is with the first part
    os.environ["OMP_NUM_THREADS"] = os.environ["RAYON_NUM_THREADS"] = str(threads)
    return PartAnnotator(work)


# On a Ray cluster.


def annotate_with_ray(
    ray: Any, work: Work, sources: Sequence[str], processes: int, processors: int, stop: StopRequest
) -> Generator[Outcome]:
    """What came of all parts, in the order they are finished, until a stop is requested.

    Where parts have no files, they come in their own order.

    A part is one row of Ray Data, and a block of its own, so that it goes to whichever actor is
    free. A task for each source reads it; how far it is ahead of the actors, Ray decides.

    Args:
        ray: what `ray_cluster` yields.
        work: what is done with each row; its directory has to be the same on all machines.
        sources: files, which all machines have to see, or addresses.
        processes: actors.
        processors: that all actors together take, of each as many threads as it has of them.
        stop: after a request no further part is waited for.
    """
    if os.environ.get(ADDRESS):
        work, sources = from_anywhere(work, sources)
    numbered = [{"number": number, "source": source} for number, source in enumerate(sources)]
    context = ray.data.DataContext.get_current()
    before, context.target_max_block_size = context.target_max_block_size, 1
    if work.directory is None:  # what comes is written as it comes
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
    """The same with whole paths, as actors on other machines begin in other directories."""

    def whole(path: str) -> str:
        return str(Path(path).absolute()) if Path(path).exists() else path

    return replace(work, pipeline=whole(work.pipeline)), [whole(source) for source in sources]


class PartReader:
    """Reads a source as parts; those that are there already are only counted."""

    def __init__(self, work: Work) -> None:
        self.work = work

    def __call__(self, batch: Batch) -> Iterator[Batch]:
        """The parts of one source."""
        for part in parts_of(self.work, int(batch["number"][0]), str(batch["source"][0])):
            yield {"part": [found(part) if self.work.is_finished(part) else part]}


class PartActor:
    """Loads the pipeline once, and annotates part after part."""

    def __init__(self, work: Work) -> None:
        self._annotator = PartAnnotator(work)

    def __call__(self, batch: Batch) -> Batch:
        """Annotate one part."""
        part = batch["part"][0]
        return {"outcome": [part if isinstance(part, Outcome) else self._annotator(part)]}
