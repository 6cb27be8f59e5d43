"""The plan of the house: light imports, imports that point down only, entry points that load."""

import ast
import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

import spacy_selectra

ROOT = Path(spacy_selectra.__file__).parent
# What each folder may import of ours, beside itself and errors.py.
BELOW: dict[str, set[str]] = {
    "util": set(),
    "text": {"util"},
    "corpus": {"util", "text"},
    "encoder": {"util", "text"},
    "pretraining": {"util", "text", "corpus", "encoder"},
    "finetuning": {"util", "text", "corpus", "encoder"},
    "matching": {"util", "text", "encoder"},
    "components": {"util", "text", "corpus", "encoder", "finetuning", "matching"},
    "serving": {"util", "text", "corpus", "finetuning", "components"},
    "packaging": {
        *("util", "text", "corpus", "encoder", "pretraining", "finetuning", "matching"),
        *("components", "serving"),
    },
}
BELOW["cli"] = set(BELOW)
MOST_FILES = 14  # of a folder, __init__.py among them
WITHOUT_SPACY = ("util", "text", "corpus", "encoder", "pretraining", "finetuning", "matching")
MODULES = sorted(ROOT.rglob("*.py"))
OURS = list(distribution("spacy-selectra").entry_points)


def imported_modules(path: Path, top_level_only: bool = False) -> set[str]:
    """Dotted names of all modules imported by a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("folder", BELOW)
def test_imports_point_down_only(folder):
    allowed = BELOW[folder] | {"errors", folder}
    for path in (ROOT / folder).glob("**/*.py"):
        for name in imported_modules(path):
            part = name.removeprefix("spacy_selectra.").split(".")[0]
            if name.startswith("spacy_selectra.") and (ROOT / part).exists():
                assert part in allowed, f"{path} imports {name}"


def test_no_two_modules_import_each_other():
    graph = {}
    for path in MODULES:
        name = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
        graph[name.removesuffix(".__init__")] = imported_modules(path, top_level_only=True)
    left = {name: names & set(graph) - {name} for name, names in graph.items()}
    while free := [name for name, names in left.items() if not names & set(left)]:
        for name in free:
            del left[name]
    assert not left, f"in a circle, or above one: {sorted(left)}"


def test_folders_stay_small_and_say_what_they_hold():
    for folder in {path.parent for path in MODULES}:
        files = list(folder.glob("*.py"))
        assert len(files) <= MOST_FILES, f"{folder} has {len(files)} files"
        assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text())), folder


@pytest.mark.parametrize("folder", WITHOUT_SPACY)
def test_lower_floors_know_nothing_of_spacy(folder):
    for path in (ROOT / folder).glob("**/*.py"):
        packages = {name.split(".")[0] for name in imported_modules(path)}
        assert not packages & {"spacy", "spacy_transformers"}, path


def test_commands_import_heavy_packages_only_when_they_run():
    heavy = {"torch", "transformers", "datasets", "tokenizers", "numpy", "pyarrow"}
    for path in (ROOT / "cli").glob("*.py"):
        packages = {name.split(".")[0] for name in imported_modules(path, top_level_only=True)}
        assert not packages & heavy, path


def test_no_pickle_in_the_package():
    for path in MODULES:
        packages = {name.split(".")[0] for name in imported_modules(path)}
        assert not packages & {"pickle", "dill", "cloudpickle", "joblib"}, path


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import spacy_selectra", ["torch", "spacy", "transformers", "numpy"]),
        ("import spacy_selectra.cli.app", ["torch", "spacy", "transformers", "datasets"]),
        ("import spacy_selectra.cli.spacy_plugin", ["transformers", "datasets", "tokenizers"]),
        ("import spacy_selectra.encoder.hub", ["spacy"]),
    ],
)
def test_imports_stay_light(statement, absent):
    code = f"import sys; {statement}; print([m for m in {absent!r} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr


def extra_packages():
    """Modules of the packages that only extras install, but for developers'."""
    modules = {"scikit-learn": "sklearn"}
    for line in distribution("spacy-selectra").requires or ():
        if found := re.match(r"([\w-]+).*; .*extra == .(\w+).$", line):
            name, extra = found.groups()
            if extra not in ("dev", "docs") and name != "spacy-selectra":
                yield modules.get(name, name.replace("-", "_"))


def test_nothing_of_the_extras_is_imported_unasked():
    extras = set(extra_packages())
    assert {"datasets", "fastapi", "ray", "sklearn", "tensorboard", "matplotlib"} <= extras
    code = "import sys; import spacy_selectra.cli.app; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "spacy_selectra" in result.stdout, result.stderr
    assert not extras & set(result.stdout.split())


LIGHT = """
import sys, spacy
nlp = spacy.blank("es")
for factory in ("selectra_zero_shot", "selectra_replaced"):
    nlp.add_pipe(factory)
ours = [name for name in sys.modules if name.startswith("spacy_selectra.")]
below = [name for name in ours if name.split(".")[1] in ("encoder", "corpus", "finetuning")]
print([name for name in below if hasattr(sys.modules[name], "torch")], "datasets" in sys.modules)
"""


def test_a_pipeline_without_models_imports_no_networks():
    result = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True)
    assert result.stdout.strip() == "[] False", result.stderr


def test_public_names_load():
    for name in spacy_selectra.__all__:
        assert getattr(spacy_selectra, name).__name__ == name
    with pytest.raises(AttributeError, match="no_such_name"):
        spacy_selectra.no_such_name  # noqa: B018


def test_entry_points_of_the_contract_are_there():
    names = {entry.name for entry in OURS}
    assert {"selectra", "selectra_zero_shot", "selectra_replaced"} <= names
    assert "spacy-selectra.SelectraModel.v1" in names
    assert len(names) == len(OURS) - 1  # `selectra` is a script and a spacy command


@pytest.mark.parametrize("entry", OURS, ids=lambda entry: f"{entry.group}:{entry.name}")
def test_entry_point_loads(entry):
    assert callable(entry.load())


@pytest.mark.parametrize(
    "entry",
    [entry for entry in OURS if entry.group not in ("spacy_cli", "console_scripts")],
    ids=lambda entry: f"{entry.group}:{entry.name}",
)
def test_registered_functions_have_annotations_that_confection_can_read(entry):
    """As strings they would check nothing: a wrong setting would fail far from its cause."""
    annotations = entry.load().__annotations__
    postponed = [name for name, kind in annotations.items() if isinstance(kind, str)]
    assert set(postponed) <= {"return"}  # quoted where the class is only imported when it is made
