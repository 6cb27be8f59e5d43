"""Several processes give what one gives."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.checkpoints import checkpoints
from spacy_selectra.util.distributed import World
from tests.pretraining.conftest import Data

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


def train(data: Data, output: Path, processes: int, *flags: str, **changes: object) -> str:
    launcher = [
        *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes)),
        *("--master-addr", "127.0.0.1", "--master-port", str(free_port()), "-m"),
    ]
    options = OPTIONS | {name.replace("__", "."): value for name, value in changes.items()}
    given = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    done = subprocess.run(
        [
            *(launcher if processes > 1 else [sys.executable, "-m"]),
            *(
                "spacy_selectra",
                "pretrain",
                str(data.config),
                str(output),
                "--quiet",
                *flags,
                *given,
            ),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def weights(output: Path) -> dict[str, torch.Tensor]:
    found = {}
    for name in ("discriminator", "generator"):
        tensors = load_file(output / name / "model.safetensors")
        found |= {f"{name}/{key}": tensor for key, tensor in tensors.items()}
    return found


def rows(output: Path, name: str = "log.jsonl") -> list[dict[str, float]]:
    return [json.loads(line) for line in (output / name).read_text("utf-8").splitlines()]


def test_two_processes_equal_one_at_the_same_global_batch(data, tmp_path):
    train(data, tmp_path / "one", 1)
    train(data, tmp_path / "two", 2)
    train(data, tmp_path / "parts", 2, training__gradient_accumulation_steps=2)
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


def test_two_processes_go_on_bit_for_bit_with_dropout(data, tmp_path):
    dropout = {
        "encoder__hidden_dropout_prob": 0.1,
        "encoder__attention_probs_dropout_prob": 0.1,
    }
    train(data, tmp_path / "straight", 2, **dropout)
    train(data, tmp_path / "resumed", 2, training__max_steps=3, schedule__warmup_steps=4, **dropout)
    # the end of the shorter run must not count: go on from its middle, with the longer schedule
    assert [path.name for path in checkpoints(tmp_path / "resumed")] == [
        "checkpoint-0",
        "checkpoint-3",
    ]
    for path in checkpoints(tmp_path / "resumed")[1:]:
        (path / "state.json").unlink()
    train(data, tmp_path / "resumed", 2, **dropout)
    expected = weights(tmp_path / "straight")
    for key, tensor in weights(tmp_path / "resumed").items():
        assert torch.equal(tensor, expected[key]), key


def test_one_process_goes_on_where_two_stopped(data, tmp_path):
    train(data, tmp_path / "one", 1)
    train(data, tmp_path / "mixed", 2, training__max_steps=4)
    train(data, tmp_path / "mixed", 1)
    steps = [row["step"] for row in rows(tmp_path / "mixed")]
    assert steps == [2, 4, 6, 8]
    record = json.loads((tmp_path / "mixed" / "run.json").read_text("utf-8"))
    assert [part["world_size"] for part in record["parts"]] == [1]


def test_two_processes_replace_another_run(data, tmp_path):
    train(data, tmp_path / "run", 1, training__max_steps=4)
    (tmp_path / "run" / "notes.txt").write_text("of the old run", "utf-8")
    train(data, tmp_path / "run", 2, "--replace", training__seed=5, training__max_steps=4)
    train(data, tmp_path / "fresh", 2, training__seed=5, training__max_steps=4)
    assert not (tmp_path / "run" / "notes.txt").exists()
    assert weights(tmp_path / "run").keys() == weights(tmp_path / "fresh").keys()
    for key, tensor in weights(tmp_path / "fresh").items():
        assert torch.equal(weights(tmp_path / "run")[key], tensor), key


def test_batch_that_cannot_be_divided_among_processes(settings, tmp_path, monkeypatch):
    from spacy_selectra.corpus.packed.loader import PackedCorpus
    from spacy_selectra.pretraining import pretrain as run

    read = settings()
    corpus = PackedCorpus(read.paths.corpus, "train", tokenizer=read.paths.tokenizer)
    with pytest.raises(SelectraError, match="cannot be divided among 3 processes"):
        run._loader(read, corpus, World(rank=0, size=3))


def test_alone_nothing_is_exchanged():
    world, tensor = World(), torch.ones(3)
    world.sum_([tensor])
    world.copy_from_main_([tensor])
    assert tensor.tolist() == [1, 1, 1]
    assert world.is_main
    assert world.from_main("word") == "word"
    assert world.gather(tensor).shape == (1, 3)
