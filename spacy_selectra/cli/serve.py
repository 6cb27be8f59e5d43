"""`selectra serve` and `selectra annotate`: a pipeline behind a port, or over a file."""

from __future__ import annotations

from typing import Annotated

import typer

from spacy_selectra.cli.threads import share_the_machine


def serve(
    pipeline: Annotated[str, typer.Argument(help="Pipeline package or directory.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    host: Annotated[
        str, typer.Option(help="Address; the service has no access control.")
    ] = "127.0.0.1",
    max_body: Annotated[
        int, typer.Option(min=1, help="Largest request body in bytes.")
    ] = 1_000_000,
    max_texts: Annotated[int, typer.Option(min=1, help="Most texts of a request.")] = 1_000,
    max_characters: Annotated[
        int, typer.Option(min=1, help="Most characters of a request's texts.")
    ] = 1_000_000,
    queue: Annotated[
        int, typer.Option(min=1, help="Most requests that wait; others are refused with 429.")
    ] = 256,
    batch_size: Annotated[int, typer.Option(min=1, help="Most texts that are read together.")] = 64,
    wait: Annotated[
        float, typer.Option(min=0, help="Milliseconds a batch waits for further requests.")
    ] = 5.0,
    timeout: Annotated[
        float, typer.Option(min=0.001, help="Seconds until a request is given up with 503.")
    ] = 60.0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No request log.")] = False,
) -> None:
    """Serve a pipeline over HTTP: POST /annotate {"text": ...}, GET /health. Ctrl-C stops it.

    Example: python -m spacy selectra serve es_selectra_tiny --port 8000
    """
    share_the_machine()
    from spacy_selectra.util.requirements import required

    for package in ("fastapi", "uvicorn"):
        required(package, "serve", "serving a pipeline")
    from spacy_selectra.serving.annotate import load_pipeline
    from spacy_selectra.serving.service.limits import Limits
    from spacy_selectra.serving.service.server import AnnotationServer

    limits = Limits(
        body=max_body,
        texts=max_texts,
        characters=max_characters,
        waiting=queue,
        batch=batch_size,
        wait=wait / 1000,
        timeout=timeout,
    )
    server = AnnotationServer(load_pipeline(pipeline), host, port, limits, quiet=quiet)
    typer.echo(f"Serving {pipeline} on {server.url}")
    server.serve_until_stopped()


# `selectra annotate`: a file of texts in, JSON lines with annotations out.


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
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")] = False,
) -> None:
    """Annotate texts with a pipeline; one JSON object a document.

    Example: python -m spacy selectra annotate es_selectra_tiny noticias.txt noticias.jsonl
    """
    share_the_machine()
    import json

    from spacy_selectra.serving.annotate import (
        annotate_records,
        load_pipeline,
        open_output,
        read_records,
        zero_shot_component,
    )
    from spacy_selectra.util.progress import Progress

    wanted = [label.strip() for label in labels.split(",") if label.strip()]
    nlp = load_pipeline(pipeline)
    if wanted:
        zero_shot_component(nlp)  # fail before the first document, not after the first batch
    found = annotate_records(
        nlp,
        read_records(input_path, text_key, nlp.max_length),
        text_key=text_key,
        labels=wanted,
        batch_size=batch_size,
    )
    with (
        Progress("Annotating", unit="documents", quiet=quiet) as progress,
        open_output(output_path) as stream,
    ):
        for record in found:
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")
            progress.update()
