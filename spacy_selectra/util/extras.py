"""Importing packages of the extras, with a helpful error if one is missing."""

from __future__ import annotations

import pkgutil
from typing import Any

from spacy_selectra.errors import SelectraError


def required(name: str, extra: str = "train", what: str = "this") -> Any:
    """Import a module of an extra, or an object in it.

    Args:
        name: `module`, or `module:object`.
        extra: the extra of spacy-selectra that installs it.
        what: what needs it, the subject of the error message.

    Raises:
        SelectraError: it is not installed; the message has the command to install it.
    """
    module, _, member = name.partition(":")
    try:
        # a folder with the package's name is imported as an empty module
        return pkgutil.resolve_name(f"{module}:{member}")
    except (ImportError, AttributeError) as error:
        raise SelectraError(
            f"{what} needs the package {module.split('.')[0]}: "
            f"pip install 'spacy-selectra[{extra}]' ({error})"
        ) from error
