"""`selectra corpus clean`."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

import typer

from spacy_selectra.cli.corpus.options import (
    ENGINE,
    JSON,
    PROCESSES,
    QUIET,
    SOURCE_KEY,
    SOURCES,
    TEXT_KEY,
    print_summary,
    write_parts,
)
from spacy_selectra.cli.options import Replace, split_new_file


def clean(
    sources: Annotated[list[str], SOURCES],
    min_characters: Annotated[int, typer.Option(help="Shortest document.")] = 50,
    max_characters: Annotated[int, typer.Option(help="Longest document.")] = 1_000_000,
    min_letters: Annotated[float, typer.Option(help="Least share of letters.")] = 0.6,
    min_function_words: Annotated[
        float, typer.Option(help="Least share of Spanish function words among the words.")
    ] = 0.15,
    deduplicate: Annotated[bool, typer.Option(help="Drop texts seen before.")] = True,
    max_repeated: Annotated[
        float,
        typer.Option(
            help="Largest share of its runs of eight words that earlier documents hold; 1 keeps "
            "near-duplicates."
        ),
    ] = 1.0,
    engine: Annotated[str, ENGINE] = "local",
    processes: Annotated[int, PROCESSES] = 1,
    source_key: Annotated[str | None, SOURCE_KEY] = None,
    text_key: Annotated[str, TEXT_KEY] = "text",
    replace: Replace = False,
    as_json: Annotated[bool, JSON] = False,
    quiet: Annotated[bool, QUIET] = False,
) -> None:
    """Normalise documents, drop those that teach no Spanish, and say what was dropped.

    OUT is a .jsonl file, compressed if it ends in .gz, .xz or .zst. Example:

    python -m spacy_selectra corpus clean raw/ clean.jsonl.zst
    """
    from spacy_selectra.corpus.cleaning import Cleaner, CleaningSettings, Examiner
    from spacy_selectra.corpus.resuming import Work
    from spacy_selectra.util.signals import StopRequest
    from spacy_selectra.util.workers import Engine

    paths, out = split_new_file(sources, replace)
    settings = CleaningSettings(
        min_characters=min_characters,
        max_characters=max_characters,
        min_letters=min_letters,
        min_function_words=min_function_words,
        deduplicate=deduplicate,
        max_repeated=max_repeated,
    )
    with (
        Engine(engine, processes) as place,
        place.workers(partial(Examiner, settings)) as workers,
        StopRequest() as stop,
    ):
        cleaner = Cleaner(settings, workers)
        write_parts(
            out,
            paths,
            Work(cleaner.clean, cleaner.counts, cleaner.resume),
            {"clean": asdict(settings)},
            stop,
            text_key=text_key,
            source_key=source_key,
            progress=("cleaning", quiet),
        )
    if not cleaner.kept:
        typer.echo(f"warning: {out} is empty, every document was dropped", err=True)
    summary: dict[str, Any] = {
        "output": str(out),
        "read": cleaner.read,
        "kept": cleaner.kept,
        "dropped": cleaner.dropped,
    }
    lines = [f"{out}: kept {cleaner.kept:,} of {cleaner.read:,} documents"]
    lines += [
        f"  {count:,} dropped: {reason}" for reason, count in cleaner.dropped.items() if count
    ]
    print_summary(summary, lines, as_json)
