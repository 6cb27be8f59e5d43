"""The Typer group and what all commands share: error reporting and config overrides."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from spacy_selectra.errors import SelectraError


class ReportingGroup(TyperGroup):
    """A group that prints a `SelectraError` as one line and exits with status 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except SelectraError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(1) from error


app = typer.Typer(
    name="selectra",
    help="Compact Spanish ELECTRA for spaCy: from raw text to an installable pipeline.",
    cls=ReportingGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

# Commands that take `--section.key value` pairs beside their own options.
WITH_OVERRIDES = {"allow_extra_args": True, "ignore_unknown_options": True}


def parse_overrides(arguments: list[str]) -> dict[str, Any]:
    """`["--training.max_steps", "100"]` as `{"training.max_steps": 100}`; values may be JSON.

    Raises:
        SelectraError: an argument that is not of the form `--section.key value`.
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


# Imported for their side effect: each module registers its commands on `app`.
from spacy_selectra.cli import (  # noqa: E402
    annotate,  # noqa: F401
    corpus,  # noqa: F401
    evaluate,  # noqa: F401
    finetune,  # noqa: F401
    labels,  # noqa: F401
    package,  # noqa: F401
    pretrain,  # noqa: F401
    repair,  # noqa: F401
    report,  # noqa: F401
    sample,  # noqa: F401
    serve,  # noqa: F401
    vocab,  # noqa: F401
)
