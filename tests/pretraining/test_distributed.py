"""Several processes give what one gives."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from spacy_selectra.corpus.packed.format import PackedCorpus
from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.checkpoints import checkpoints
from spacy_selectra.pretraining.config import read_settings
from spacy_selectra.pretraining.pretrain import batch_loader, pretrain
from spacy_selectra.util.distributed import World
from tests.pretraining.conftest import Data
from tests.processes import Running, run

OPTIONS = {
    "encoder.hidden_dropout_prob": 0.0,
    "encoder.attention_probs_dropout_prob": 0.0,
    "objective.corrective_lm_weight": 5.0,
    "training.max_steps": 8,
    "training.checkpoint_every": 4,
    "training.evaluate_every": 4,
    "training.evaluate_sequences": 16,
}


def free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return chosen.getsockname()[1]


def options(changes: dict[str, Any]) -> dict[str, Any]:
    return OPTIONS | {name.replace("__", "."): value for name, value in changes.items()}


def train_alone(
    data: Data, output: Path, replace: bool = False, changes: dict[str, Any] | None = None
) -> None:
    settings = read_settings(data.config, options(changes or {}))
    pretrain(settings, output, replace=replace, quiet=True)


def train_by_torchrun(data: Data, output: Path) -> None:
    launcher = ["--nproc-per-node", "2", "--master-addr", "127.0.0.1"]
    launcher += ["--master-port", str(free_port()), "-m"]
    given = [part for name, value in OPTIONS.items() for part in (f"--{name}", str(value))]
    command = ["spacy_selectra", "pretrain", str(data.config), str(output), "--quiet", *given]
    done = run(torchrun, [*launcher, *command], environment={"PYTHONFAULTHANDLER": "1"})
    assert done.returncode == 0, done.stderr


def torchrun(arguments: list[str]) -> None:
    from torch.distributed.run import main

    main(arguments)


TrainTogether = Callable[..., None]


@pytest.fixture
def train_together(data: Data) -> TrainTogether:
    """Trains with two processes."""

    def train(output: Path, replace: bool = False, **changes: Any) -> None:
        place = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
        both = [
            Running(
                *(train_alone, data, output, replace, changes),
                environment={**place, "RANK": str(rank)},
            )
            for rank in range(2)
        ]
        for done in [process.wait() for process in both]:
            assert done.returncode == 0, done.stderr

    return train


def weights(output: Path) -> dict[str, torch.Tensor]:
    found = {}
    for name in ("discriminator", "generator"):
        tensors = load_file(output / name / "model.safetensors")
        found |= {f"{name}/{key}": tensor for key, tensor in tensors.items()}
    return found


def rows(output: Path, name: str = "log.jsonl") -> list[dict[str, float]]:
    return [json.loads(line) for line in (output / name).read_text("utf-8").splitlines()]


@pytest.mark.slow
def test_two_processes_equal_one_at_the_same_global_batch(data, train_together, tmp_path):
    train_alone(data, tmp_path / "one")
    train_by_torchrun(data, tmp_path / "two")
    train_together(tmp_path / "parts", training__gradient_accumulation_steps=2)
    expected = weights(tmp_path / "one")
    for name in ("two", "parts"):
        for key, tensor in weights(tmp_path / name).items():
            torch.testing.assert_close(tensor, expected[key], rtol=0, atol=2e-5, msg=key)
        for ours, theirs in zip(rows(tmp_path / name), rows(tmp_path / "one"), strict=True):
            assert ours["tokens_seen"] == theirs["tokens_seen"]
            assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-4)
    assert len(rows(tmp_path / "two", "evaluation.jsonl")) == 2
    record = json.loads((tmp_path / "two" / "run.json").read_text("utf-8"))
    assert record["world_size"] == 2


def test_two_processes_go_on_bit_for_bit_with_dropout(train_together, tmp_path):
    dropout = {
        "encoder__hidden_dropout_prob": 0.1,
        "encoder__attention_probs_dropout_prob": 0.1,
    }
    train_together(tmp_path / "straight", **dropout)
    shorter = {"training__max_steps": 3, "schedule__warmup_steps": 4}
    train_together(tmp_path / "resumed", **shorter, **dropout)
    # the end of the shorter run must not count: go on from its middle, with the longer schedule
    assert [path.name for path in checkpoints(tmp_path / "resumed")] == [
        "checkpoint-0",
        "checkpoint-3",
    ]
    for path in checkpoints(tmp_path / "resumed")[1:]:
        (path / "state.json").unlink()
    train_together(tmp_path / "resumed", **dropout)
    expected = weights(tmp_path / "straight")
    for key, tensor in weights(tmp_path / "resumed").items():
        assert torch.equal(tensor, expected[key]), key


def test_one_process_goes_on_where_two_stopped(data, train_together, tmp_path):
    train_together(tmp_path / "mixed", training__max_steps=4)
    train_alone(data, tmp_path / "mixed")
    steps = [row["step"] for row in rows(tmp_path / "mixed")]
    assert steps == [2, 4, 6, 8]
    record = json.loads((tmp_path / "mixed" / "run.json").read_text("utf-8"))
    assert [part["world_size"] for part in record["parts"]] == [1]


def test_two_processes_replace_another_run(data, train_together, tmp_path):
    train_alone(data, tmp_path / "run", changes={"training__max_steps": 4})
    (tmp_path / "run" / "notes.txt").write_text("of the old run", "utf-8")
    other = {"training__seed": 5, "training__max_steps": 4}
    train_together(tmp_path / "run", replace=True, **other)
    train_together(tmp_path / "fresh", **other)
    assert not (tmp_path / "run" / "notes.txt").exists()
    assert weights(tmp_path / "run").keys() == weights(tmp_path / "fresh").keys()
    for key, tensor in weights(tmp_path / "fresh").items():
        assert torch.equal(weights(tmp_path / "run")[key], tensor), key


def test_batch_that_cannot_be_divided_among_processes(settings, tmp_path, monkeypatch):
    read = settings()
    corpus = PackedCorpus(read.paths.corpus)
    with pytest.raises(SelectraError, match="cannot be divided among 3 processes"):
        batch_loader(corpus, read.training, World(rank=0, size=3))


def test_alone_nothing_is_exchanged():
    world, tensor = World(), torch.ones(3)
    world.sum_([tensor])
    world.copy_from_main_([tensor])
    assert tensor.tolist() == [1, 1, 1]
    assert world.is_main
    assert world.from_main("word") == "word"
    assert world.gather(tensor).shape == (1, 3)
