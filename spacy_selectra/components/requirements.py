"""`spacy-selectra.requirements.v1`: dependencies of a pipeline in its metadata, without paths."""
# No postponed annotations: confection reads those of registered functions at run time.

import re
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, requires
from typing import Any

from spacy.language import Language

from spacy_selectra import __version__

# Packages imported when a pipeline is loaded.
RUNTIME = ("spacy", "spacy-transformers", "transformers", "tokenizers", "torch", "safetensors")

_NAME = re.compile(r"[A-Za-z0-9._-]+")


def requirements_callback(remove_paths: bool = True) -> Callable[[Language], Language]:
    """A callback for `[training.before_to_disk]` or `[nlp.after_pipeline_creation]`.

    It sets `meta["requirements"]`, which `spacy package` uses as dependencies of the wheel: the
    version ranges declared by our package instead of the installed version.

    Args:
        remove_paths: also clear the encoder's `name` and all of `[paths]` in the saved
            configuration. A trained pipeline does not need them, and they are invalid on other
            machines. Use False in `after_pipeline_creation`, since training needs them.
    """

    def add(nlp: Language) -> Language:
        listed = [item for item in nlp.meta.get("requirements", []) if _name(item) not in _ours()]
        nlp.meta["requirements"] = [*listed, *runtime_requirements()]
        if remove_paths:
            _remove_paths(nlp)
        return nlp

    return add


def runtime_requirements() -> list[str]:
    """Version ranges for `RUNTIME` from our package's metadata, and for our package.

    The latter is from the running version to the next with breaking changes (before 1.0 the next
    minor version, as in semantic versioning).
    """
    try:
        declared = requires("spacy-selectra") or []
    except PackageNotFoundError:  # a source tree that is not installed
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
