"""Parts annotated on this machine: in this process, or in several of their own."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from functools import partial
from itertools import takewhile

from spacy_selectra.errors import SelectraError
from spacy_selectra.serving.bulk.annotator import Annotator, Outcome, Part, Work
from spacy_selectra.util.signals import Stopped, StopRequest
from spacy_selectra.util.workers import Engine


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
        make = partial(Annotator, work, stop.check)
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


def _with_threads(work: Work, threads: int) -> Annotator:
    # read when torch and tokenizers are loaded, which is with the first part
    os.environ["OMP_NUM_THREADS"] = os.environ["RAYON_NUM_THREADS"] = str(threads)
    return Annotator(work)
