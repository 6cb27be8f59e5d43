"""Long commands set up the threads of their process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from spacy_selectra.cli import threads
from tests.processes import HANGS

# Prints what a command would compute with.
PROBE = """
import json, os, sys
{before}
from spacy_selectra.cli.threads import share_the_machine
share_the_machine()
names = ("GOMP_SPINCOUNT", "OMP_NUM_THREADS")
print(json.dumps([sys.argv[1:], os.getpid(), *(os.environ.get(name) for name in names)]))
"""


def probe(arguments: list[str], before: str = "", **environment: str) -> tuple[list, int]:
    own = {name: value for name, value in os.environ.items() if name not in _READ}
    process = subprocess.Popen(
        [sys.executable, "-c", PROBE.format(before=before), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**own, **environment},
    )
    output, _ = process.communicate(timeout=HANGS)
    assert process.returncode == 0
    return json.loads(output), process.pid


_READ = ("GOMP_SPINCOUNT", "OMP_NUM_THREADS", "OMP_WAIT_POLICY")


def test_threads_sleep_soon():
    (arguments, _, spins, _), _ = probe(["pretrain", "a.cfg"])
    assert (arguments, spins) == (["pretrain", "a.cfg"], "100")


def test_a_process_that_has_loaded_torch_starts_again_with_the_same_arguments():
    before = "sys.modules['torch'] = print('loaded', file=sys.stderr)"
    (arguments, process, spins, _), started = probe(["selectra", "pretrain", "ñ b"], before)
    assert (arguments, spins) == (["selectra", "pretrain", "ñ b"], "100")
    assert process == started


@pytest.mark.parametrize(
    ("name", "value"), [("GOMP_SPINCOUNT", "7"), ("OMP_WAIT_POLICY", "ACTIVE")]
)
def test_what_the_environment_says_stays(name, value):
    (_, _, spins, _), _ = probe(["selectra"], **{name: value, "OMP_NUM_THREADS": "1"})
    assert spins == ("7" if name == "GOMP_SPINCOUNT" else None)


def test_a_program_that_calls_a_command_is_not_started_again(monkeypatch):
    monkeypatch.setattr(os, "execv", lambda *call: pytest.fail("started again"))
    monkeypatch.setattr(sys, "argv", ["program.py", "pretrain"])
    for name in _READ:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(sys.modules, "torch", object())
    threads.share_the_machine()
    assert os.environ["GOMP_SPINCOUNT"] == "100"


@pytest.mark.parametrize(
    ("files", "own", "expected"),
    [
        ({"cpu.max": "150000 100000\n"}, "0::/\n", 2),
        ({"cpu.max": "50000 100000\n"}, "0::/\n", 1),
        ({"cpu.max": "max 100000\n"}, "0::/\n", 8),
        ({"cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, "0::/a/b\n", 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, "4:cpu:/\n", 8),
        (
            {"cpu/x/cpu.cfs_quota_us": "400000\n", "cpu/x/cpu.cfs_period_us": "100000\n"},
            "5:memory:/y\n4:cpu,cpuacct:/x\n",
            4,
        ),
        ({"cpu.max": "nonsense"}, "0::/\n", 8),
        ({}, "0::/\n", 8),
    ],
)
def test_quotas_of_control_groups(files, own, expected, tmp_path: Path, monkeypatch):
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    (tmp_path / "own").write_text(own, encoding="ascii")
    monkeypatch.setattr(threads, "_CGROUPS", tmp_path)
    monkeypatch.setattr(threads, "_OWN_CGROUPS", tmp_path / "own")
    monkeypatch.setattr(threads, "_visible", lambda: 8)
    assert threads.usable_processors() == expected
