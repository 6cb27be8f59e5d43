from __future__ import annotations

import json
import shutil
import signal
import sys
import time
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from spacy_selectra.encoder.checkpoint import load_discriminator, load_generator
from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining import pretrain as run
from spacy_selectra.pretraining.checkpoints import checkpoints
from spacy_selectra.pretraining.model import PretrainingModel
from spacy_selectra.pretraining.pretrain import pretrain
from spacy_selectra.text.tokenizer import SPECIAL_TOKENS, make_tokenizer, save_tokenizer
from spacy_selectra.util.files import read_json

LOG_KEYS = {
    "step",
    "loss",
    "mlm_loss",
    "rtd_loss",
    "rtd_accuracy",
    "learning_rate",
    "tokens_per_second",
    "tokens_seen",
    "elapsed_seconds",
    "mfu",
}
TIMES = {"tokens_per_second", "elapsed_seconds", "mfu"}


class StopAfter:
    """Stands for `StopRequest`: a signal that arrives after so many steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def __enter__(self) -> StopAfter:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    @property
    def requested(self) -> bool:
        self.left -= 1
        return self.left < 0


class Crash(BaseException):
    """Stands for kill -9: nothing may catch it."""


def crash_at(monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    forward, calls = PretrainingModel.forward, iter(range(10**6))

    def fail(self, *args, **kwargs):
        if next(calls) == call:
            raise Crash
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(PretrainingModel, "forward", fail)


def poison(monkeypatch: pytest.MonkeyPatch, bad_calls: set[int]) -> None:
    """Let the loss of some batches be not a number."""
    forward, calls = PretrainingModel.forward, iter(range(10**6))

    def spoil(self, *args, **kwargs):
        losses = forward(self, *args, **kwargs)
        if next(calls) in bad_calls:
            return replace(losses, total=losses.total * float("nan"))
        return losses

    monkeypatch.setattr(PretrainingModel, "forward", spoil)


def rows(output: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]


def without_times(output: Path) -> list[dict[str, float]]:
    return [{k: v for k, v in row.items() if k not in TIMES} for row in rows(output)]


def assert_same_run(first: Path, second: Path) -> None:
    assert [p.name for p in checkpoints(first)] == [p.name for p in checkpoints(second)]
    last = checkpoints(first)[-1].name
    for group in ("model", "optimizer", "random"):
        one = load_file(first / last / f"{group}.safetensors")
        other = load_file(second / last / f"{group}.safetensors")
        assert one.keys() == other.keys()
        for name, tensor in one.items():
            assert torch.equal(tensor, other[name]), name
    assert without_times(first) == without_times(second)


@pytest.fixture(scope="module")
def clean(data, tmp_path_factory) -> Path:
    from spacy_selectra.pretraining.config import read_settings

    output = tmp_path_factory.mktemp("runs") / "clean"
    result = pretrain(read_settings(data.config), output, quiet=True)
    assert result.finished
    return output


def test_output_follows_the_contract(clean):
    names = {path.name for path in clean.iterdir()}
    assert names == {
        "config.cfg",
        "run.json",
        "log.jsonl",
        "checkpoint-10",
        "checkpoint-12",
        "discriminator",
        "generator",
    }
    assert [row["step"] for row in rows(clean)] == [2, 4, 6, 8, 10, 12]
    assert all(row.keys() == LOG_KEYS for row in rows(clean))
    suffixes = {path.suffix for path in (clean / "checkpoint-12").iterdir()}
    assert suffixes == {".safetensors", ".json"}


def test_positions_that_were_trained_are_declared(clean, settings, tmp_path):
    for name in ("discriminator", "generator"):
        config = read_json(clean / name / "tokenizer_config.json")
        assert config["model_max_length"] == 32  # of the packed corpus
    sizes = "embedding_size hidden_size num_hidden_layers num_attention_heads intermediate_size"
    preset = dict.fromkeys((f"encoder.{name}" for name in sizes.split()), None)
    longer = settings(**preset, encoder__init_from=str(clean), training__max_steps=1)
    pretrain(longer, tmp_path / "more", quiet=True)
    config = read_json(tmp_path / "more" / "discriminator" / "tokenizer_config.json")
    assert config["model_max_length"] == 32  # as before
    source = tmp_path / "source"
    shutil.copytree(clean, source)
    declared = source / "discriminator" / "tokenizer_config.json"
    declared.write_text(json.dumps({**read_json(declared), "model_max_length": 48}), "utf-8")
    longer = settings(**preset, encoder__init_from=str(source), training__max_steps=1)
    pretrain(longer, tmp_path / "again", quiet=True)
    config = read_json(tmp_path / "again" / "discriminator" / "tokenizer_config.json")
    assert config["model_max_length"] == 48  # that of the earlier run, which is longer


def test_stopped_and_resumed_equals_uninterrupted(clean, settings, tmp_path, monkeypatch):
    output = tmp_path / "run"
    for steps in (3, 4):  # neither on a checkpoint nor on a row of the log
        monkeypatch.setattr(run, "StopRequest", lambda steps=steps: StopAfter(steps))
        assert not pretrain(settings(), output, quiet=True).finished
    monkeypatch.setattr(run, "StopRequest", lambda: StopAfter(10**6))
    torch.manual_seed(99)  # nothing may depend on what the process drew before
    assert pretrain(settings(), output, quiet=True).finished
    # a stop leaves extra checkpoints behind; only the newest two are kept
    assert_same_run(clean, output)


def test_the_recipe_for_short_runs_resumes_exactly_too(settings, tmp_path, monkeypatch):
    recipe = settings(
        optimizer__method="muon",
        encoder__init_embeddings="cooccurrence",
        objective__corrective_lm_weight=10.0,
    )
    assert pretrain(recipe, tmp_path / "straight", quiet=True).finished
    monkeypatch.setattr(run, "StopRequest", lambda: StopAfter(3))
    assert not pretrain(recipe, tmp_path / "stopped", quiet=True).finished
    monkeypatch.setattr(run, "StopRequest", lambda: StopAfter(10**6))
    torch.manual_seed(99)
    assert pretrain(recipe, tmp_path / "stopped", quiet=True).finished
    assert_same_run(tmp_path / "straight", tmp_path / "stopped")
    assert all("corrective_lm_loss" in row for row in rows(tmp_path / "stopped"))


def test_crashed_and_resumed_equals_uninterrupted(clean, settings, tmp_path, monkeypatch):
    output = tmp_path / "run"
    crash_at(monkeypatch, 8)
    with pytest.raises(Crash):
        pretrain(settings(), output, quiet=True)
    monkeypatch.undo()
    assert [path.name for path in checkpoints(output)] == ["checkpoint-0", "checkpoint-5"]
    (output / ".checkpoint-10.tmp-123").mkdir()
    assert pretrain(settings(), output, quiet=True).finished
    assert_same_run(clean, output)
    assert not list(output.glob(".*"))


def test_killed_between_its_first_files(settings, tmp_path, monkeypatch):
    def crash(*_: object) -> None:
        raise Crash

    with monkeypatch.context() as patch, pytest.raises(Crash):
        patch.setattr(run, "write_text", crash)  # of config.cfg
        pretrain(settings(training__max_steps=1), tmp_path / "run", quiet=True)
    assert pretrain(settings(training__max_steps=1), tmp_path / "run", quiet=True).finished


def test_damaged_checkpoint_is_passed_over(clean, settings, tmp_path, monkeypatch, capsys):
    output = tmp_path / "run"
    crash_at(monkeypatch, 11)
    with pytest.raises(Crash):
        pretrain(settings(), output, quiet=True)
    monkeypatch.undo()
    weights = output / "checkpoint-10" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert pretrain(settings(), output, quiet=True).finished
    assert "checkpoint-10" in capsys.readouterr().err
    assert_same_run(clean, output)


def test_no_whole_checkpoint_is_an_error(settings, tmp_path, monkeypatch):
    output = tmp_path / "run"
    crash_at(monkeypatch, 2)
    with pytest.raises(Crash):
        pretrain(settings(), output, quiet=True)
    monkeypatch.undo()
    (output / "checkpoint-0" / "state.json").write_text("{", encoding="utf-8")
    with pytest.raises(SelectraError, match="all checkpoints are damaged"):
        pretrain(settings(), output, quiet=True)


def test_finished_run_is_left_alone_and_can_be_prolonged(clean, settings, tmp_path):
    output = tmp_path / "run"
    shutil.copytree(clean, output)
    before = (output / "log.jsonl").read_bytes()
    assert pretrain(settings(), output, quiet=True).step == 12
    assert (output / "log.jsonl").read_bytes() == before
    assert pretrain(settings(training__max_steps=14), output, quiet=True).step == 14


def test_parts_of_a_batch_give_the_same_run(settings, tmp_path):
    losses = []
    for parts in (1, 4):
        output = tmp_path / str(parts)
        options = {
            "training__gradient_accumulation_steps": parts,
            "encoder__hidden_dropout_prob": 0.0,
            "encoder__attention_probs_dropout_prob": 0.0,
            # all pieces are masked, so that cutting does not change the draw
            "objective__mask_prob": 0.99,
            "objective__mask_token_prob": 1.0,
            "objective__rtd_weight": 0.0,
            "training__max_steps": 4,
        }
        pretrain(settings(**options), output, quiet=True)
        losses.append([row["mlm_loss"] for row in rows(output)])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)


def test_batch_that_is_not_finite_is_skipped(settings, tmp_path, monkeypatch, capsys):
    poison(monkeypatch, {3, 6})
    result = pretrain(settings(), tmp_path / "run", quiet=True)
    assert result.finished
    assert result.step == 12
    assert capsys.readouterr().err.count("batch skipped") == 2
    weights = load_file(tmp_path / "run" / "discriminator" / "model.safetensors")
    assert all(torch.isfinite(tensor).all() for tensor in weights.values())


def test_repeated_failure_rolls_back_and_goes_on(settings, tmp_path, monkeypatch, capsys):
    poison(monkeypatch, {7, 8, 9})
    result = pretrain(settings(), tmp_path / "run", quiet=True)
    assert result.finished
    assert "rolled back to step 5" in capsys.readouterr().err
    assert [row["step"] for row in rows(tmp_path / "run")] == [2, 4, 6, 8, 10, 12]


def test_diverging_loss_rolls_back_too(settings, tmp_path, monkeypatch, capsys):
    from spacy_selectra.pretraining import step as guard

    monkeypatch.setattr(guard, "_ENOUGH", 0.05)  # a mean over a few batches has to do here
    make = PretrainingModel.forward
    calls = iter(range(10**6))

    def climb(self, *args, **kwargs):
        losses = make(self, *args, **kwargs)
        if next(calls) in {8, 9, 10}:
            return replace(losses, rtd=losses.rtd * 50)
        return losses

    monkeypatch.setattr(PretrainingModel, "forward", climb)
    assert pretrain(settings(), tmp_path / "run", quiet=True).finished
    printed = capsys.readouterr().err
    assert printed.count("batch skipped") == 3
    assert "rolled back to step 5" in printed


def test_stopped_amid_bad_batches_goes_on_from_before_them(settings, tmp_path, monkeypatch, capsys):
    output = tmp_path / "run"
    poison(monkeypatch, {6, 7})
    monkeypatch.setattr(run, "StopRequest", lambda: StopAfter(7))
    assert not pretrain(settings(), output, quiet=True).finished
    assert capsys.readouterr().err.count("batch skipped") == 1
    assert checkpoints(output)[-1].name == "checkpoint-5"
    monkeypatch.undo()
    assert pretrain(settings(), output, quiet=True).finished
    pretrain(settings(), tmp_path / "straight", quiet=True)
    assert_same_run(output, tmp_path / "straight")


def test_says_that_text_is_not_read(settings, tmp_path, capsys):
    pretrain(settings(training__max_length=16, training__max_steps=1), tmp_path / "a", quiet=True)
    assert "are truncated to 16; pack the corpus with --length 16" in capsys.readouterr().err
    pretrain(settings(training__max_steps=1), tmp_path / "b", quiet=True)
    assert "are read" not in capsys.readouterr().err


def test_what_evaluations_need_is_missed_before_the_first_step(settings, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    with pytest.raises(SelectraError, match=r"sklearn: pip install 'spacy-selectra\[train\]'"):
        pretrain(settings(training__evaluate_every=1000), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run" / "log.jsonl").exists()


def test_a_second_process_is_kept_out(clean, settings):
    from spacy_selectra.util.files import only_user_of

    before = sorted(clean.rglob("*"))
    with only_user_of(clean), pytest.raises(SelectraError, match="another process"):
        pretrain(settings(), clean, quiet=True)
    assert sorted(clean.rglob("*")) == before


def test_checkpoints_by_the_clock(settings, tmp_path):
    changed = settings(training__checkpoint_seconds=1e-6, training__keep_checkpoints=20)
    pretrain(changed, tmp_path / "run", quiet=True)
    assert len(checkpoints(tmp_path / "run")) == 13


def test_a_damaged_newer_checkpoint_does_not_push_out_whole_ones(settings, tmp_path, monkeypatch):
    output = tmp_path / "run"
    changed = settings(training__keep_checkpoints=1)
    crash_at(monkeypatch, 11)
    with pytest.raises(Crash):
        pretrain(settings(), output, quiet=True)
    monkeypatch.undo()
    (output / "checkpoint-10" / "state.json").write_text("{", encoding="utf-8")
    monkeypatch.setattr(run, "StopRequest", lambda: StopAfter(2))
    assert not pretrain(changed, output, quiet=True).finished
    (whole,) = checkpoints(output)
    assert whole.name != "checkpoint-10"


def test_gives_up_after_the_set_number_of_rollbacks(settings, tmp_path, monkeypatch):
    poison(monkeypatch, set(range(100)))
    with pytest.raises(SelectraError, match="diverged 2 times"):
        pretrain(settings(training__max_rollbacks=1), tmp_path / "run", quiet=True)
    assert checkpoints(tmp_path / "run")


def test_full_disk_keeps_the_last_checkpoint(clean, settings, tmp_path, monkeypatch):
    from safetensors import SafetensorError

    from spacy_selectra.pretraining import checkpoints as module

    output, write, written = tmp_path / "run", module.save_file, []

    def full(tensors, path, *args, **kwargs):
        written.append(path)
        if len(written) > 4:  # checkpoint-0 is three files
            Path(path).write_bytes(b"half")
            raise SafetensorError("I/O error: No space left on device")
        write(tensors, path, *args, **kwargs)

    monkeypatch.setattr(module, "save_file", full)
    with pytest.raises(SelectraError, match="No space left"):
        pretrain(settings(), output, quiet=True)
    assert [path.name for path in checkpoints(output)] == ["checkpoint-0"]
    monkeypatch.undo()
    assert pretrain(settings(), output, quiet=True).finished
    assert_same_run(clean, output)


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ({"encoder__hidden_size": 64}, "encoder.hidden_size was 32, is 64"),
        ({"training__batch_size": 4}, "training.batch_size was 8, is 4"),
        ({"objective__mask_prob": 0.2}, "objective.mask_prob"),
    ],
)
def test_resuming_something_else_is_an_error(clean, settings, override, named):
    with pytest.raises(SelectraError, match=named):
        pretrain(settings(**override), clean, quiet=True)


def test_resume_never_refuses_a_directory_with_files(clean, settings):
    before = sorted(clean.rglob("*"))
    with pytest.raises(SelectraError, match="not empty"):
        pretrain(settings(), clean, resume="never", quiet=True)
    assert sorted(clean.rglob("*")) == before


def test_foreign_directory_is_not_touched(settings, tmp_path):
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(SelectraError, match="holds no pretraining run"):
        pretrain(settings(), tmp_path, quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_vocabulary_that_does_not_match_the_corpus(settings, tmp_path):
    save_tokenizer(make_tokenizer([*SPECIAL_TOKENS, "otra"]), tmp_path / "other")
    changed = settings(paths__tokenizer=str(tmp_path / "other"))
    with pytest.raises(SelectraError, match="vocabulary does not match"):
        pretrain(changed, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_sequences_longer_than_the_positions(settings, tmp_path):
    with pytest.raises(SelectraError, match="positions"):
        pretrain(settings(encoder__max_position_embeddings=16), tmp_path / "run", quiet=True)


def test_missing_device(settings, tmp_path):
    with pytest.raises(SelectraError, match="not available"):
        pretrain(settings(training__device="cuda:77"), tmp_path / "run", quiet=True)


def test_time_budget_ends_the_run_and_the_learning_rate_decays(settings, tmp_path, monkeypatch):
    # a clock that goes on by a hundredth of a second whenever it is asked
    clock = count()
    monkeypatch.setattr(time, "monotonic", lambda: 0.01 * next(clock))
    changed = settings(training__max_seconds=1.5, training__max_steps=100_000)
    result = pretrain(changed, tmp_path / "run", quiet=True)
    assert result.finished
    assert 4 < result.step < 100_000
    last = rows(tmp_path / "run")[-1]
    assert last["learning_rate"] < 0.2 * 0.005
    assert (tmp_path / "run" / "discriminator").is_dir()


def test_evaluations_are_written_and_do_not_disturb_training(clean, settings, tmp_path):
    output = tmp_path / "run"
    pretrain(settings(training__evaluate_every=4), output, quiet=True)
    found = [json.loads(line) for line in (output / "evaluation.jsonl").read_text().splitlines()]
    assert [row["step"] for row in found] == [4, 8, 12]
    assert {"auc", "accuracy", "mlm_accuracy"} <= found[0].keys()
    assert_same_run(clean, output)


def test_loss_falls(settings, tmp_path):
    output = tmp_path / "run"
    changed = settings(training__max_steps=60, training__log_every=10)
    pretrain(changed, output, quiet=True)
    losses = [row["mlm_loss"] for row in rows(output)]
    assert losses[-1] < losses[0] - 0.03


def test_exported_networks_give_transformers_the_same_logits(clean):
    from transformers import AutoTokenizer, ElectraForMaskedLM, ElectraForPreTraining

    ids = torch.tensor([2, 7, 9, 4, 12, 20, 3])
    types = torch.tensor([0, 0, 0, 0, 1, 1, 1])
    theirs = ElectraForPreTraining.from_pretrained(clean / "discriminator").eval()
    language_model = ElectraForMaskedLM.from_pretrained(clean / "generator").eval()
    ours = load_discriminator(clean / "discriminator")
    generator = load_generator(clean / "generator")
    with torch.no_grad():
        expected = theirs(ids[None], token_type_ids=types[None]).logits[0]
        torch.testing.assert_close(ours(ids, [7], types), expected, rtol=0, atol=1e-5)
        scores = language_model(ids[None], token_type_ids=types[None]).logits[0]
        torch.testing.assert_close(generator(ids, [7], types), scores, rtol=0, atol=1e-5)
    for name in ("discriminator", "generator"):
        tokenizer = AutoTokenizer.from_pretrained(clean / name)
        assert tokenizer.tokenize("niño comió piñón en Cádiz") == [
            "niño",
            "comió",
            "piñón",
            "en",
            "Cádiz",
        ]


def test_exported_embeddings_are_tied(clean):
    name = "electra.embeddings.word_embeddings.weight"
    one = load_file(clean / "discriminator" / "model.safetensors")[name]
    other = load_file(clean / "generator" / "model.safetensors")[name]
    assert torch.equal(one, other)


def test_starting_from_an_earlier_run(clean, settings, tmp_path):
    sizes = ("embedding_size", "hidden_size", "num_hidden_layers", "num_attention_heads")
    nothing = {f"encoder__{name}": None for name in (*sizes, "intermediate_size")}
    changed = settings(encoder__init_from=str(clean), optimizer__learning_rate=1e-9, **nothing)
    pretrain(changed, tmp_path / "run", quiet=True)
    for name in ("discriminator", "generator"):
        one = load_file(clean / name / "model.safetensors")
        other = load_file(tmp_path / "run" / name / "model.safetensors")
        for key, tensor in one.items():
            torch.testing.assert_close(tensor, other[key], rtol=0, atol=1e-6)
    with pytest.raises(SelectraError, match=r"remove encoder\.hidden_size"):
        pretrain(settings(encoder__init_from=str(clean)), tmp_path / "other", quiet=True)


def test_signal_handlers_are_put_back(clean, settings):
    before = signal.getsignal(signal.SIGTERM)
    pretrain(settings(), clean, quiet=True)
    assert signal.getsignal(signal.SIGTERM) is before
