"""Progress lines and stop requests."""

from __future__ import annotations

import os
import signal
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
    assert "packing: 2.0M of 2.0M tokens (100%)" in output.err
    assert "tokens/s" in output.err
    assert output.err.rstrip().endswith("2 shards")


def test_quiet_prints_nothing(capsys: pytest.CaptureFixture[str]):
    with Progress("packing", quiet=True) as progress:
        progress.update(5)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_requests_a_later_one_interrupts(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
):
    before = signal.getsignal(number)
    with StopRequest() as stop:
        assert not stop.requested
        os.kill(os.getpid(), number)
        assert stop.requested
        os.kill(os.getpid(), number)  # at once: still the same request
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + 60)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before
