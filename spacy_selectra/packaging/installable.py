"""A directory that `pip install ./DIRECTORY` installs a finished wheel from, without building."""

from __future__ import annotations

import zipfile
from pathlib import Path

from spacy_selectra.errors import SelectraError
from spacy_selectra.util.files import write_text

_PROJECT = """\
# Lets `pip install` take this directory: the wheel beside this file is installed as it is.
[build-system]
requires = []
build-backend = "finished_wheel"
backend-path = ["."]
"""
_BACKEND = '''\
"""Build backend (PEP 517) that hands out the wheel lying beside it."""

import shutil
from pathlib import Path


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    (wheel,) = Path(__file__).parent.glob("@-*.whl")
    shutil.copyfile(wheel, Path(wheel_directory) / wheel.name)
    return wheel.name


def build_sdist(sdist_directory, config_settings=None):
    raise NotImplementedError("only the wheel is distributed")
'''


def make_installable(wheel: str | Path) -> None:
    """Write beside a pipeline's wheel what pip needs to install the directory, and its model card.

    Wheels of the same package in other versions are removed, since a directory installs one.

    Raises:
        SelectraError: the wheel has no model card, or the directory is another project's.
    """
    wheel = Path(wheel)
    directory, package = wheel.parent, wheel.name.split("-")[0]
    _check_directory(directory, package)
    write_text(directory / "README.md", card_of(wheel))
    write_text(directory / "finished_wheel.py", _BACKEND.replace("@", package))
    write_text(directory / "pyproject.toml", _PROJECT)
    for other in directory.glob(f"{package}-*.whl"):
        if other.name != wheel.name:
            other.unlink()


def card_of(wheel: str | Path) -> str:
    """The model card in a wheel that `build_pipeline_wheel` made.

    Raises:
        SelectraError: there is none.
    """
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith("/README.md")]
        if not names:
            raise SelectraError(f"{wheel}: has no model card")
        # that of the pipeline's data lies deepest
        return archive.read(max(names, key=lambda name: name.count("/"))).decode("utf-8")


def _check_directory(directory: Path, package: str) -> None:
    """See that nothing else lives there that would be written over."""
    project = directory / "pyproject.toml"
    wheels = sorted(path.name for path in directory.glob("*.whl"))
    found = [name for name in wheels if name.split("-")[0] != package]
    if project.is_file() and project.read_text(encoding="utf-8") != _PROJECT:
        found = ["another project (pyproject.toml)"]
    if found:
        raise SelectraError(
            f"{directory}: holds {found[0]}; give the package a directory of its own"
        )
