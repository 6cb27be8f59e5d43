"""Long documents give back what they freed."""

from __future__ import annotations

import os
import platform

import pytest

from spacy_selectra.components.transformer import shim
from spacy_selectra.encoder.cpu.memory import return_freed_memory
from tests.components.conftest import SENTENCES
from tests.components.test_transformer import token_vectors


def resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as status:
        return int(status.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs Linux with glibc")
def test_freed_memory_is_returned():
    # small enough for the heap, and the last one keeps the others from being its end
    blocks = [bytearray(50_000) for _ in range(2000)]
    last = bytearray(50_000)
    full = resident()
    blocks.clear()
    return_freed_memory()
    assert resident() < full - 50_000_000
    assert len(last) == 50_000


def test_every_so_many_pieces_of_long_and_of_short_documents(make_nlp, monkeypatch):
    calls = []
    monkeypatch.setattr(shim, "return_freed_memory", lambda: calls.append(1))
    monkeypatch.setattr(shim, "_PIECES_BETWEEN_RETURNS", 300)
    nlp = make_nlp(max_batch_pieces=100)
    short, long = SENTENCES[0], " ".join(SENTENCES * 20)
    nlp(short)
    assert not calls
    vectors = token_vectors(nlp(long))
    pieces = sum(nlp(long)._.trf_data.wordpieces.lengths)
    assert len(calls) >= 2 * (pieces // 400)
    assert (token_vectors(nlp(long)) == vectors).all()
    calls.clear()
    list(nlp.pipe([short] * 400))
    assert len(calls) >= 400 * len(short.split()) // 400
