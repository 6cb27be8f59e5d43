"""project.yml: steps fit together, commands and settings exist, and a second run skips all."""

import json
import shlex
import shutil
from functools import reduce
from itertools import pairwise
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
import srsly
from spacy.util import load_config
from typer.main import get_command
from weasel.cli.run import project_run
from weasel.util import load_project_config

import spacy_selectra
from spacy_selectra.cli.app import app
from spacy_selectra.cli.options import parse_overrides
from spacy_selectra.finetuning.config import read_settings as finetuning_settings
from spacy_selectra.finetuning.tasks.registry import task_spec
from spacy_selectra.pretraining.config import read_settings as pretraining_settings

ROOT = Path(__file__).parents[1]
RAW: dict[str, Any] = dict(srsly.read_yaml(ROOT / "project.yml"))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> dict[str, Any]:
    """The project with its variables filled in."""
    directory = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "project.yml", directory)
    return load_project_config(directory)


@pytest.fixture(scope="module")
def steps(project) -> list[dict[str, Any]]:
    """The commands of the workflow `all`, in order."""
    commands = {command["name"]: command for command in project["commands"]}
    return [commands[name] for name in project["workflows"]["all"]]


@pytest.fixture(scope="module")
def release(project) -> list[dict[str, Any]]:
    """The commands of the workflow `release`, in order."""
    commands = {command["name"]: command for command in project["commands"]}
    return [commands[name] for name in project["workflows"]["release"]]


@pytest.fixture(scope="module")
def small(project) -> list[dict[str, Any]]:
    """The commands of the workflow `small`, in order."""
    commands = {command["name"]: command for command in project["commands"]}
    return [commands[name] for name in project["workflows"]["small"]]


def outputs(command: dict[str, Any]) -> list[str]:
    return [*command.get("outputs", []), *command.get("outputs_no_cache", [])]


def scripts(steps: list[dict[str, Any]], *start: str) -> list[list[str]]:
    """Arguments of the script lines that begin with `python -m spacy` and these words."""
    lines = [shlex.split(line) for step in steps for line in step["script"]]
    begin = ["python", "-m", "spacy", *start]
    return [line[len(begin) :] for line in lines if line[: len(begin)] == begin]


def test_variables_do_not_run_together(project):
    for raw, filled in zip(RAW["commands"], project["commands"], strict=True):
        for key, values in raw.items():
            if isinstance(values, list):
                assert len(filled[key]) == len(values), f"{raw['name']}: {key}"
    text = json.dumps(project["commands"])
    assert "${" not in text


def test_every_dependency_is_there_or_made_before(steps):
    made: set[str] = set()
    for step in steps:
        assert step["deps"], step["name"]
        assert outputs(step), step["name"]
        for path in step["deps"]:
            assert path in made or (ROOT / path).exists(), f"{step['name']}: {path}"
            assert not set(outputs(step)) & {path}, f"{step['name']}: {path} is both"
        assert not made & set(outputs(step)), f"{step['name']}: made twice"
        made |= set(outputs(step))


def test_no_shell_is_needed(project):
    for command in project["commands"]:
        for line in command["script"]:
            assert line.startswith(("python -m ", "python assets/", "python benchmarks/")), line
            assert not set("|<>;*`$") & set(line.replace(">=", "")), line
            assert "&&" not in line


@pytest.mark.parametrize("workflow", ["steps", "release", "small"])
def test_selectra_commands_and_options_exist(workflow, request):
    steps = request.getfixturevalue(workflow)
    lines = scripts(steps, "selectra")
    assert len(lines) >= len(steps) - 2
    for arguments in lines:
        command: Any = get_command(app)
        context = command.make_context("selectra", list(arguments))
        while hasattr(command, "commands"):  # down to the command itself, without running it
            rest = [*context._protected_args, *context.args]
            name, command, rest = command.resolve_command(context, rest)
            context = command.make_context(name, rest, parent=context)
        for extra in context.args:
            assert not extra.startswith("--") or "." in extra, f"{context.info_name}: {extra}"


def test_settings_given_to_spacy_train_exist(steps, release, small):
    lines = scripts([*steps, *release, *small], "train")
    assert len(lines) == 4
    for path, *options in lines:
        config = load_config(ROOT / path)
        for name in (option[2:] for option in options if option.startswith("--")):
            if "." in name:
                *sections, key = name.split(".")
                if sections[-1] == "repeats" or key == "repeats":
                    continue  # a mapping by sources
                assert key in reduce(getitem, sections, config), f"{path}: {name}"


