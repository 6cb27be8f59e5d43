"""Options and output shared by the commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from spacy_selectra.corpus.resuming import Work
    from spacy_selectra.util.signals import StopRequest

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
    """Print a result, as JSON or as text."""
    import json

    typer.echo(json.dumps(summary, ensure_ascii=False) if as_json else "\n".join(lines))


def write_parts(
    out: Path,
    paths: list[str],
    work: Work,
    settings: Mapping[str, Any],
    stop: StopRequest,
    *,
    text_key: str,
    source_key: str | None,
    progress: tuple[str, bool],
) -> None:
    """Write the output of `work` for documents, and resume an interrupted command.

    Args:
        out: the output.
        paths: sources.
        work: processes the documents.
        settings: JSON values that determine the result, besides sources and keys.
        stop: request to stop.
        text_key: as in `read_documents`.
        source_key: likewise.
        progress: title of the progress bar, and whether to hide it.
    """
    from spacy_selectra.corpus.documents import DocumentStream
    from spacy_selectra.corpus.resuming import write_resumable
    from spacy_selectra.util.progress import Progress

    keys = {"text_key": text_key, "source_key": source_key}
    description, quiet = progress
    with Progress(description, None, "documents", quiet=quiet) as bar:

        def process(documents: Any) -> Any:
            return work.process(bar.update() or document for document in documents)

        def resumed(documents: int) -> None:
            typer.echo(f"note: resuming after {documents:,} documents of an earlier run", err=True)

        write_resumable(
            out,
            lambda position: DocumentStream(paths, **keys, position=position),
            replace(work, process=process),
            {**settings, **keys},
            stop,
            resumed,
        )
