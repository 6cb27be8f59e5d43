"""Packing units here or in worker processes, results in the order of submission."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from spacy_selectra.corpus.packed.units import Unit, UnitPacker, UnitSettings
from spacy_selectra.errors import SelectraError
from spacy_selectra.text.tokenizer import load_backend


class Workers:
    """Packs units and writes their files.

    Args:
        processes: number of processes; with 1 the work is done in this process.
        tokenizer: tokenizer directory.
        settings: how units are packed.
    """

    def __init__(self, processes: int, tokenizer: str | Path, settings: UnitSettings) -> None:
        self._packer: UnitPacker | None = None
        self._pool: ProcessPoolExecutor | None = None
        self._futures: deque[Future[None]] = deque()
        if processes == 1:
            self._packer = UnitPacker(load_backend(tokenizer), settings)
        else:
            # spawn, because forking a process with running threads (tokenizers, torch) may hang
            self._pool = ProcessPoolExecutor(
                processes,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start_worker,
                initargs=(str(tokenizer), settings),
            )

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def submit(self, unit: Unit, path: Path) -> None:
        """Have the unit packed into the file."""
        if self._pool is not None:
            try:
                self._futures.append(self._pool.submit(_pack_in_worker, unit, path))
            except BrokenProcessPool as error:
                raise _died() from error
            return
        assert self._packer is not None
        self._packer.pack(unit).save(path)

    def result(self) -> None:
        """Wait until the oldest unit submitted is written.

        Raises:
            SelectraError: it could not be written, or a worker died.
        """
        if self._pool is None:
            return
        try:
            self._futures.popleft().result()
        except BrokenProcessPool as error:
            raise _died() from error


def _died() -> SelectraError:
    return SelectraError(
        "a worker process was killed (out of memory?); finished work is kept: "
        "run the same command again, with fewer --processes if memory is short"
    )


_worker: UnitPacker | None = None


def _start_worker(tokenizer: str, settings: UnitSettings) -> None:
    global _worker
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # The processes are the parallelism.
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent decides.
    threading.Thread(target=_die_with_parent, daemon=True).start()
    _worker = UnitPacker(load_backend(tokenizer), settings)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # Nobody would ever fetch the results of an orphan.


def _pack_in_worker(unit: Unit, path: Path) -> None:
    assert _worker is not None
    _worker.pack(unit).save(path)
