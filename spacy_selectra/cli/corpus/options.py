"""What the commands share: options, and how results are printed."""

from __future__ import annotations

from typing import Any

import typer

SOURCES = typer.Argument(
    metavar="SRC... OUT",
    help="Text (.txt, .jsonl, .parquet, also .gz .xz .zst; folders; hub:NAME:CONFIG:SPLIT), "
    "then the output.",
)
TEXT_KEY = typer.Option(help="Key or column that holds the text.")
SOURCE_KEY = typer.Option(
    help="Key or column that names the source", show_default="a file is a source"
)
PROCESSES = typer.Option(help="Worker processes.")
ENGINE = typer.Option(
    help="Whose processes: local, or ray (a cluster that RAY_ADDRESS names, or one started here)."
)
JSON = typer.Option("--json", help="Print the result as JSON.")
QUIET = typer.Option("--quiet", help="No progress.")


def print_summary(summary: dict[str, Any], lines: list[str], as_json: bool) -> None:
    """Print a result, for programs or for people."""
    import json

    typer.echo(json.dumps(summary, ensure_ascii=False) if as_json else "\n".join(lines))
