"""torch in forked processes, as `nlp.pipe(n_process=2)` starts them on Linux."""

from __future__ import annotations

import os

_process = os.getpid()


def use_one_thread_if_forked() -> None:
    """Let torch compute with one thread if this process is a fork.

    A fork has none of the threads its parent's OpenMP had started, which GNU's would wait for
    without end. One thread of torch starts no others, and the processes are what shares out
    the processors. Whoever sets the number of threads in the fork later gets them.
    """
    global _process
    if os.getpid() != _process:
        import torch

        _process = os.getpid()
        torch.set_num_threads(1)