def test_learning_rates_end_with_the_training(steps, release, small):
    """spaCy resolves an optimizer by itself, so its steps cannot refer to another section."""
    rates = [f"training.optimizer.{rate}.total_steps" for rate in ("learn_rate", "head_learn_rate")]
    for path in ("configs/ner.cfg", "configs/textcat.cfg", "configs/textcat_shared.cfg"):
        config = load_config(ROOT / path)
        found: list[Any] = [reduce(getitem, name.split("."), config) for name in rates]
        assert found == [config["training"]["max_steps"]] * len(rates), path
    for path, *options in scripts([*steps, *release, *small], "train"):
        given = dict(pairwise(options))
        steps_of_rates = {given[f"--{name}"] for name in rates}
        assert steps_of_rates == {given["--training.max_steps"]}, path


def test_settings_given_to_our_commands_are_valid(steps):
    (pretrain,) = scripts(steps, "selectra", "pretrain")
    overrides = parse_overrides(pretrain[pretrain.index("--encoder.preset") :])
    settings = pretraining_settings(ROOT / pretrain[0], overrides)
    assert settings.encoder.preset == RAW["vars"]["size"]
    assert settings.training.max_seconds == RAW["vars"]["seconds"]
    assert not scripts(steps, "selectra", "finetune")


def test_settings_of_the_entailment_model_are_valid(project):
    (step,) = (command for command in project["commands"] if command["name"] == "entailment")
    (finetune,) = scripts([step], "selectra", "finetune")
    overrides = parse_overrides(finetune[finetune.index("--encoder.path") :])
    assert finetuning_settings(ROOT / finetune[0], overrides).data.name == "sample"


def test_labels_that_are_measured_are_not_trained_as_labels(project):
    """Zero-shot topics of the sample are words the matching model never had as labels."""
    given = project["vars"]
    trained, measured = (
        {json.loads(line)["label"] for line in (ROOT / given[name]).read_text("utf-8").splitlines()}
        for name in ("labelled", "topics_test")
    )
    assert len(trained) > 5
    assert not {word.lower() for label in trained for word in label.split()} & {
        word.lower() for label in measured for word in label.split()
    }


@pytest.mark.parametrize("workflow", ["release", "small"])
def test_shipped_pipelines_need_only_assets(workflow, project, request):
    release = request.getfixturevalue(workflow)
    assets = {asset["dest"] for asset in project["assets"]}
    names = [name for name in project["vars"] if name.startswith(("release_", "small_"))]
    given = {project["vars"][name] for name in names}
    made: set[str] = set()
    for step in release:
        for path in step["deps"]:
            known = path in made | assets | given or (ROOT / path).exists()
            assert known, f"{step['name']}: {path}"
        made |= set(outputs(step))
    read = {word for line in scripts(release) for word in line if word.startswith("training/")}
    ends = ("/best", "/model-best")
    parts = {path.removesuffix("/model-best") if workflow == "small" else path for path in read}
    assert {path for path in parts if path.endswith(ends)} <= made


def test_settings_of_the_release_are_valid(release, small):
    found = []
    assert not list(scripts(small, "selectra", "pretrain"))  # its encoder is a published one
    for path, *options in scripts(release, "selectra", "pretrain"):
        begin = next(i for i in range(len(options)) if "." in options[i] and "--" in options[i])
        settings = pretraining_settings(ROOT / path, parse_overrides(options[begin:]))
        found.append(settings.training.max_seconds)
    assert found == [RAW["vars"]["release_seconds"]]
    for path, *arguments in scripts(release, "selectra", "finetune"):
        begin = next(place for place, word in enumerate(arguments) if "." in word and "--" in word)
        settings = finetuning_settings(ROOT / path, parse_overrides(arguments[begin:]))
        assert task_spec(settings.task.name).name == settings.task.name


def test_budget_without_limit(tmp_path):
    shutil.copy(ROOT / "project.yml", tmp_path)
    project = load_project_config(tmp_path, overrides={"vars.seconds": None})
    (step,) = (command for command in project["commands"] if command["name"] == "pretrain")
    (pretrain,) = scripts([step], "selectra", "pretrain")
    overrides = parse_overrides(pretrain[pretrain.index("--encoder.preset") :])
    assert pretraining_settings(ROOT / pretrain[0], overrides).training.max_seconds is None


def test_version_and_name_of_the_wheel(project):
    assert project["vars"]["version"] == spacy_selectra.__version__
    wheel = f"packages/es_selectra_tiny-{spacy_selectra.__version__}-py3-none-any.whl"
    (package,) = (c for c in project["commands"] if c["name"] == "package")
    assert outputs(package) == [wheel]


