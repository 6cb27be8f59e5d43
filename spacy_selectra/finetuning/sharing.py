"""Trials shared out over the processes that a launcher has started.

`accelerate launch --num_processes 5 -m spacy_selectra finetune ...` and torchrun tell each
process its number in the environment; so can any scheduler, for machines with a common folder.
Trials are independent: processes never talk to each other, and the last one sums up.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from spacy_selectra.errors import SelectraError


@dataclass(frozen=True)
class Share:
    """The part of one process.

    Attributes:
        rank: its number, from 0.
        processes: how many there are.
        local: its number on this machine, for the choice of a GPU.
    """

    rank: int = 0
    processes: int = 1
    local: int = 0

    @classmethod
    def of_environment(cls) -> Share:
        """What RANK, WORLD_SIZE and LOCAL_RANK say; all trials without them.

        Raises:
            SelectraError: values that are no numbers or do not fit together.
        """
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
        try:
            rank, processes, local = (
                int(os.environ.get(name, default))
                for name, default in zip(names, ("0", "1", "0"), strict=True)
            )
        except ValueError as error:
            raise SelectraError(f"RANK, WORLD_SIZE, LOCAL_RANK: {error}") from error
        if not 0 <= rank < processes or local < 0:
            raise SelectraError(f"RANK={rank} and WORLD_SIZE={processes} do not fit together")
        return cls(rank, processes, local)

    @property
    def alone(self) -> bool:
        """Whether there are no other processes."""
        return self.processes == 1

    def own(self, numbers: Iterable[int]) -> list[int]:
        """Those of the numbers that this process takes: every `processes`-th."""
        return list(numbers)[self.rank :: self.processes]
