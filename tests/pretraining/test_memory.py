"""Freed memory that stays with the process."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

# Page faults of allocating and filling the same 64 MB again and again.
SCRIPT = """
import json, resource, sys, torch
from spacy_selectra.encoder.cpu.memory import keep_freed_memory
kept = keep_freed_memory() if sys.argv[1] == "keep" else None
def faults(times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.ones(1 << 24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults(20)  # until the heap is as large as it gets
print(json.dumps([kept, faults(5)]))
"""


def run(mode: str) -> tuple[bool | None, int]:
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT, mode], capture_output=True, text=True, check=True
    )
    kept, faults = json.loads(process.stdout)
    return kept, faults


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
def test_pages_are_touched_once():
    kept, faults = run("keep")
    if not kept:
        pytest.skip("not glibc")
    assert faults < 100 < run("leave")[1]