def test_sentences_it_is_tried_on_are_in_no_sample_file(steps):
    (arguments,) = scripts(steps, "selectra", "package", "try")
    texts = [value for name, value in pairwise(arguments) if name == "--text"]
    assert len(texts) >= 3
    for path in (ROOT / "assets" / "sample").rglob("*.*"):
        content = path.read_text("utf-8")
        assert not [text for text in texts if text in content], path


def test_assets_are_extra_and_come_over_https(project):
    found = {Path(asset["dest"]).parts[1] for asset in project["assets"]}
    assert found == {"conll2002", "ancora", "xnli", "pawsx", "pos", "sts", "topics", "questions"}
    assert all(asset["extra"] for asset in project["assets"])
    assert all(asset["url"].startswith("https://") for asset in project["assets"])


def test_benchmark_reads_assets_and_fills_the_row_its_table_prints(project):
    commands = {command["name"]: command for command in project["commands"]}
    names = project["workflows"]["benchmark"]
    assert names[-1] == "table"
    assets = {asset["dest"] for asset in project["assets"]}
    unpacked = tuple(f"{path}/" for path in outputs(commands["unpack"]))
    for name in names[:-1]:
        command = commands[name]
        ((config, out, *options),) = scripts([command], "selectra", "finetune")
        overrides = parse_overrides(options[options.index("--task.name") :])
        settings = finetuning_settings(ROOT / config, overrides)
        files = [str(getattr(settings.data, split)) for split in ("train", "dev", "test")]
        assert set(command["deps"]) == {config, *files}
        assert all(file in assets or file.startswith(unpacked) for file in files), files
        assert outputs(command) == [f"{out}/metrics.json"]
        assert out.startswith("training/benchmark/")
        assert task_spec(settings.task.name).name == settings.data.name
    ((directory, *_),) = scripts([commands["table"]], "selectra", "report")
    assert directory == "training/benchmark"


@pytest.fixture
def imitation(project, tmp_path, monkeypatch) -> Path:
    """The project with scripts that only note that they ran and write their outputs."""
    commands = []
    for command in project["commands"]:
        script = [shlex.join(["imitate", command["name"], *outputs(command)])]
        commands.append({**command, "script": script})
        for path in command.get("deps", []):
            if (ROOT / path).is_file():
                (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / path, tmp_path / path)
    (tmp_path / "salt").write_text("")
    imitated = {"workflows": project["workflows"], "commands": commands}
    # read once: YAML is slow, and weasel reads it anew for every step
    monkeypatch.setattr("weasel.cli.run.load_project_config", lambda *_, **__: imitated)

    def imitate(command: list[str], capture: bool) -> None:
        _, name, *paths = command
        with (tmp_path / "ran.txt").open("a") as log:
            log.write(f"{name} ")
        for path in map(tmp_path.joinpath, paths):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name + (tmp_path / "salt").read_text())

    monkeypatch.setattr("weasel.cli.run.run_command", imitate)
    return tmp_path


def ran(directory: Path) -> list[str]:
    """Steps that really ran in a run of `all`."""
    log = directory / "ran.txt"
    log.unlink(missing_ok=True)
    project_run(directory, "all")
    return log.read_text().split() if log.exists() else []


def test_second_run_skips_every_step(project, imitation):
    assert ran(imitation) == project["workflows"]["all"]
    assert ran(imitation) == []


@pytest.mark.parametrize(
    ("changed", "first"),
    [
        ("assets/sample/text/train.txt", "vocabulary"),
        ("assets/sample/ner/train.conll", "ner"),
        ("assets/sample/genres/train.jsonl", "matching"),
        ("configs/package.yml", "assemble"),
        ("assets/sample/topics/test.jsonl", "evaluate"),
    ],
)
def test_a_changed_file_runs_what_depends_on_it(project, imitation, changed, first):
    ran(imitation)
    (imitation / changed).write_text("changed", "utf-8")
    (imitation / "salt").write_text("other")  # so that outputs change too
    again = ran(imitation)
    names = project["workflows"]["all"]
    assert again[0] == first
    assert set(again) <= set(names[names.index(first) :])
    assert again[-1] == "try"


def test_a_deleted_output_is_made_again(imitation):
    ran(imitation)
    (imitation / "training/tiny/ner/model-best").unlink()
    assert ran(imitation)[0] == "ner"
