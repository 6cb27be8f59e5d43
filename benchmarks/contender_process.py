"""The process of one contender of pretraining.py: does a step whenever it is asked to."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
import torch._dynamo  # torch's optimisers import it when the first of them is made
from contenders import Contender, Ours, Reference, Task, useful_flops
from process_memory import peak_memory, resident_memory
from torch.profiler import ProfilerActivity, profile
from turns import serve

from spacy_selectra.encoder.cpu.memory import keep_freed_memory
from spacy_selectra.encoder.precision import precision

# Side of the square matrices whose product counts as the peak; a GPU is not busy with less.
PEAK_SIDE = {"cpu": 1024, "cuda": 8192}
PRODUCTS = {"aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "aten::linear"}
TOP = 15


def matmul_peak(task: Task) -> float:
    """FLOP/s of a large product in the type and through the library of this contender."""
    side = PEAK_SIDE[torch.device(task.device).type]
    dtype = torch.bfloat16 if task.mode == "bf16" else torch.float32
    left, right = (torch.randn(side, side).to(task.device, dtype) for _ in range(2))
    times = []
    with precision("fast" if task.mode == "fast" else "fp32", task.device):
        for _ in range(7):
            begin = _now(task)
            torch.mm(left, right)
            times.append(_now(task) - begin)
    return 2 * side**3 / statistics.median(times[2:])


def profiled(contender: Contender, task: Task, number: int) -> dict[str, Any]:
    """Where the operations of one step spend their time, in ms."""
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if task.cuda else [])]
    batch = task.draw(number)
    contender.step(*batch, number)  # with these threads for the first time
    begin = _now(task)
    with profile(activities=activities) as profiler:
        contender.step(*batch, number)
        wall = _now(task) - begin
    events = profiler.key_averages()
    field = "self_device_time_total" if task.cuda else "self_cpu_time_total"
    # kernels of a GPU are listed once by themselves and once under what called them
    times = {
        each.key: getattr(each, field) / 1e3 for each in events if "CPU" in str(each.device_type)
    }
    products = sum(time for name, time in times.items() if name in PRODUCTS or "mkldnn" in name)
    top = sorted(times.items(), key=lambda item: -item[1])[:TOP]
    total = sum(times.values())
    return {
        "wall_ms": wall * 1e3,
        "operations_ms": total,
        "products_ms": products,
        "products_share": products / total,
        "top": [[name, time, time / total] for name, time in top],
    }


def _profiles(contender: Contender, task: Task, number: int) -> dict[str, Any]:
    """With the threads as they are, and with one."""
    threads = torch.get_num_threads()
    result = {}
    for count in sorted({threads, 1}, reverse=True):
        torch.set_num_threads(count)
        result[f"{count} thread{'s' if count > 1 else ''}"] = profiled(contender, task, number)
    torch.set_num_threads(threads)
    return result


def _now(task: Task) -> float:
    if task.cuda:
        torch.cuda.synchronize(task.device)
    return time.perf_counter()


def build(values: dict[str, Any]) -> dict[str, Callable[[int], dict[str, Any]]]:
    """The contender, and what can be asked of it."""
    task = Task(**values)
    if task.keep_memory:
        keep_freed_memory()
    before = resident_memory()
    torch.manual_seed(task.seed)
    if task.threads is not None:
        torch.set_num_threads(task.threads)
    contender: Contender = Ours(task) if task.loop == "ours" else Reference(task)

    def step(number: int) -> dict[str, Any]:
        ids, lengths = task.draw(number)
        begin = _now(task)
        finite = contender.step(ids, lengths, number)
        seconds = _now(task) - begin
        flops = useful_flops(task, lengths)
        return {"seconds": seconds, "pieces": len(ids), "flops": flops, "finite": finite}

    def memory(_: int) -> dict[str, Any]:
        used = torch.cuda.max_memory_allocated() if task.cuda else peak_memory() - before
        return {"bytes": used}

    return {
        "started": lambda _: {"threads": torch.get_num_threads()},
        "step": step,
        "memory": memory,
        "peak": lambda _: {"flops": matmul_peak(task)},
        "profile": lambda number: _profiles(contender, task, number),
    }


if __name__ == "__main__":
    serve(build)
