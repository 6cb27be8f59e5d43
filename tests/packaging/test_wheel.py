"""The wheel is built without network, installs, and works away from everything else."""

import json
import shutil
import subprocess
import sys
import zipfile
from typing import Any

import pytest
import spacy
from typer.testing import CliRunner

import spacy_selectra
from spacy_selectra.cli.app import app
from spacy_selectra.errors import SelectraError
from spacy_selectra.packaging.assemble import assemble_pipeline
from spacy_selectra.packaging.smoke_test import library_wheel, try_wheel
from spacy_selectra.packaging.wheel import (
    build_library_wheel,
    build_pipeline_wheel,
    make_installable,
)
from tests.packaging.conftest import TEXT

METRICS = {"ents_f": 0.5, "ents_per_type": {"LOC": {"p": 0.5, "r": 0.5, "f": 0.5}}, "speed": 1000.0}


def try_by_command(wheel, *arguments):
    return CliRunner().invoke(app, ["package", "try", str(wheel), "--json", *arguments])


@pytest.fixture(scope="module")
def pipeline(parts, matching, tmp_path_factory):
    """All parts assembled, with labels that are matched."""
    output = tmp_path_factory.mktemp("assembled") / "pipeline"
    given = {name: path for name, path in parts.items() if name != "entailment"}
    assemble_pipeline(
        output, name="selectra_test", version="0.1.0", matching=matching, half=True, **given
    )
    return output


@pytest.fixture(scope="module")
def wheels(pipeline, tmp_path_factory):
    output = tmp_path_factory.mktemp("packages")
    return build_pipeline_wheel(pipeline, output, METRICS), build_library_wheel(output)


def test_names_are_versioned(wheels):
    version = spacy_selectra.__version__
    assert wheels[0].name == "es_selectra_test-0.1.0-py3-none-any.whl"
    assert wheels[1].name == f"spacy_selectra-{version}-py3-none-any.whl"
    assert library_wheel(wheels[0], "nowhere") == wheels[1]


def test_scores_card_and_requirements_are_inside(wheels):
    with zipfile.ZipFile(wheels[0]) as archive:
        root = "es_selectra_test/es_selectra_test-0.1.0"
        meta = json.loads(archive.read(f"{root}/meta.json"))
        assert meta["performance"] == METRICS
        card = archive.read(f"{root}/README.md").decode("utf-8")
        assert "entities, F1 | 0.500" in card
        assert "| `a` | 90 | 3 |" in card
        assert "| Texts of three subjects | CC0 | labels |" in card
        assert "- It knows three subjects." in card
        metadata = archive.read("es_selectra_test-0.1.0.dist-info/METADATA").decode("utf-8")
        assert "Requires-Dist: spacy-selectra" in metadata
        assert "Requires-Dist: torch" in metadata
        # exactly the declared ranges: nothing that spaCy derives from what is installed
        assert metadata.count("Requires-Dist") == len(meta["requirements"])


def test_library_wheel_holds_the_package_only(wheels):
    with zipfile.ZipFile(wheels[1]) as archive:
        top = {name.split("/")[0] for name in archive.namelist()}
        assert "spacy_selectra/py.typed" in archive.namelist()
        page = "spacy_selectra/serving/service/page/"
        found = {name.removeprefix(page) for name in archive.namelist() if name.startswith(page)}
        assert found == {"index.html", "page.css", "page.js", "words.js"}
    assert {name for name in top if not name.endswith(".dist-info")} == {"spacy_selectra"}


def test_same_input_same_wheel(pipeline, wheels, tmp_path):
    again = build_pipeline_wheel(pipeline, tmp_path, METRICS)
    assert again.read_bytes() == wheels[0].read_bytes()


