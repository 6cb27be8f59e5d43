"""Packages that only training needs, and what to install where they are missing."""

from __future__ import annotations

import importlib
from typing import Any

from spacy_selectra.errors import SelectraError


def training_package(name: str) -> Any:
    """Import a package of the extra `train`.

    Raises:
        SelectraError: it is not installed; names the command that installs it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.split(".")[0]
        raise SelectraError(
            f"this needs the package {package}: pip install 'spacy-selectra[train]' ({error})"
        ) from error
