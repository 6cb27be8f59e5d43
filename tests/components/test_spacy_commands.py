"""spaCy's own commands on each configuration that ships for `spacy train`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import spacy
import typer
from click.testing import CliRunner
from spacy.cli._util import app
from spacy.cli.train import train
from spacy.tokens import DocBin

from spacy_selectra.components.corpora.labelled import conll_reader, text_reader

CONFIGS = Path(__file__).parents[2] / "configs"
COMPONENTS = {"ner": "ner", "textcat": "textcat", "textcat_shared": "textcat"}
COMMAND = typer.main.get_command(app)
NAMES = pytest.mark.parametrize("name", COMPONENTS)


def run(*arguments: object) -> str:
    found = CliRunner().invoke(COMMAND, [str(one) for one in arguments], prog_name="spacy")
    assert found.exit_code == 0, (found.output, found.exc_info)
    return found.output


@pytest.fixture(scope="module")
def directory(encoder_directory, tmp_path_factory) -> Path:
    """Data, encoder, and one pipeline of each configuration after two steps."""
    place = tmp_path_factory.mktemp("commands")
    (place / "encoder").symlink_to(encoder_directory)
    for split in ("train", "dev"):
        # spaCy finds fewer than 100 documents too few
        sentences = [f"Ana B-PER\nve O\n{n} O\nbarcos O\nen O\nCádiz B-LOC\n" for n in range(101)]
        (place / f"{split}.conll").write_text("\n".join(sentences), encoding="utf-8")
        rows = [{"text": f"Texto {n}", "label": "ab"[n % 2]} for n in range(101)]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (place / f"{split}.jsonl").write_text(text, encoding="utf-8")
    nlp = spacy.blank("es")
    for reader, ending in ((conll_reader, "conll"), (text_reader, "jsonl")):
        docs = [example.reference for example in reader(place / f"dev.{ending}", limit=10)(nlp)]
        DocBin(docs=docs).to_disk(place / f"{ending}.spacy")
    (place / "texts.jsonl").write_text('{"text": "Ana"}\n{"text": "Cádiz"}\n', encoding="utf-8")
    for name in COMPONENTS:
        few = {"training.max_steps": 2, "training.eval_frequency": 2}
        pairs = overrides(place, name)
        given = {key[2:]: value for key, value in zip(pairs[::2], pairs[1::2], strict=True)}
        train(CONFIGS / f"{name}.cfg", place / name, overrides={**given, **few})
    return place


def overrides(directory: Path, name: str) -> list[str]:
    ending = "conll" if name == "ner" else "jsonl"
    values = {"train": f"train.{ending}", "dev": f"dev.{ending}"}
    values |= {"source": "ner/model-best"} if name == "textcat_shared" else {"encoder": "encoder"}
    return [
        part for key, file in values.items() for part in (f"--paths.{key}", str(directory / file))
    ]


def gold(directory: Path, name: str) -> Path:
    return directory / ("conll.spacy" if name == "ner" else "jsonl.spacy")


@NAMES
def test_debug_data(directory: Path, name: str):
    found = run("debug", "data", CONFIGS / f"{name}.cfg", *overrides(directory, name))
    assert "101 training docs" in found
    assert "2 label(s)" in found


@NAMES
def test_debug_config(directory: Path, name: str):
    found = run("debug", "config", CONFIGS / f"{name}.cfg", *overrides(directory, name))
    assert "Config is valid" in found


@NAMES
@pytest.mark.parametrize("component", ["transformer", "own"])
def test_debug_model(directory: Path, name: str, component: str):
    part = COMPONENTS[name] if component == "own" else component
    found = run("debug", "model", CONFIGS / f"{name}.cfg", part, *overrides(directory, name))
    assert "model looks good" in found


@NAMES
def test_debug_profile(directory: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)  # where spaCy leaves Profile.prof
    assert "seconds" in run(
        "debug", "profile", directory / name / "model-best", directory / "texts.jsonl"
    )


@NAMES
def test_init_fill_config(directory: Path, name: str, tmp_path: Path):
    text = (CONFIGS / f"{name}.cfg").read_text(encoding="utf-8")
    own = str(directory / "ner" / "model-best")
    base, filled = tmp_path / "base.cfg", tmp_path / "filled.cfg"
    # the command takes no overrides, and the shipped pipeline need not be installed here
    base.write_text(text.replace("es_selectra_tiny", own), encoding="utf-8")
    run("init", "fill-config", base, filled)
    run("debug", "config", filled, *overrides(directory, name))
    one, other = (spacy.util.load_config(path)["training"] for path in (base, filled))
    assert one["optimizer"]["learn_rate"] == other["optimizer"]["learn_rate"]
    assert one["max_steps"] == other["max_steps"]


@NAMES
def test_init_labels_and_assemble(directory: Path, name: str, tmp_path: Path):
    given = [CONFIGS / f"{name}.cfg", *overrides(directory, name)]
    run("init", "labels", given[0], tmp_path / "labels", *given[1:])
    file = tmp_path / "labels" / f"{COMPONENTS[name]}.json"
    reader = {"@readers": "spacy.read_labels.v1", "path": str(file)}
    config = spacy.util.load_config(CONFIGS / f"{name}.cfg")
    config["initialize"]["components"][COMPONENTS[name]] = {"labels": reader}
    config.to_disk(tmp_path / "labelled.cfg")
    run("assemble", tmp_path / "labelled.cfg", tmp_path / "assembled", *given[1:])
    labels = spacy.load(tmp_path / "assembled").pipe_labels
    assert set(labels[COMPONENTS[name]]) == ({"LOC", "PER"} if name == "ner" else {"a", "b"})


@NAMES
def test_init_nlp(directory: Path, name: str, tmp_path: Path):
    run("init", "nlp", CONFIGS / f"{name}.cfg", tmp_path / "nlp", *overrides(directory, name))
    assert "transformer" in spacy.load(tmp_path / "nlp").pipe_names


@NAMES
def test_train(directory: Path, name: str, tmp_path: Path):
    few = ["--training.max_steps", "1", "--training.eval_frequency", "1"]
    given = overrides(directory, name)
    found = run("train", CONFIGS / f"{name}.cfg", "--output", tmp_path, *given, *few)
    assert "Saved pipeline to output directory" in found


@NAMES
@pytest.mark.parametrize("command", [["evaluate"], ["benchmark", "accuracy"]])
def test_evaluate(directory: Path, name: str, command: list[str], tmp_path: Path):
    files = [directory / name / "model-best", gold(directory, name)]
    run(*command, *files, "--output", tmp_path / "scores.json")
    scores = json.loads((tmp_path / "scores.json").read_text("utf-8"))
    assert 0 <= scores["ents_f" if name == "ner" else "cats_score"] <= 1


@NAMES
def test_benchmark_speed(directory: Path, name: str):
    files = [directory / name / "model-best", gold(directory, name)]
    found = run("benchmark", "speed", *files, "--batches", 30, "--warmup", 0, "--batch-size", 1)
    assert "Mean:" in found


@NAMES
def test_apply(directory: Path, name: str, tmp_path: Path):
    run("apply", directory / name / "model-best", directory / "texts.jsonl", tmp_path / "out.spacy")
    docs = list(DocBin().from_disk(tmp_path / "out.spacy").get_docs(spacy.blank("es").vocab))
    assert [doc.text for doc in docs] == ["Ana", "Cádiz"]
    assert all(set(doc.cats) == ({"a", "b"} if name != "ner" else set()) for doc in docs)


@pytest.mark.parametrize("name", ["textcat", "textcat_shared"])
def test_find_threshold(directory: Path, name: str):
    files = [directory / name / "model-best", gold(directory, name)]
    found = run("find-threshold", *files, "textcat", "threshold", "cats_macro_f", "--n_trials", 2)
    assert "Threshold" in found


@NAMES
def test_package(directory: Path, name: str, tmp_path: Path):
    packed = ["--build", "none", "--name", "probe"]
    run("package", directory / name / "model-best", tmp_path, *packed)
    (setup,) = tmp_path.glob("*/setup.py")
    meta = json.loads((setup.parent / "meta.json").read_text("utf-8"))
    assert any(item.startswith("spacy-selectra") for item in meta["requirements"])


@NAMES
def test_trained_again(directory: Path, name: str):
    """A pipeline on disk makes its own optimizer, from the configuration it was saved with."""
    nlp = spacy.load(directory / name / "model-best")
    optimizer = nlp.resume_training()
    assert optimizer.learn_rate >= 0


def test_a_label_of_the_development_file_alone(directory: Path, tmp_path: Path):
    (tmp_path / "dev.jsonl").write_text('{"text": "Texto", "label": "c"}\n', encoding="utf-8")
    given = ["--paths.train", directory / "train.jsonl", "--paths.encoder", directory / "encoder"]
    given += ["--paths.dev", tmp_path / "dev.jsonl", "--training.max_steps", 1]
    arguments = ["train", str(CONFIGS / "textcat.cfg"), *map(str, given)]
    found = CliRunner().invoke(COMMAND, arguments, prog_name="spacy")
    assert found.exit_code == 1
    assert "dev.jsonl, line 1: label 'c' is not one of the labels seen in training: a, b" in str(
        found.exception
    )
