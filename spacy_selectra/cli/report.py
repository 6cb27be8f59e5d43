"""`selectra report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spacy_selectra.cli.app import app


@app.command("report")
def report(
    directories: Annotated[list[Path], typer.Argument(help="Directories of fine-tunings.")],
    published: Annotated[
        bool, typer.Option(help="Add published figures on the same data and metric.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list of results.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No notes on stderr.")] = False,
) -> None:
    """Print one Markdown table of models by tasks from the metrics.json of fine-tunings.

    Example: python -m spacy selectra report training/finetuned
    """
    import json

    from spacy_selectra.finetuning.report import collect, markdown, published_for

    results = collect(directories)
    if published:
        results += published_for(results)
    if as_json:
        rows = [result._asdict() for result in results]
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    typer.echo(markdown(results))
    if not quiet and any(result.published for result in results):
        typer.echo("Published figures come from the full training sets of each task.", err=True)
