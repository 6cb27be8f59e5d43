"""The directory of a run: whether it holds one, and which."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from spacy_selectra.errors import OtherRunError, SelectraError
from spacy_selectra.files import read_json
from spacy_selectra.pretraining.checkpoints import remove_leftovers
from spacy_selectra.pretraining.record import RECORD_FILE, check_identity


def holds_run(output: Path, resume: str) -> bool:
    """Whether there is a run to resume; what a killed one left half written is deleted.

    Raises:
        SelectraError: it is no directory, holds something else, or `resume` is "never" and it
            holds anything at all.
    """
    if output.exists() and not output.is_dir():
        raise SelectraError(f"{output}: is a file, not a directory")
    remove_leftovers(output)
    if not output.is_dir() or not any(output.iterdir()):
        return False
    if resume == "never":
        raise SelectraError(
            f"{output}: is not empty; use another directory, or --resume auto to go on with it"
        )
    if not (output / RECORD_FILE).is_file():
        raise SelectraError(f"{output}: is not empty and holds no pretraining run; use another")
    return True


def other_run(output: Path, identity: dict[str, Any]) -> str | None:
    """What distinguishes the run in `output` from one of this identity; None if nothing does.

    Raises:
        SelectraError: its record is damaged.
    """
    earlier = read_json(output / RECORD_FILE)
    if not isinstance(earlier, dict) or "identity" not in earlier:
        raise SelectraError(f"{output / RECORD_FILE}: damaged; use another directory")
    try:
        check_identity(earlier["identity"], identity, str(output))
    except OtherRunError as error:
        return str(error)
    return None


def delete_run(output: Path) -> None:
    """Empty the directory. The record goes last: until then it is still known for a run."""
    for path in sorted(output.iterdir(), key=lambda path: path.name == RECORD_FILE):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
