"""Wheels of a pipeline and of this library, built offline with setuptools alone.

`spacy package` lays the package out; its own wheel step is not used, because it
starts an isolated build that needs a package index.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import spacy_selectra
from spacy_selectra.errors import SelectraError
from spacy_selectra.packaging.card import model_card
from spacy_selectra.util.files import atomic_file, read_json, write_json, write_text

# 1980-01-01, the first date a zip file can hold: equal input gives an equal wheel.
_ZIP_EPOCH = "315532800"
# The first that reads `license = "MIT"`, as pyproject.toml's [build-system] says too.
_SETUPTOOLS = 77
_BUILD = """
import sys
from setuptools import build_meta
backend = build_meta.__legacy__ if sys.argv[1] == "setup.py" else build_meta
backend.build_wheel(sys.argv[2])
"""


def build_pipeline_wheel(
    pipeline: str | Path,
    output: str | Path,
    metrics: Mapping[str, Any] | None = None,
    comparison: str = "",
) -> Path:
    """Build `<lang>_<name>-<version>-py3-none-any.whl` from a pipeline directory.

    Args:
        pipeline: directory written by `assemble`; it is not changed.
        output: directory the wheel is put into.
        metrics: measured scores (`evaluate_pipeline`), written into the package's
            `meta.json` and its model card.
        comparison: table of encoders for the model card, in Markdown.

    Returns:
        Path of the wheel.

    Raises:
        SelectraError: no pipeline there, or the build failed.
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
    """Build the wheel of spacy-selectra itself, from the sources it is running from.

    Raises:
        SelectraError: the library runs from an installed wheel, so that there are no sources, or
            setuptools is too old to read its pyproject.toml.
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
        # A copy, because setuptools leaves build/ and *.egg-info in the source tree and
        # takes stale files from them.
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
            f"building this library's wheel needs setuptools {_SETUPTOOLS} or later, this "
            f"environment has {found or 'none'}: pip install -U setuptools"
        )


def _build(source: Path, output: Path, described_by: str) -> Path:
    """Run setuptools in `source`, which is described by a setup.py or a pyproject.toml."""
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
