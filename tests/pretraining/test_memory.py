"""Freed memory that stays with the process."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

# Page faults of allocating and filling the same 64 MB again and again.
SCRIPT = """
import json, resource, torch
from spacy_selectra.encoder.cpu.memory import keep_freed_memory
def faults(times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.ones(1 << 24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
before = faults(5)
kept = keep_freed_memory()
faults(20)  # until the heap is as large as it gets
print(json.dumps([kept, before, faults(5)]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
def test_pages_are_touched_once():
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    kept, before, after = json.loads(process.stdout)
    if not kept:
        pytest.skip("not glibc")
    assert after < 100 < before
