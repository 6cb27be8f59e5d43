"""Progress lines and stop requests."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from spacy_selectra.util.progress import Progress
from spacy_selectra.util.signals import StopRequest


def test_last_line_gives_amount_rate_and_note(capsys: pytest.CaptureFixture[str]):
    with Progress("packing", total=2_000_000, unit="tokens") as progress:
        progress.update(1_000_000)
        progress.update(1_000_000, note="2 shards")
    output = capsys.readouterr()
    assert output.out == ""
    first, last = output.err.splitlines()
    assert first.startswith("packing: 0 of 2,000,000 tokens (0%)")
    assert last.startswith("packing: 2,000,000 of 2,000,000 tokens (100%)")
    assert "tokens/s" in last
    assert last.endswith("2 shards")


def test_a_log_gets_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    now = [0.0]
    with Progress("reading", unit="documents") as progress:
        monkeypatch.setattr(progress, "_time", lambda: progress.start_t + now[0])
        for _ in range(100):
            now[0] += 0.5
            progress.update()
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        f"reading: {count} documents" for count in (0, 20, 40, 60, 80, 100, 100)
    ]


def test_a_terminal_gets_one_line_that_is_written_over(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Progress("packing", total=4, unit="shards") as progress:
        progress.update(1)
        progress.update(4)  # more than was thought
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert "5 of 5 shards (100%)" in output.err.split("\r")[-1]


def test_quiet_prints_nothing(capsys: pytest.CaptureFixture[str]):
    with Progress("packing", quiet=True) as progress:
        progress.update(5)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_requests_a_later_one_interrupts(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
):
    before = signal.getsignal(number)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with StopRequest() as stop:
        assert not stop.requested
        os.kill(os.getpid(), number)
        assert stop.requested
        os.kill(os.getpid(), number)  # at once: still the same request
        monkeypatch.setattr(time, "monotonic", lambda: now + 60)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before


@pytest.mark.parametrize("total", [0, -3.5])
def test_nothing_left_to_do(total, capsys):
    """As when a run goes on whose time is up."""
    with Progress("training", total, "seconds") as progress:
        progress.update(0)
    assert "training: 0" in capsys.readouterr().err
