"""`spacy-selectra.requirements.v1`: what a pipeline needs to run, nothing of its past."""

# No postponed annotations here: confection reads those of registered functions at run time.

import re
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, requires
from typing import Any

from spacy.language import Language

from spacy_selectra import __version__

# What a pipeline imports when it is loaded.
RUNTIME = ("spacy", "spacy-transformers", "transformers", "tokenizers", "torch", "safetensors")

_NAME = re.compile(r"[A-Za-z0-9._-]+")


def requirements_callback(remove_paths: bool = True) -> Callable[[Language], Language]:
    """A callback for `[training.before_to_disk]` or `[nlp.after_pipeline_creation]`.

    It writes `meta["requirements"]`, which `spacy package` turns into the dependencies of
    the wheel: the ranges of versions our own package declares, not just the version that
    happens to be installed.

    Args:
        remove_paths: also clear, in the configuration that is saved, the `name` the encoder
            was read from and all of `[paths]`. A trained pipeline needs none of them, and
            they mean nothing on another machine. Not for `after_pipeline_creation`, where
            training still needs them.
    """

    def add(nlp: Language) -> Language:
        listed = [item for item in nlp.meta.get("requirements", []) if _name(item) not in _ours()]
        nlp.meta["requirements"] = [*listed, *runtime_requirements()]
        if remove_paths:
            _remove_paths(nlp)
        return nlp

    return add


def runtime_requirements() -> list[str]:
    """Ranges for `RUNTIME` as our package's metadata declares them, and for ourselves.

    Ourselves: from the running version up to the next one that may break things (the next
    minor version before 1.0, as semantic versioning has it).
    """
    try:
        declared = requires("spacy-selectra") or []
    except PackageNotFoundError:  # run from a source tree that is not installed
        declared = []
    by_name = {_name(item): item for item in declared if ";" not in item}
    major, minor = (int(part) for part in __version__.split(".")[:2])
    limit = f"{major}.{minor + 1}.0" if major == 0 else f"{major + 1}.0.0"
    return [
        f"spacy-selectra>={__version__},<{limit}",
        *(_compact(by_name[name]) for name in RUNTIME if name in by_name),
    ]


def _ours() -> set[str]:
    return {"spacy-selectra", *RUNTIME}


def _name(requirement: str) -> str:
    found = _NAME.match(requirement)
    return found.group().lower().replace("_", "-") if found else requirement


def _compact(requirement: str) -> str:
    return requirement.replace(" ", "").replace("(", "").replace(")", "")


def _remove_paths(nlp: Language) -> None:
    config = nlp.config
    for name in config.get("paths", {}):
        config["paths"][name] = None
    for component in config.get("components", {}).values():
        _remove_names(component)
    nlp.config = config


def _remove_names(block: Any) -> None:
    if not isinstance(block, dict):
        return
    if block.get("@architectures") == "spacy-selectra.SelectraModel.v1":
        block["name"] = None
    for value in block.values():
        _remove_names(value)
