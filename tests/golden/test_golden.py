"""Behaviour that a change of the code's shape must not change, against files written before it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import ElectraForPreTraining

from spacy_selectra.encoder.checkpoint import save_model
from tests.golden import scenes


@pytest.fixture(autouse=True)
def leave_torch_as_it_was():
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    yield
    torch.set_num_threads(threads)
    torch.set_rng_state(state)


def golden(name: str) -> Any:
    return json.loads((scenes.FILES / name).read_text(encoding="utf-8"))


def assert_alike(found: Any, expected: Any, tolerance: float, where: str = "") -> None:
    """Equal, numbers but for the rounding of another processor."""
    if isinstance(expected, dict):
        assert sorted(found) == sorted(expected), where
        for key, value in expected.items():
            assert_alike(found[key], value, tolerance, f"{where}/{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for place, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_alike(one, other, tolerance, f"{where}/{place}")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=tolerance, abs=tolerance), where
    else:
        assert found == expected, where


def test_packed_corpora_and_vocabularies_have_the_same_bytes():
    assert scenes.packed_bytes() == golden("packed.json")


def test_a_saved_discriminator_gives_the_same_logits_here_and_in_transformers():
    directory = scenes.FILES / "run" / "discriminator"
    expected = golden("logits.json")
    np.testing.assert_allclose(scenes.logits(directory), expected, atol=1e-5)
    theirs = ElectraForPreTraining.from_pretrained(directory).eval()
    with torch.no_grad():
        first = theirs(torch.tensor([[2, 7, 11, 13, 3]])).logits[0]
    np.testing.assert_allclose(first.numpy(), expected[:5], atol=1e-5)


def test_a_discriminator_saved_again_has_the_same_tensors(tmp_path: Path):
    from safetensors.torch import load_file

    from spacy_selectra.encoder.checkpoint import load_discriminator

    directory = scenes.FILES / "run" / "discriminator"
    save_model(load_discriminator(directory), tmp_path / "again")
    before, after = (load_file(d / "model.safetensors") for d in (directory, tmp_path / "again"))
    assert sorted(before) == sorted(after)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_pretraining_logs_the_same_rows(tmp_path: Path):
    assert_alike(scenes.whole_run(tmp_path), golden("logs.json"), 1e-3)


def test_a_run_of_an_earlier_version_goes_on(tmp_path: Path):
    """It was made when some settings had other names, which its record still has."""
    scenes.make_corpus(tmp_path)
    shutil.copytree(scenes.FILES / "run", tmp_path / "run")
    assert_alike(scenes.continued_run(tmp_path), golden("continued.json"), 1e-3)


def test_the_shipped_pipeline_finds_the_same():
    assert_alike(scenes.shipped(), golden("shipped.json"), 2e-3)


@pytest.mark.parametrize("command", sorted(golden("help.json")))
def test_help(command: str):
    expected = golden("help.json")[command].splitlines()
    # a group may have got further commands
    found = dict(scenes.helps())[command].splitlines()
    assert [line for line in found if line in expected] == expected
    if "Commands:" not in expected:
        assert found == expected
