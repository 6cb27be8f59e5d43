"""The README's commands and snippets do what they say (on the smallest models)."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from spacy_selectra.packaging.assemble import assemble_pipeline
from spacy_selectra.packaging.wheel import build_pipeline_wheel

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# Sizes of seconds instead of hours; what the command is about stays as the README has it.
SMALLER = {
    "vocab train": "--heldout 0 --size 300",
    "corpus pack": "--heldout 0.2",
    "pretrain": "--training.max_steps 2 --encoder.num_hidden_layers 1 --encoder.hidden_size 32 "
    "--encoder.num_attention_heads 2 --encoder.intermediate_size 32 --encoder.embedding_size 16",
    "spacy train": "--training.max_steps 2 --training.eval_frequency 1",
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands(heading: str) -> list[str]:
    """Commands of the first console block after a line."""
    block = README.split(heading, 1)[1].split("```console\n", 1)[1].split("```", 1)[0]
    return block.strip().splitlines()


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the README's reader has it: texts, entities, our configurations."""
    monkeypatch.chdir(tmp_path)
    sample = ROOT / "assets" / "sample"
    documents = (sample / "text" / "heldout.txt").read_text(encoding="utf-8").split("\n\n")
    (tmp_path / "my_texts").mkdir()
    (tmp_path / "my_texts" / "a.txt").write_text("\n\n".join(documents[:60]), encoding="utf-8")
    sentences = (sample / "ner" / "dev.conll").read_text(encoding="utf-8").split("\n\n")
    for name in ("train", "dev"):
        (tmp_path / f"{name}.conll").write_text("\n\n".join(sentences[:20]), encoding="utf-8")
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    return tmp_path


@pytest.mark.slow
def test_the_steps_one_by_one(texts: Path):
    ran = []
    for command in commands("The steps one by one"):
        words = shlex.split(command)
        assert words[0] == "python"
        for name, options in SMALLER.items():
            if f" {name} " in command:
                words += shlex.split(options)
        done = subprocess.run(
            [sys.executable, *words[1:]],
            cwd=texts,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        ran.append(command)
    assert len(ran) == 6
    assert (texts / "ner" / "model-last" / "meta.json").is_file()


def test_snippets_run(parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    assemble_pipeline(tmp_path / "pipeline", name="selectra_tiny", version="0.1.0", **parts)
    wheel = build_pipeline_wheel(tmp_path / "pipeline", tmp_path, {})
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    discriminator = tmp_path / "training" / "tiny" / "pretrain"
    discriminator.mkdir(parents=True)
    (discriminator / "discriminator").symlink_to(parts["discriminator"])
    monkeypatch.chdir(tmp_path)
    snippets = blocks("python")
    assert len(snippets) == 2
    for number, snippet in enumerate(snippets):
        script = tmp_path / f"snippet{number}.py"
        script.write_text(snippet, encoding="utf-8")
        runpy.run_path(str(script))
    output = capsys.readouterr().out.strip().splitlines()
    # one line printed for every print of the snippets, and as many as the README shows
    assert len(output) == sum(snippet.count("print(") for snippet in snippets)
    (shown,) = blocks("text")
    assert len(shown.strip().splitlines()) == snippets[0].count("print(")


def test_every_file_and_variable_the_readme_names_exists():
    project = (ROOT / "project.yml").read_text(encoding="utf-8")
    for path in set(re.findall(r"(?:configs|assets)/[\w/.]*\w", README)):
        assert (ROOT / path).exists(), path
    for variable in set(re.findall(r"--vars\.(\w+)", README)):
        assert f"\n  {variable}:" in project, variable
