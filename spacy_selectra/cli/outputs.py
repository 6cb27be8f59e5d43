"""The last of several arguments as the place to write to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spacy_selectra.errors import SelectraError

Replace = Annotated[bool, typer.Option("--replace", help="Write over OUT if it exists.")]


def split_output(sources: list[str]) -> tuple[list[str], Path]:
    """Separate `SRC... OUT` into the sources and the output.

    Raises:
        SelectraError: fewer than two arguments.
    """
    if len(sources) < 2:
        raise SelectraError("name at least one source and then the output")
    return sources[:-1], Path(sources[-1])


def split_new_file(sources: list[str], replace: bool) -> tuple[list[str], Path]:
    """As `split_output`, for an output that is a file.

    Where OUT has been forgotten, the last source stands in its place.

    Raises:
        SelectraError: fewer than two arguments, or the output exists and is not to be replaced.
    """
    paths, out = split_output(sources)
    if out.exists() and not replace:
        raise SelectraError(f"{out}: exists; the last argument is written to (--replace allows it)")
    return paths, out
