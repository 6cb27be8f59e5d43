"""`selectra annotate`: a pipeline over files, folders and data sets."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from spacy_selectra.cli.corpus.options import ENGINE, PROCESSES
from spacy_selectra.cli.threads import share_the_machine, usable_processors


def annotate(
    pipeline: Annotated[str, typer.Argument(help="Pipeline package or directory.")],
    input_path: Annotated[
        str,
        typer.Argument(metavar="INPUT", help=".txt (one document a line), .jsonl, or - for stdin."),
    ],
    output_path: Annotated[
        str, typer.Argument(metavar="OUTPUT", help=".jsonl file, or - for stdout.")
    ] = "-",
    labels: Annotated[
        str, typer.Option(help="Comma-separated labels to score with the zero-shot component.")
    ] = "",
    text_key: Annotated[str, typer.Option(help="Key of the text in JSON lines.")] = "text",
    batch_size: Annotated[int, typer.Option(min=1, help="Documents a batch.")] = 64,
    engine: Annotated[str, ENGINE] = "local",
    processes: Annotated[int, PROCESSES] = 1,
    errors: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="JSON lines for rows that cannot be read or annotated, with the reason. "
            "Without it the first such row stops the work.",
        ),
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew what was interrupted.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")] = False,
) -> None:
    """Annotate texts with a pipeline; one JSON object a document.

    INPUT may also be .csv, .tsv, .parquet, .spacy, a folder of all these or
    hub:NAME[:CONFIG[:SPLIT]], OUTPUT .parquet or .spacy. Finished parts of an output are kept: the
    same command continues after an interruption.

    Example: python -m spacy selectra annotate es_selectra_tiny noticias.txt noticias.jsonl
    """
    share_the_machine()
    from spacy_selectra.serving.bulk.job import Force, annotate_input
    from spacy_selectra.serving.bulk.parts import Work

    work = Work(
        pipeline=pipeline,
        output=output_path,
        text_key=text_key,
        labels=tuple(label.strip() for label in labels.split(",") if label.strip()),
        batch_size=batch_size,
        errors=errors,
    )
    processors = int(os.environ.get("OMP_NUM_THREADS") or usable_processors())
    force = Force(engine, processes, processors)
    broken = annotate_input(input_path, work, force, restart=restart, quiet=quiet)
    if broken:
        typer.echo(f"{broken:,} rows could not be annotated; see {errors}", err=True)
