"""Several processes: data-parallel training of one model, or independent trials.

Every process has the whole model and a part of each batch. Gradients are summed before the step, so
the weights are the same in all processes, bit for bit. Models have at most some hundred million
parameters, so nothing needs to be sharded.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from spacy_selectra.errors import SelectraError

Value = TypeVar("Value")
# Number of elements of gradients that are sent at once: enough to use the network, but not so many
# that memory doubles.
_STRETCH = 1 << 24


@dataclass(frozen=True)
class Process:
    """This process among those started by torchrun, `accelerate launch` or a scheduler.

    Attributes:
        rank: its number, from 0.
        size: number of processes.
        local_rank: its number on its machine, which is also that of its GPU.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @classmethod
    def of_environment(cls) -> Process:
        """From RANK, WORLD_SIZE and LOCAL_RANK; a single process without them.

        Raises:
            SelectraError: values are not numbers or do not fit together.
        """
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
        try:
            rank, size, local = (
                int(os.environ.get(name, default))
                for name, default in zip(names, ("0", "1", "0"), strict=True)
            )
        except ValueError as error:
            raise SelectraError(f"RANK, WORLD_SIZE, LOCAL_RANK: {error}") from error
        if not 0 <= rank < size or local < 0:
            raise SelectraError(f"RANK={rank} and WORLD_SIZE={size} do not fit together")
        return cls(rank, size, local)

    def own(self, numbers: Iterable[int]) -> list[int]:
        """This process's share of numbers of independent work: every `size`-th.

        The processes do not communicate.
        """
        return list(numbers)[self.rank :: self.size]


class World(Process):
    """Processes that train one model, and their communication."""

    @property
    def is_main(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def sum_(self, tensors: Sequence[Tensor]) -> None:
        """Sum tensors of the same type and device over all processes, in place."""
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
        """Copy the main process's values to all processes, in place."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def in_main(self, compute: Callable[[], Value]) -> Value | None:
        """Compute something in the main process only; None in the others.

        Raises:
            SelectraError: in all processes, if `compute` raised it in the main one.
        """
        value = error = None
        if self.is_main:
            try:
                value = compute()
            except SelectraError as found:
                error = found
        if (error := self.from_main(error)) is not None:
            raise error
        return value

    def from_main(self, value: Value) -> Value:
        """The main process's value, in all processes."""
        if self.size == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values, 0)
        return values[0]

    def greatest(self, values: Sequence[float]) -> list[float]:
        """The maximum of each value over all processes."""
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
        """Wait until all processes have called this."""
        if self.size > 1:
            self.greatest([0.0])


@contextmanager
def join_world(process: Process, device: torch.device) -> Iterator[World]:
    """Connect all processes; each has its own GPU, or all use CPUs.

    CPU tensors are sent with Gloo, CUDA tensors with NCCL. The GPU becomes torch's current device,
    for streams and events.

    Raises:
        SelectraError: there are more processes than GPUs, or processes cannot connect.
    """
    if device.type == "cuda":
        if process.local_rank >= torch.cuda.device_count():
            raise SelectraError(
                f"process {process.local_rank} of this machine has no GPU of its own; there are "
                f"{torch.cuda.device_count()}: start as many processes"
            )
        torch.cuda.set_device(device)
    world = World(process.rank, process.size, process.local_rank)
    if process.size == 1:
        yield world
        return
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    try:
        dist.init_process_group(backend)
    except (RuntimeError, ValueError) as error:
        raise SelectraError(
            f"process {process.rank} of {process.size} cannot connect to the others ({error}); "
            "start all of them with torchrun"
        ) from error
    try:
        yield world
    finally:
        dist.destroy_process_group()


def pick_device(name: str, process: Process | None = None) -> torch.device:
    """The device of a setting; "auto" is a GPU if there is one.

    Without a number, the GPUs of a machine are distributed over its processes.

    Raises:
        SelectraError: there is no such device.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        name = "cuda" if gpus else "cpu"
    if name == "cuda" and gpus:
        name = f"cuda:{(process or Process()).local_rank % gpus}"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise SelectraError(f"device '{name}' is not available here: {error}") from error
    return device


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
    """Exit a process started by torchrun without finalising the interpreter.

    Threads of the communication library sometimes abort the process during finalisation, and
    torchrun would report a finished run as failed. For a single process this returns.
    """
    if Process.of_environment().size > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
