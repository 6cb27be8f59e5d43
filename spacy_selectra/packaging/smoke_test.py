"""Smoke test of a pipeline wheel as for a user: installed, offline, in an empty folder."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spacy_selectra import __version__
from spacy_selectra.errors import SelectraError
from spacy_selectra.packaging.wheel import build_library_wheel


def library_wheel(wheel: str | Path, scratch: str | Path) -> Path:
    """The wheel of this library next to a pipeline's wheel, or else one built into `scratch`.

    Raises:
        SelectraError: there is none, and this library is installed without its sources.
    """
    found = Path(wheel).parent / f"spacy_selectra-{__version__}-py3-none-any.whl"
    return found if found.is_file() else build_library_wheel(scratch)


def try_wheel(
    wheel: str | Path,
    library: str | Path | None,
    texts: Sequence[str],
    labels: Sequence[str] = (),
) -> dict[str, Any]:
    """Install two wheels into a new virtual environment and annotate texts there.

    The environment shares only the installed dependencies of this one. The pipeline is loaded in
    an empty directory, offline and with an empty cache of the Hugging Face Hub, so that everything
    must come from the wheels.

    Args:
        wheel: pipeline wheel.
        library: wheel of spacy-selectra; None for that of `library_wheel`.
        texts: texts to annotate.
        labels: zero-shot labels.

    Returns:
        `package`, `version`, `load_seconds` and `docs`: a record per text as in `annotate`, and
        `words`, pairs of word and probability that it was replaced.

    Raises:
        SelectraError: a wheel is missing, cannot be installed or cannot be loaded.
    """
    for path in (wheel, library):
        if path is not None and not Path(path).is_file():
            raise SelectraError(f"{path}: no such wheel")
    package = Path(wheel).name.split("-")[0]
    with tempfile.TemporaryDirectory(prefix="selectra-try-") as scratch:
        library = library or library_wheel(wheel, scratch)
        environment = Path(scratch) / "environment"
        python = _create_environment(environment)
        _install(python, [Path(library), Path(wheel)])
        _borrow_dependencies(python)
        empty = Path(scratch) / "empty"
        empty.mkdir()
        request = {"package": package, "texts": list(texts), "labels": list(labels)}
        answer = _run(
            [str(python), "-I", "-m", "spacy_selectra.packaging._probe"],
            "loading the installed pipeline",
            cwd=empty,
            input=json.dumps(request),
            env={
                **os.environ,
                "HF_HUB_OFFLINE": "1",
                "TRANSFORMERS_OFFLINE": "1",
                "HF_HOME": str(empty / "hub"),
            },
        )
        found = json.loads(answer.splitlines()[-1])
        for origin in found.pop("origins"):
            if not Path(origin).resolve().is_relative_to(environment.resolve()):
                raise SelectraError(f"{origin} was loaded instead of the installed wheel")
        return found


def _create_environment(directory: Path) -> Path:
    venv.EnvBuilder(with_pip=False, symlinks=os.name != "nt").create(directory)
    return directory / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _install(python: Path, wheels: list[Path]) -> None:
    # The new environment has no pip; ours is used.
    _run(
        [
            *(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-index", "--no-deps", "--ignore-installed"),
            *(str(wheel.resolve()) for wheel in wheels),
        ],
        "installing the wheels",
        env={**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")},
    )


def _borrow_dependencies(python: Path) -> None:
    """Add this environment's packages after the new one's, without editable installs.

    Python imports packages from a directory listed in a .pth file, but does not read the .pth
    files in it, which editable installs need.
    """
    places = dict.fromkeys((sysconfig.get_path("purelib"), sysconfig.get_path("platlib")))
    site_packages = Path(
        _run(
            [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            "querying the new environment",
        ).strip()
    )
    (site_packages / "borrowed.pth").write_text("\n".join(places) + "\n", encoding="utf-8")


def _run(
    command: list[str],
    purpose: str,
    *,
    cwd: Path | None = None,
    input: str | None = None,
    env: dict[str, str] | None = None,
) -> str:
    result = subprocess.run(
        command, cwd=cwd, input=input, env=env, capture_output=True, encoding="utf-8"
    )
    if result.returncode != 0:
        reason = (result.stderr.strip().splitlines() or [f"status {result.returncode}"])[-1]
        raise SelectraError(f"{purpose} failed: {reason}")
    return result.stdout
