"""Parts annotated on this machine: in this process, or in several of their own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait

from spacy_selectra.errors import SelectraError
from spacy_selectra.serving.bulk.annotator import Annotator, Outcome, Part, Work, found
from spacy_selectra.util.signals import Stopped, StopRequest

# Parts that wait for each process, so that none is idle while the oldest part is waited for.
_WAITING = 3


def annotate_locally(
    work: Work, parts: Iterator[Part], workers: int, processors: int, stop: StopRequest
) -> Generator[Outcome]:
    """What came of the parts, in their order, until all are done or a stop is requested.

    Args:
        work: what is done with each row.
        parts: read as they are needed.
        workers: processes; with 1 the work is done in this one.
        processors: shared out over the processes' threads.
        stop: after a request no further part is begun.

    Raises:
        SelectraError: a process was killed.
    """
    if workers == 1:
        yield from _here(work, parts, stop)
        return
    # spawn, because forking a process with running threads (tokenizers, torch) may hang
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(work, max(1, processors // workers)),
    )
    try:
        yield from _in_pool(pool, work, parts, workers * _WAITING, stop)
    except BrokenProcessPool as error:
        if not stop.requested:  # which may have reached the workers, too
            raise SelectraError(
                "a worker process was killed (out of memory?); finished parts are kept: run the "
                "same command again, with fewer --workers if memory is short"
            ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _here(work: Work, parts: Iterator[Part], stop: StopRequest) -> Iterator[Outcome]:
    annotator = Annotator(work, stop.check)
    for part in parts:
        if stop.requested:
            return
        try:
            outcome = annotator(part)
        except Stopped:
            return
        yield outcome


def _in_pool(
    pool: ProcessPoolExecutor, work: Work, parts: Iterator[Part], limit: int, stop: StopRequest
) -> Iterator[Outcome]:
    waiting: deque[Future[Outcome] | Outcome] = deque()
    for part in parts:
        if stop.requested:
            break
        waiting.append(found(part) if work.is_finished(part) else pool.submit(_annotate, part))
        while len(waiting) > limit and not stop.requested:
            yield _result(waiting.popleft())
    while waiting:
        future = waiting.popleft()
        if stop.requested and isinstance(future, Future) and future.cancel():
            continue
        yield _result(future)


def _result(future: Future[Outcome] | Outcome) -> Outcome:
    return future.result() if isinstance(future, Future) else future


_annotator: Annotator | None = None


def _start_worker(work: Work, threads: int) -> None:
    global _annotator
    # read when torch and tokenizers are loaded, which is with the first part
    os.environ["OMP_NUM_THREADS"] = os.environ["RAYON_NUM_THREADS"] = str(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent decides
    threading.Thread(target=_die_with_parent, daemon=True).start()
    _annotator = Annotator(work)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _annotate(part: Part) -> Outcome:
    assert _annotator is not None
    return _annotator(part)
