"""Building wheels of a pipeline and of this library offline, with setuptools only.

`spacy package` creates the files of the package. Its own wheel step is not used, because it is an
isolated build, which needs a package index.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import spacy_selectra
from spacy_selectra.errors import SelectraError
from spacy_selectra.packaging.card import model_card
from spacy_selectra.util.files import atomic_file, read_json, write_json, write_text

# 1980-01-01, the earliest date in a zip file, so that equal input gives an equal wheel.
_ZIP_EPOCH = "315532800"
# The first version with `license = "MIT"`, as in [build-system] of pyproject.toml.
_SETUPTOOLS = 77
_BUILD = """
import sys
from setuptools import build_meta
backend = build_meta.__legacy__ if sys.argv[1] == "setup.py" else build_meta
backend.build_wheel(sys.argv[2])
"""
# pip can install a directory with a wheel, these two files and the wheel's model card.
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


def build_pipeline_wheel(
    pipeline: str | Path,
    output: str | Path,
    metrics: Mapping[str, Any] | None = None,
    comparison: str = "",
) -> Path:
    """Build `<lang>_<name>-<version>-py3-none-any.whl` from a pipeline directory.

    Args:
        pipeline: directory written by `assemble`; it is not changed.
        output: directory for the wheel.
        metrics: scores of `evaluate_pipeline`, for the package's `meta.json` and model card.
        comparison: table of encoders for the model card, in Markdown.

    Returns:
        Path of the wheel.

    Raises:
        SelectraError: there is no pipeline, or the build failed.
    """
    from spacy.cli.package import package

    pipeline = Path(pipeline)
    if not (pipeline / "meta.json").is_file():
        raise SelectraError(f"{pipeline}: not a pipeline directory (no meta.json)")
    with tempfile.TemporaryDirectory(prefix="selectra-wheel-") as scratch:
        staged = Path(scratch) / "pipeline"
        shutil.copytree(pipeline, staged)
        meta = read_json(staged / "meta.json")
        if metrics:
            meta["performance"] = dict(metrics)
            write_json(staged / "meta.json", meta)
        write_text(staged / "README.md", model_card(meta, comparison))
        layout = Path(scratch) / "layout"
        layout.mkdir()
        package(staged, layout, create_sdist=False, create_wheel=False, silent=True)
        root = layout / f"{meta['lang']}_{meta['name']}-{meta['version']}"
        return _build(root, Path(output), described_by="setup.py")


def build_library_wheel(output: str | Path) -> Path:
    """Build the wheel of spacy-selectra itself, from the sources that are running.

    Raises:
        SelectraError: the library is installed from a wheel, without its sources, or setuptools
            is too old for its pyproject.toml.
    """
    package_directory = Path(spacy_selectra.__file__).parent
    root = package_directory.parent
    if not (root / "pyproject.toml").is_file():
        raise SelectraError(
            f"{root}: no pyproject.toml, so this library's wheel cannot be built from here; "
            f"get it with: pip download --no-deps spacy-selectra=={spacy_selectra.__version__}"
        )
    _check_setuptools()
    with tempfile.TemporaryDirectory(prefix="selectra-wheel-") as scratch:
        # A copy, because setuptools leaves build/ and *.egg-info in the source tree and would
        # reuse outdated files there.
        staged = Path(scratch) / "source"
        shutil.copytree(
            package_directory,
            staged / package_directory.name,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            if (root / name).is_file():
                shutil.copy(root / name, staged / name)
        return _build(staged, Path(output), described_by="pyproject.toml")


def _check_setuptools() -> None:
    try:
        found = version("setuptools")
    except PackageNotFoundError:
        found = None
    if found is None or int(found.split(".")[0]) < _SETUPTOOLS:
        raise SelectraError(
            f"building this library's wheel needs setuptools {_SETUPTOOLS} or later, but this "
            f"environment has {found or 'none'}: pip install -U setuptools"
        )


def _build(source: Path, output: Path, described_by: str) -> Path:
    """Run setuptools in `source`, which has a setup.py or a pyproject.toml."""
    built = source / "built"
    built.mkdir()
    result = subprocess.run(
        [sys.executable, "-c", _BUILD, described_by, str(built)],
        cwd=source,
        env={**os.environ, "SOURCE_DATE_EPOCH": _ZIP_EPOCH},
        capture_output=True,
        text=True,
    )
    wheels = list(built.glob("*.whl"))
    if result.returncode != 0 or len(wheels) != 1:
        reason = (result.stderr.strip().splitlines() or ["no wheel was written"])[-1]
        raise SelectraError(f"building a wheel from {source.name} failed: {reason}")
    target = output / wheels[0].name
    with atomic_file(target) as temporary:
        shutil.copyfile(wheels[0], temporary)
    return target


def make_installable(wheel: str | Path) -> None:
    """Make the directory of a pipeline's wheel installable by pip, and add the model card.

    Wheels of other versions of the package are deleted, as there can be only one.

    Raises:
        SelectraError: the wheel has no model card, or the directory belongs to another project.
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
    """The model card in a wheel written by `build_pipeline_wheel`.

    Raises:
        SelectraError: there is none.
    """
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith("/README.md")]
        if not names:
            raise SelectraError(f"{wheel}: has no model card")
        # the deepest README.md is that of the pipeline's data
        return archive.read(max(names, key=lambda name: name.count("/"))).decode("utf-8")


def _check_directory(directory: Path, package: str) -> None:
    """Check that the directory has no files of others that would be overwritten."""
    project = directory / "pyproject.toml"
    wheels = sorted(path.name for path in directory.glob("*.whl"))
    found = [name for name in wheels if name.split("-")[0] != package]
    if project.is_file() and project.read_text(encoding="utf-8") != _PROJECT:
        found = ["another project (pyproject.toml)"]
    if found:
        raise SelectraError(f"{directory}: has {found[0]}; use a directory for this package only")
