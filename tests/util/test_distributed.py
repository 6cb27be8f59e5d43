"""Processes that a launcher has started, and the device of each."""

from __future__ import annotations

import pytest
import torch

from spacy_selectra.errors import SelectraError
from spacy_selectra.util.distributed import Process, join_world, pick_device


def test_every_trial_has_one_process(monkeypatch):
    taken = []
    for rank in range(3):
        monkeypatch.setenv("RANK", str(rank))
        monkeypatch.setenv("WORLD_SIZE", "3")
        taken += Process.of_environment().own(range(1, 6))
    assert sorted(taken) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("rank", "size"), [("3", "3"), ("-1", "2"), ("x", "2")])
def test_nonsense_in_the_environment(rank, size, monkeypatch):
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", size)
    with pytest.raises(SelectraError, match="RANK"):
        Process.of_environment()


@pytest.fixture
def four_gpus(monkeypatch) -> list[torch.device]:
    """A machine with four GPUs, as far as choosing one goes; what becomes torch's current one."""
    current: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    monkeypatch.setattr(torch, "empty", lambda size, device: None)
    return current


@pytest.mark.parametrize(
    ("name", "local_rank", "device"),
    [
        ("auto", 0, "cuda:0"),
        ("auto", 3, "cuda:3"),
        ("cuda", 5, "cuda:1"),
        ("cuda:2", 1, "cuda:2"),
        ("cpu", 1, "cpu"),
    ],
)
def test_gpus_are_shared_out(four_gpus, name, local_rank, device):
    assert pick_device(name, Process(local_rank, 8, local_rank)) == torch.device(device)


def test_without_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto", Process(1, 2, 1)) == torch.device("cpu")


def test_one_process_trains_on_a_gpu_that_is_torchs_own(four_gpus):
    process = Process()
    with join_world(process, pick_device("auto", process)) as world:
        assert (world.rank, world.size, world.is_main) == (0, 1, True)
    assert four_gpus == [torch.device("cuda:0")]


def test_every_process_that_trains_needs_its_own_gpu(four_gpus):
    process = Process(5, 8, 5)
    with (
        pytest.raises(SelectraError, match="process 5 of this machine has no GPU of its own"),
        join_world(process, pick_device("auto", process)),
    ):
        pass
    assert four_gpus == []
