"""Shared by commands: printing errors, `--section.key value` pairs, and `SRC... OUT` arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from spacy_selectra.errors import SelectraError

Replace = Annotated[bool, typer.Option("--replace", help="Write over OUT if it exists.")]

# Commands that take `--section.key value` pairs in addition to their own options.
WITH_OVERRIDES = {"allow_extra_args": True, "ignore_unknown_options": True}


class ReportingGroup(TyperGroup):
    """A group that prints a `SelectraError` as one line and exits with status 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except SelectraError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(1) from error


def parse_overrides(arguments: list[str]) -> dict[str, Any]:
    """`["--training.max_steps", "100"]` as `{"training.max_steps": 100}`; values may be JSON.

    Raises:
        SelectraError: an argument does not have the form `--section.key value`.
    """
    import json

    overrides: dict[str, Any] = {}
    rest = list(arguments)
    while rest:
        name = rest.pop(0)
        if not name.startswith("--") or "." not in name:
            raise SelectraError(f"unexpected argument '{name}' (overrides are --section.key value)")
        name, has_value, value = name[2:].partition("=")
        if not has_value:
            if not rest:
                raise SelectraError(f"override '--{name}' has no value")
            value = rest.pop(0)
        try:
            overrides[name] = json.loads(value)
        except json.JSONDecodeError:
            overrides[name] = value
    return overrides


def given_pair(text: str) -> tuple[str, str]:
    """Key and value of KEY=VALUE.

    Raises:
        SelectraError: there is no key or no "=".
    """
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise SelectraError(f"'{text}' is not KEY=VALUE")
    return key, value


def split_output(sources: list[str]) -> tuple[list[str], Path]:
    """Separate `SRC... OUT` into the sources and the output.

    Raises:
        SelectraError: fewer than two arguments.
    """
    if len(sources) < 2:
        raise SelectraError("give at least one source, then the output")
    return sources[:-1], Path(sources[-1])


def split_new_file(sources: list[str], replace: bool) -> tuple[list[str], Path]:
    """As `split_output`, for an output that is a file.

    If OUT was forgotten, the last source would be overwritten, so an existing file is an error.

    Raises:
        SelectraError: fewer than two arguments, or the output exists and `replace` is not set.
    """
    paths, out = split_output(sources)
    if out.exists() and not replace:
        raise SelectraError(
            f"{out}: exists; the last argument is the output (--replace overwrites it)"
        )
    return paths, out


def refuse_existing(path: Path, replace: bool) -> None:
    """Check another output file.

    Raises:
        SelectraError: it exists and `replace` is not set.
    """
    if path.exists() and not replace:
        raise SelectraError(f"{path}: exists (--replace overwrites it)")
