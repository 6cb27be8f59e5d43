"""Several processes: one model trained by all of them, or trials shared out over them.

Every process has the whole model and a part of each batch; gradients are summed before the
step, so all processes stay the same to the bit. The models here have at most some hundred million
parameters, so nothing needs to be sharded.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from spacy_selectra.errors import SelectraError

Value = TypeVar("Value")
# Gradients travel in stretches of this many elements: large enough to use the network, small
# enough not to double the memory.
_STRETCH = 1 << 24


class World:
    """The processes of a run, this one among them.

    Attributes:
        rank: number of this process, from 0.
        size: number of processes.
        local_rank: number of this process on its machine, and so of its GPU.
    """

    def __init__(self, rank: int = 0, size: int = 1, local_rank: int = 0) -> None:
        self.rank, self.size, self.local_rank = rank, size, local_rank

    @property
    def is_main(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def sum_(self, tensors: Sequence[Tensor]) -> None:
        """Add up tensors of one type and device over all processes, in place."""
        if self.size == 1:
            return
        bucket: list[Tensor] = []
        filled = 0
        for tensor in tensors:
            if bucket and filled + tensor.numel() > _STRETCH:
                _sum_together(bucket)
                bucket, filled = [], 0
            bucket.append(tensor)
            filled += tensor.numel()
        if bucket:
            _sum_together(bucket)

    def copy_from_main_(self, tensors: Sequence[Tensor]) -> None:
        """Give all processes the main process's values, in place."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def from_main(self, value: Value) -> Value:
        """The main process's value, in all processes."""
        if self.size == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values, 0)
        return values[0]

    def greatest(self, values: Sequence[float]) -> list[float]:
        """The greatest of each value over all processes."""
        if self.size == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(tensor, dist.ReduceOp.MAX)
        return tensor.tolist()

    def gather(self, tensor: Tensor) -> Tensor:
        """A CPU tensor of every process, stacked: (size, ...)."""
        if self.size == 1:
            return tensor[None]
        found = [torch.empty_like(tensor) for _ in range(self.size)]
        dist.all_gather(found, tensor)
        return torch.stack(found)

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            self.greatest([0.0])


@contextmanager
def join_world(device: torch.device) -> Iterator[World]:
    """The world that torchrun or `accelerate launch` describes in the environment; else alone.

    CPU tensors travel by Gloo, CUDA tensors by NCCL.

    Raises:
        SelectraError: the processes do not find each other.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World()
        return
    rank, local = int(os.environ["RANK"]), int(os.environ.get("LOCAL_RANK", "0"))
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    try:
        dist.init_process_group(backend)
    except (RuntimeError, ValueError) as error:
        raise SelectraError(
            f"process {rank} of {size} finds no others ({error}); start all of them with torchrun"
        ) from error
    try:
        yield World(rank, size, local)
    finally:
        dist.destroy_process_group()


def local_device(device: torch.device) -> torch.device:
    """This process's own GPU, where several processes share a machine; other devices as they are.

    A GPU becomes torch's current one: streams and events are made on that.

    Raises:
        SelectraError: more processes than GPUs.
    """
    if device.type != "cuda":
        return device
    if device.index is not None or "LOCAL_RANK" not in os.environ:
        torch.cuda.set_device(device)
        return device
    index = int(os.environ["LOCAL_RANK"])
    if index >= torch.cuda.device_count():
        raise SelectraError(
            f"process {index} of this machine has no GPU of its own; there are "
            f"{torch.cuda.device_count()}: start as many processes"
        )
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


def _sum_together(tensors: list[Tensor]) -> None:
    if len(tensors) == 1 and tensors[0].is_contiguous():
        dist.all_reduce(tensors[0])
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    dist.all_reduce(flat)
    sizes = [tensor.numel() for tensor in tensors]
    for tensor, part in zip(tensors, flat.split(sizes), strict=True):
        tensor.copy_(part.view_as(tensor))


def leave(status: int) -> None:
    """End a process that torchrun started, without taking the interpreter apart.

    Threads of the communication library may still be there then, and abort the process now and
    then, which makes torchrun call a finished run failed. Alone this returns.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


# Trials shared out over the processes that a launcher has started.
#
# `accelerate launch --num_processes 5 -m spacy_selectra finetune ...` and torchrun tell each
# process its number in the environment; so can any scheduler, for machines with a common folder.
# Trials are independent: processes never talk to each other, and the last one sums up.


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
