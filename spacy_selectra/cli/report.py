"""`selectra report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    directories: Annotated[list[Path], typer.Argument(help="Directories of fine-tunings.")],
    published: Annotated[
        bool, typer.Option(help="Add published figures on the same data and metric.")
    ] = True,
    name: Annotated[
        list[str] | None,
        typer.Option(
            "--name", metavar="ENCODER=NAME", help="Show an encoder under a name; repeatable."
        ),
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option("--names", help="A JSON object of encoders and the names to show."),
    ] = None,
    into: Annotated[
        list[Path] | None,
        typer.Option(
            "--into",
            help="Write the table between '<!-- selectra-report:begin -->' and "
            "'<!-- selectra-report:end -->' of a Markdown file; repeatable.",
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write a page with table, notes and picture.")
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", help="Draw score against speed to an .svg file."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list of results.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No notes on stderr.")] = False,
) -> None:
    """Print one Markdown table of models by tasks from the metrics.json of fine-tunings.

    Example: python -m spacy selectra report training/finetuned
    --name training/tiny/pretrain/discriminator=ours --into README.md --picture scores.svg
    """
    import json

    from spacy_selectra.errors import SelectraError
    from spacy_selectra.finetuning.report.collect import (
        check_names,
        collect,
        published_for,
        read_names,
    )
    from spacy_selectra.finetuning.report.html import html_page
    from spacy_selectra.finetuning.report.markdown import check_markers, insert
    from spacy_selectra.finetuning.report.plot import draw, plot_of
    from spacy_selectra.finetuning.report.table import markdown
    from spacy_selectra.util.files import write_text

    # All checks come before the first file is written.
    results = collect(directories, read_names(names, name or []))
    check_names(name or [], results)
    if published:
        results += published_for(results)
    for path in into or []:
        check_markers(path)
    if picture is not None and picture.suffix.lower() != ".svg":
        raise SelectraError(f"{picture}: the picture is in SVG; use a name that ends in .svg")
    table = markdown(results)
    svg, remark = None, ""
    if picture is not None or html is not None:
        try:
            plot = plot_of(results)
            svg, remark = draw(plot), ". ".join([*plot.notes, ""]).strip()
        except SelectraError as error:
            # the page is useful without it
            if picture is not None:
                raise
            remark = f"No picture: {error}"
    if html is not None:
        write_text(html, html_page(table, svg, remark))
    if picture is not None and svg is not None:
        write_text(picture, svg)
    if remark and not quiet:
        typer.echo(remark, err=True)
    insert(into or [], table)
    if as_json:
        rows = [result._asdict() for result in results]
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        typer.echo(table)
