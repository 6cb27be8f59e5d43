"""The commands of the README and its first pages do what they say (on the smallest models)."""

from __future__ import annotations

import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = {
    name: (ROOT / name).read_text(encoding="utf-8")
    for name in ("README.md", "docs/usage.md", "docs/train.md", "docs/index.md")
}
# Sizes of seconds instead of hours; what the command is about stays as the page has it.
SMALLER = {
    "words": "--dimensions 12 --min-count 2 --epochs 1",
    "match": "--steps 2",
    "vocab train": "--heldout 0 --size 300",
    "corpus pack": "--heldout 0.2",
    "pretrain": "--training.max_steps 2 --encoder.num_hidden_layers 1 --encoder.hidden_size 32 "
    "--encoder.num_attention_heads 2 --encoder.intermediate_size 32 --encoder.embedding_size 16",
    "spacy train": "--training.max_steps 2 --training.eval_frequency 1",
}


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the page's reader has it: texts, entities, our configurations."""
    monkeypatch.chdir(tmp_path)
    sample = ROOT / "assets" / "sample"
    documents = (sample / "text" / "heldout.txt").read_text(encoding="utf-8").split("\n\n")
    (tmp_path / "my_texts").mkdir()
    (tmp_path / "my_texts" / "a.txt").write_text("\n\n".join(documents[:60]), encoding="utf-8")
    sentences = (sample / "ner" / "dev.conll").read_text(encoding="utf-8").split("\n\n")
    for name in ("train", "dev"):
        (tmp_path / f"{name}.conll").write_text("\n\n".join(sentences[:20]), encoding="utf-8")
    labelled = (sample / "genres" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    (tmp_path / "labelled.jsonl").write_text("\n".join(labelled[:60]), encoding="utf-8")
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    return tmp_path


@pytest.mark.slow
def test_the_steps_one_by_one(
    texts: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    ran = []
    steps = PAGES["docs/train.md"].split("## The steps one by one\n\n```console\n", 1)[1]
    for command in steps.split("```", 1)[0].strip().splitlines():
        words = shlex.split(command)
        assert words[:3] == ["python", "-m", "spacy"]
        for name, options in SMALLER.items():
            if f" {name} " in command:
                words += shlex.split(options)
        # in this process, which has imported spaCy and torch already
        monkeypatch.setattr(sys, "argv", words[2:])
        with pytest.raises(SystemExit) as end:
            runpy.run_module("spacy", run_name="__main__")
        assert not end.value.code, f"{command}\n{capfd.readouterr().err}"
        ran.append(command)
    assert len(ran) == 9
    assert (texts / "ner" / "model-last" / "meta.json").is_file()
    assert (texts / "pipeline" / "zero_shot" / "words.txt").is_file()


def test_the_encoder_loads_without_spacy(
    parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    usage = PAGES["docs/usage.md"].split("## The encoder without spaCy\n\n```python\n", 1)[1]
    script = tmp_path / "snippet.py"
    script.write_text(usage.split("```", 1)[0], encoding="utf-8")
    pretrained = tmp_path / "training" / "tiny" / "pretrain"
    pretrained.mkdir(parents=True)
    (pretrained / "discriminator").symlink_to(parts["discriminator"])
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(script))
    assert int(capsys.readouterr().out) > 1000


@pytest.mark.parametrize("page", PAGES)
def test_every_file_and_variable_a_page_names_exists(page: str):
    text = PAGES[page]
    for path in set(re.findall(r"(?:configs|assets)/[\w/.]*\w", text)):
        assert (ROOT / path).exists(), path
    for link in set(re.findall(r"\]\((?!https?:|#)([^)#]+)", text)):
        assert ((ROOT / page).parent / link).exists(), link
    project = (ROOT / "project.yml").read_text(encoding="utf-8")
    for variable in set(re.findall(r"--vars\.(\w+)", text)):
        assert f"\n  {variable}:" in project, variable


def test_the_readme_is_short():
    assert len(PAGES["README.md"].splitlines()) <= 130