@pytest.mark.slow
def test_installed_wheel_works_offline_in_an_empty_folder(wheels, pipeline, tmp_path):
    (tmp_path / "more.txt").write_text("Otra frase más.\n\nÚltima frase.\n", encoding="utf-8")
    files = ("--library", str(wheels[1]), "--texts", str(tmp_path / "more.txt"))
    texts = ("--text", TEXT, "--text", "el gol del portero")
    result = try_by_command(wheels[0], *files, *texts, "--labels", "gol, horno")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["package"], found["version"]) == ("es_selectra_test", "0.1.0")
    doc, goal, *more = found["docs"]
    assert [other["text"] for other in more] == ["Otra frase más.", "Última frase."]
    assert doc["text"] == TEXT  # every accent and ñ
    assert [word for word, _ in doc["words"]] == [
        "El",
        "niño",
        "comió",
        "piñón",
        "en",
        "Cádiz",
        ".",
    ]
    here: Any = spacy.load(pipeline).get_pipe("zero_shot")
    for row, expected in zip(
        (doc, goal), here.classify([TEXT, goal["text"]], ["gol", "horno"]), strict=True
    ):
        assert row["zero_shot"] == pytest.approx(expected, abs=1e-4)
    assert goal["zero_shot"]["gol"] > 0.5
    assert set(doc["cats"]) == {"cultura", "deportes"}


def test_nothing_to_try_it_on(wheels, tmp_path):
    (tmp_path / "empty.txt").write_text("\n", encoding="utf-8")
    for arguments in ((), ("--texts", str(tmp_path / "empty.txt"))):
        result = try_by_command(wheels[0], *arguments)
        assert result.exit_code == 1
        assert "no texts; give --text" in result.stderr


def test_a_wheel_that_cannot_be_installed(wheels, tmp_path):
    broken = tmp_path / "es_broken-0.1.0-py3-none-any.whl"
    broken.write_bytes(b"not a zip file")
    with pytest.raises(SelectraError, match="installing the wheels failed"):
        try_wheel(broken, wheels[1], [TEXT])


def test_missing_files(tmp_path):
    with pytest.raises(SelectraError, match="not a pipeline directory"):
        build_pipeline_wheel(tmp_path, tmp_path)
    with pytest.raises(SelectraError, match="no such wheel"):
        try_wheel(tmp_path / "a.whl", tmp_path / "b.whl", [TEXT])


def test_library_wheel_is_built_where_none_lies_beside(tmp_path):
    built = library_wheel(tmp_path / "shipped" / "a.whl", tmp_path)
    assert built == tmp_path / f"spacy_selectra-{spacy_selectra.__version__}-py3-none-any.whl"
    assert zipfile.is_zipfile(built)


@pytest.mark.slow
def test_pip_installs_the_directory_of_a_wheel(wheels, tmp_path):
    shipped = tmp_path / "es_selectra_test"
    shipped.mkdir()
    wheel = shutil.copy(wheels[0], shipped)
    (shipped / "es_selectra_test-0.0.9-py3-none-any.whl").write_bytes(b"an earlier version")
    make_installable(wheel)
    assert sorted(path.name for path in shipped.iterdir()) == [
        "README.md",
        wheels[0].name,
        "finished_wheel.py",
        "pyproject.toml",
    ]
    assert "entities, F1 | 0.500" in (shipped / "README.md").read_text(encoding="utf-8")
    place = tmp_path / "place"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"),
            *("--target", str(place), str(shipped)),
        ],
        check=True,
    )
    assert (place / "es_selectra_test" / "es_selectra_test-0.1.0" / "config.cfg").is_file()


def test_a_wheel_without_model_card(wheels, tmp_path):
    with pytest.raises(SelectraError, match="has no model card"):
        make_installable(shutil.copy(wheels[1], tmp_path))


@pytest.mark.parametrize("name", ["pyproject.toml", "es_other-1.0.0-py3-none-any.whl"])
def test_a_directory_of_something_else_stays_as_it_is(wheels, tmp_path, name):
    wheel = shutil.copy(wheels[0], tmp_path)
    (tmp_path / name).write_bytes(b"[project]")
    with pytest.raises(SelectraError, match="use a directory for this package only"):
        make_installable(wheel)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([wheels[0].name, name])
    assert (tmp_path / name).read_bytes() == b"[project]"


def test_installable_is_one_wheel(pipeline, tmp_path):
    command = ["package", "wheel", str(pipeline), str(tmp_path), "--installable", "--with-library"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1
    assert "combined with --with-library" in result.stderr
    assert not list(tmp_path.iterdir())


def test_old_setuptools(tmp_path, monkeypatch):
    monkeypatch.setattr("spacy_selectra.packaging.wheel.version", lambda name: "65.5.0")
    with pytest.raises(SelectraError, match=r"needs setuptools 77 or later.*65\.5\.0"):
        build_library_wheel(tmp_path)
