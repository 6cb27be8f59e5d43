"""Packages of the extras, imported where they are needed, and what to install if one is missing."""

from __future__ import annotations

import pkgutil
from typing import Any

from spacy_selectra.errors import SelectraError


def required(name: str, extra: str = "train", what: str = "this") -> Any:
    """Import a module of an extra, or an object of it.

    Args:
        name: `module`, or `module:object`.
        extra: the extra of spacy-selectra that installs it.
        what: what cannot be done without it, as the subject of the error.

    Raises:
        SelectraError: it is not installed; names the command that installs it.
    """
    module, _, member = name.partition(":")
    try:
        # a folder of a package's name is imported as a module without members
        return pkgutil.resolve_name(f"{module}:{member}")
    except (ImportError, AttributeError) as error:
        raise SelectraError(
            f"{what} needs the package {module.split('.')[0]}: "
            f"pip install 'spacy-selectra[{extra}]' ({error})"
        ) from error
