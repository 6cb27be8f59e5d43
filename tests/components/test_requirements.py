"""What a trained pipeline says it needs."""

from __future__ import annotations

from importlib.metadata import version

import spacy
from packaging.requirements import Requirement
from spacy import registry

import spacy_selectra
from spacy_selectra.components.requirements import RUNTIME, requirements_callback

TO_COME = ("transformers", "tokenizers", "huggingface-hub")


def test_ranges_hold_what_runs_here_and_more():
    nlp = spacy.blank("es")
    requirements_callback()(nlp)
    found = {r.name: r.specifier for r in map(Requirement, nlp.meta["requirements"])}
    assert set(found) == {"spacy-selectra", *RUNTIME}
    for name, specifier in found.items():
        # the job that tests with versions to come has installed them in spite of the ranges
        if name not in TO_COME or version("transformers") < "5":
            assert specifier.contains(version(name), prereleases=True), name
        assert len({str(s.operator) for s in specifier}) >= 1
    assert not found["spacy-selectra"].contains("99.0")
    assert found["spacy-selectra"].contains(spacy_selectra.__version__)


def test_repeated_calls_and_other_requirements():
    nlp = spacy.blank("es")
    nlp.meta["requirements"] = ["emoji>=1.0", "torch==1.0"]
    for _ in range(2):
        requirements_callback()(nlp)
    requirements = nlp.meta["requirements"]
    assert "emoji>=1.0" in requirements
    assert "torch==1.0" not in requirements
    assert len(requirements) == len(RUNTIME) + 2


def test_paths_are_removed(make_nlp, encoder_directory, tmp_path):
    nlp = make_nlp()
    nlp.config["paths"]["train"] = "/home/somebody/train.conll"
    requirements_callback(remove_paths=False)(nlp)
    assert str(encoder_directory) in nlp.config.to_str()
    requirements_callback()(nlp).to_disk(tmp_path)
    saved = (tmp_path / "config.cfg").read_text()
    assert str(encoder_directory) not in saved
    assert "somebody" not in saved
    assert spacy.load(tmp_path)("Sí.")._.trf_data is not None


def test_registered():
    assert callable(registry.callbacks.get("spacy-selectra.requirements.v1")())
