from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spacy_selectra.cli.app import app
from spacy_selectra.finetuning.report.markdown import BEGIN, END
from tests.finetuning.report.fake_metrics import two_models, write_old


def run(*arguments: str | Path):
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


def test_everything_at_once(tmp_path: Path):
    two_models(tmp_path / "runs")
    readme, page, picture = (tmp_path / name for name in ("README.md", "out.html", "out.svg"))
    readme.write_text(f"# Ours\n\n{BEGIN}\n{END}\n", encoding="utf-8")
    arguments = [tmp_path / "runs", "--name", "hub/large=BIG", "--into", readme]
    result = run(*arguments, "--html", page, "--picture", picture)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0] == (
        "| model | parameters | size (MB) | words/s | own accuracy | xnli accuracy |"
    )
    assert "| BIG | 110 M |" in result.stdout
    assert result.stdout.strip() in readme.read_text(encoding="utf-8")
    assert ">BIG</text>" in picture.read_text(encoding="utf-8")
    assert ">BIG</text>" in page.read_text(encoding="utf-8")
    assert "Published models are not drawn" in result.stderr
    quiet = run(*arguments, "--picture", picture, "--quiet", "--no-published", "--json")
    assert quiet.stderr == ""
    rows = json.loads(quiet.stdout)
    assert len(rows) == 4
    assert rows[0]["words_per_second"] == 12_345.6
    assert "(published)" not in readme.read_text(encoding="utf-8")


def test_nothing_is_written_after_a_mistake(tmp_path: Path):
    two_models(tmp_path / "runs")
    readme, picture = tmp_path / "README.md", tmp_path / "out.svg"
    readme.write_text("no markers", encoding="utf-8")
    for wrong, message in [
        (["--into", readme], "occurs 0 times"),
        (["--picture", tmp_path / "out.png"], "a name that ends in .svg"),
        (["--name", "nobody=X"], "no result of 'nobody'"),
        (["--names", tmp_path / "nowhere.json"], "no such file"),
    ]:
        result = run(tmp_path / "runs", "--picture", picture, *wrong)
        assert result.exit_code == 1
        assert result.stderr.startswith("error: ")
        assert message in result.stderr
        assert len(result.stderr.splitlines()) == 1
        assert not picture.exists()
    assert readme.read_text(encoding="utf-8") == "no markers"


@pytest.mark.parametrize(
    ("package", "option", "what"),
    [("matplotlib", "--picture", "drawing"), ("markdown", "--html", "an HTML page")],
)
def test_without_a_package(
    package: str, option: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    two_models(tmp_path / "runs")
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    result = run(tmp_path / "runs", option, tmp_path / "out.svg")
    assert result.exit_code == 1
    assert f"{what} needs the package {package}: pip install 'spacy-selectra[plots]'" in (
        result.stderr
    )
    assert not (tmp_path / "out.svg").exists()


def test_page_without_a_picture(tmp_path: Path):
    write_old(tmp_path / "a")
    result = run(tmp_path, "--html", tmp_path / "out.html")
    assert result.exit_code == 0, result.output
    assert "No picture: nothing to plot: no measured model has" in result.stderr
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "<p>No picture: nothing to plot" in page
    assert "<svg" not in page


def test_old_files_by_the_command(tmp_path: Path):
    write_old(tmp_path / "a")
    result = run(tmp_path, "--no-published")
    assert result.exit_code == 0, result.output
    assert "| ours | 5.4 M | **0.612 ± 0.010** (2) |" in result.stdout
