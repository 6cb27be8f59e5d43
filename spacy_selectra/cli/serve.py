"""`selectra serve`: a pipeline as an HTTP service."""

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
    from spacy_selectra.util.extras import required

    for package in ("fastapi", "uvicorn"):
        required(package, "serve", "serving a pipeline")
    from spacy_selectra.serving.records import load_pipeline
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
