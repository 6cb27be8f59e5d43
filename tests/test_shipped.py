"""The pipeline in packages/ installs without network, and gives what the README prints."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import spacy
from safetensors import safe_open

from spacy_selectra.packaging.installable import make_installable

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "packages" / "es_selectra_tiny"
README = (ROOT / "README.md").read_text(encoding="utf-8")
USE = README.split("\n## Use\n", 1)[1].split("\n## ", 1)[0]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages that pip installed the shipped directory into."""
    place = tmp_path_factory.mktemp("site")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"),
            *("--target", str(place), str(PACKAGE)),
        ],
        check=True,
    )
    return place


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", USE, flags=re.DOTALL)
    assert found is not None
    return found.group(1)


def same(found: Any, expected: Any) -> bool:
    """Equal, but for what the arithmetic of another processor does to the last digits."""
    if isinstance(expected, float):
        return found == pytest.approx(expected, abs=0.03)
    if isinstance(expected, (list, tuple)):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(expected, dict):
        return list(found) == list(expected) and all(same(found[k], expected[k]) for k in expected)
    return found == expected


def test_the_snippet_gives_what_the_readme_prints(installed: Path, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", block("python")],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": f"{installed}{os.pathsep}{ROOT}",
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(tmp_path / "hub"),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found, expected = done.stdout.splitlines(), block("text").splitlines()
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        values = [line if line[0] not in "[{(" else ast.literal_eval(line) for line in (one, other)]
        assert same(*values), f"{one}\nREADME: {other}"


def test_line_breaks_change_no_entity(installed: Path):
    (data,) = (installed / "es_selectra_tiny").glob("es_selectra_tiny-*")
    nlp = spacy.load(data, exclude=["textcat", "replaced"])
    text = "El presidente de Iberdrola, Ignacio Galán, se reunió ayer en Bilbao con el lehendakari."
    expected = [("Iberdrola", "ORG"), ("Ignacio Galán", "PER"), ("Bilbao", "LOC")]
    for space in (" ", "  ", "\n", "\n\n"):
        doc = nlp(text.replace(" ", space))
        assert [(" ".join(ent.text.split()), ent.label_) for ent in doc.ents] == expected


def test_size_and_contents(installed: Path):
    assert sum(file.stat().st_size for file in PACKAGE.iterdir()) <= 25e6
    (data,) = (installed / "es_selectra_tiny").glob("es_selectra_tiny-*")
    for weights in data.rglob("model.safetensors"):
        with safe_open(weights, "pt") as file:
            assert {file.get_tensor(name).dtype.itemsize for name in file.keys()} == {2}  # noqa: SIM118
    suffixes = {file.suffix for file in data.rglob("*") if file.is_file()}
    assert not suffixes & {".pt", ".pth", ".pkl", ".pickle"}


def test_the_directory_is_what_the_project_writes(tmp_path: Path):
    (wheel,) = PACKAGE.glob("*.whl")
    make_installable(shutil.copy(wheel, tmp_path))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {
        file.name: file.read_bytes() for file in PACKAGE.iterdir() if file.is_file()
    }


def test_card_says_where_it_comes_from():
    card = (PACKAGE / "README.md").read_text(encoding="utf-8")
    for part in ("## Scores", "## Data and licences", "## Training", "## Limits", "AnCora", "CO2"):
        assert part in card
    (wheel,) = PACKAGE.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert any(archive.read(n).decode() == card for n in archive.namelist() if "README" in n)
    assert "/tmp" not in card
