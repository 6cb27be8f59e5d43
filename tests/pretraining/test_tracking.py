from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.config import LoggingSettings
from spacy_selectra.pretraining.trackers import Trackers, open_trackers


def tensorboard_scalars(output: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows: steps and values by name."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(output / "tensorboard"))
    events.Reload()
    return {
        name: [(event.step, round(event.value, 4)) for event in events.Scalars(name)]
        for name in events.Tags()["scalars"]
    }


class FakeWandb(SimpleNamespace):
    """Stands for the module wandb: keeps what it is given; `refuse` makes starting fail."""

    def __init__(self, *refuse: str | None) -> None:
        self.refuse, self.started, self.rows, self.axes = refuse, [], [], {}
        self.finished = self.torn_down = 0

    def Settings(self, **settings):
        return settings

    def init(self, **arguments):
        self.started.append(arguments)
        if arguments["mode"] in self.refuse:
            raise RuntimeError("no route\nto host")
        return SimpleNamespace(
            log=self.rows.append, define_metric=self.define_metric, finish=self.finish
        )

    def define_metric(self, name, step_metric):
        self.axes[name] = step_metric

    def finish(self):
        self.finished += 1

    def teardown(self):
        self.torn_down += 1


@pytest.fixture
def fake_wandb(monkeypatch):
    def install(*refuse: str | None) -> FakeWandb:
        found = FakeWandb(*refuse)
        monkeypatch.setitem(sys.modules, "wandb", found)
        monkeypatch.delenv("WANDB_MODE", raising=False)
        return found

    return install


WANDB = LoggingSettings(wandb_project="selectra", wandb_name="tiny")  # pyright: ignore
TENSORBOARD = LoggingSettings(tensorboard=True)  # pyright: ignore


def test_nothing_is_sent_anywhere_unless_asked(tmp_path):
    trackers = open_trackers(LoggingSettings(), tmp_path, {})  # pyright: ignore
    trackers.log(1, {"loss": 1.0})
    trackers.rewind(0)
    trackers.close()
    assert not list(tmp_path.iterdir())


def test_tensorboard_has_every_figure_under_its_group(tmp_path):
    trackers = open_trackers(TENSORBOARD, tmp_path, {})
    row = {"step": 2, "loss": 50.0, "tokens_seen": 300, "bad": float("nan"), "note": "x"}
    trackers.log(2, row)
    trackers.log(4, {"step": 4, "loss": 40.0, "tokens_seen": 600})
    trackers.log(4, {"step": 4, "auc": 0.75, "pieces": 1000}, "heldout")
    # readable while the run goes on
    assert tensorboard_scalars(tmp_path) == {
        "train/loss": [(2, 50.0), (4, 40.0)],
        "train/tokens_seen": [(2, 300.0), (4, 600.0)],
        "heldout/auc": [(4, 0.75)],
        "heldout/pieces": [(4, 1000.0)],
    }
    trackers.close()


def test_resumed_run_takes_the_place_of_what_came_after_its_checkpoint(tmp_path):
    first = open_trackers(TENSORBOARD, tmp_path, {})
    for step in (2, 4, 6, 8):
        first.log(step, {"loss": step / 10})
    # killed here, not closed; the last checkpoint is of step 4
    second = open_trackers(TENSORBOARD, tmp_path, {}, resume_step=4)
    second.log(6, {"loss": 6.0})
    second.close()
    assert tensorboard_scalars(tmp_path) == {"train/loss": [(2, 0.2), (4, 0.4), (6, 6.0)]}
    first.close()


def test_rolling_back_takes_back_what_came_after(tmp_path):
    trackers = open_trackers(TENSORBOARD, tmp_path, {})
    for step in (1, 2, 3):
        trackers.log(step, {"loss": step / 10})
    trackers.rewind(1)
    trackers.log(2, {"loss": 2.0})
    trackers.close()
    assert tensorboard_scalars(tmp_path) == {"train/loss": [(1, 0.1), (2, 2.0)]}


def test_wandb_gets_names_configuration_and_rows(fake_wandb, tmp_path):
    wandb = fake_wandb()
    config = {"training": {"seed": 3}}
    trackers = open_trackers(WANDB, tmp_path, config)
    trackers.log(2, {"step": 2, "loss": 50.0})
    trackers.log(2, {"step": 2, "auc": 0.7}, "heldout")
    trackers.close()
    (start,) = wandb.started
    assert (start["project"], start["name"], start["mode"]) == ("selectra", "tiny", None)
    assert start["resume"] == "allow"
    assert start["dir"] == str(tmp_path)
    assert start["config"] == config
    assert wandb.rows == [{"step": 2, "train/loss": 50.0}, {"step": 2, "heldout/auc": 0.7}]
    assert wandb.axes == {"train/*": "step", "heldout/*": "step"}
    assert wandb.finished == 1


def test_wandb_run_keeps_its_id_in_its_directory(fake_wandb, tmp_path):
    wandb = fake_wandb()
    for directory in ("one", "one", "two"):
        (tmp_path / directory).mkdir(exist_ok=True)
        open_trackers(WANDB, tmp_path / directory, {}).close()
    open_trackers(WANDB.model_copy(update={"wandb_project": "q"}), tmp_path / "one", {}).close()
    ids = [start["id"] for start in wandb.started]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3  # another directory or project is another run
    assert json.loads((tmp_path / "two" / "wandb.json").read_text())["id"] == ids[2]


def test_wandb_mode_comes_from_the_settings_before_the_environment(
    fake_wandb, monkeypatch, tmp_path
):
    wandb = fake_wandb()
    monkeypatch.setenv("WANDB_MODE", "disabled")
    open_trackers(WANDB, tmp_path, {})
    open_trackers(WANDB.model_copy(update={"wandb_mode": "offline"}), tmp_path, {})
    assert [start["mode"] for start in wandb.started] == ["disabled", "offline"]


def test_unreachable_wandb_is_logged_offline_under_the_same_id(fake_wandb, tmp_path, capsys):
    wandb = fake_wandb(None)
    trackers = open_trackers(WANDB, tmp_path, {})
    trackers.log(1, {"loss": 2.0})
    assert [start["mode"] for start in wandb.started] == [None, "offline"]
    assert len({start["id"] for start in wandb.started}) == 1
    assert wandb.torn_down == 1
    assert wandb.rows == [{"step": 1, "train/loss": 2.0}]
    (warning,) = capsys.readouterr().err.splitlines()
    assert "no route to host" in warning
    assert "wandb sync" in warning


def test_wandb_that_cannot_start_at_all_leaves_the_others(fake_wandb, tmp_path, capsys):
    fake_wandb(None, "offline")
    both = WANDB.model_copy(update={"tensorboard": True})
    trackers = open_trackers(both, tmp_path, {})
    trackers.log(1, {"loss": 2.0})
    trackers.close()
    assert "Weights & Biases could not be started" in capsys.readouterr().err
    assert tensorboard_scalars(tmp_path) == {"train/loss": [(1, 2.0)]}


class Steady:
    """A tracker that keeps the steps it is sent."""

    name = "Steady"

    def __init__(self) -> None:
        self.steps: list[int] = []

    def log(self, step, row) -> None:
        self.steps.append(step)

    def rewind(self, step) -> None: ...

    def close(self) -> None: ...


class Flaky(Steady):
    """Its disk is full from step 2 on."""

    name = "Flaky"

    def log(self, step, row) -> None:
        if step >= 2:
            raise OSError("no space left")
        super().log(step, row)

    def close(self) -> None:
        raise OSError("still no space")


def test_tracker_that_fails_is_dropped_with_one_warning_and_the_others_go_on(capsys):
    flaky, steady = Flaky(), Steady()
    trackers = Trackers(flaky, steady)
    for step in (1, 2, 3):
        trackers.log(step, {"loss": 1.0})
    trackers.close()
    assert flaky.steps == [1]
    assert steady.steps == [1, 2, 3]
    (warning,) = capsys.readouterr().err.splitlines()
    assert warning == "warning: Flaky failed and gets no more rows (no space left)"


@pytest.mark.parametrize(("module", "settings"), [("wandb", WANDB), ("tensorboard", TENSORBOARD)])
def test_missing_package_is_named_at_the_start(module, settings, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SelectraError, match=r"pip install 'spacy-selectra\[tracking\]'"):
        open_trackers(settings, tmp_path, {})


def test_folder_named_wandb_is_not_taken_for_the_package(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace())  # as a namespace package is
    with pytest.raises(SelectraError, match="needs the package wandb"):
        open_trackers(WANDB, tmp_path, {})
