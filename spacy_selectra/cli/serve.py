"""`selectra serve`: a pipeline behind a local HTTP port."""

from __future__ import annotations

from typing import Annotated

import typer

from spacy_selectra.cli.app import app
from spacy_selectra.cli.threads import share_the_machine


@app.command("serve")
def serve(
    pipeline: Annotated[str, typer.Argument(help="Pipeline package or directory.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    host: Annotated[
        str, typer.Option(help="Address; the service has no access control.")
    ] = "127.0.0.1",
    max_body: Annotated[
        int, typer.Option(min=1, help="Largest request body in bytes.")
    ] = 1_000_000,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No request log.")] = False,
) -> None:
    """Serve a pipeline over HTTP: POST /annotate {"text": ...}, GET /health. Ctrl-C stops it.

    Example: python -m spacy selectra serve es_selectra_tiny --port 8000
    """
    share_the_machine()
    from spacy_selectra.packaging.annotation import load_pipeline
    from spacy_selectra.packaging.server import AnnotationServer

    server = AnnotationServer(load_pipeline(pipeline), host, port, max_body, quiet=quiet)
    typer.echo(f"Serving {pipeline} on {server.url}")
    server.serve_until_stopped()
