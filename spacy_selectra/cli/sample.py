"""`selectra corpus generate`: write the embedded sample again, or another of its kind."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spacy_selectra.cli.corpus import corpus_app


@corpus_app.command("generate")
def generate(
    out: Annotated[Path, typer.Argument(help="Directory to write; an existing one is replaced.")],
    seed: Annotated[int, typer.Option(help="Another seed gives other sentences.")] = 0,
    documents: Annotated[
        int | None, typer.Option(help="Number of documents of raw training text.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print sizes as JSON.")] = False,
) -> None:
    """Generate Spanish text and labelled data from a grammar; the same seed gives the same bytes.

    Example: python -m spacy selectra corpus generate assets/sample --seed 0
    """
    import json

    from spacy_selectra.corpus.sample.writer import DEFAULT_DOCUMENTS, write_sample

    sizes = write_sample(out, seed, DEFAULT_DOCUMENTS if documents is None else documents)
    if as_json:
        typer.echo(json.dumps({"files": sizes, "bytes": sum(sizes.values())}))
        return
    for name, size in sizes.items():
        typer.echo(f"{size:>9,}  {name}")
    typer.echo(f"{sum(sizes.values()):>9,}  in all")
