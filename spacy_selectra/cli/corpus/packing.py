"""`selectra corpus pack` and `corpus info`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from spacy_selectra.cli.corpus.options import (
    ENGINE,
    JSON,
    PROCESSES,
    QUIET,
    SOURCES,
    TEXT_KEY,
    print_summary,
)
from spacy_selectra.cli.options import split_output


def pack(
    sources: Annotated[list[str], SOURCES],
    tokenizer: Annotated[str, typer.Option(help="Tokenizer directory.")],
    length: Annotated[int, typer.Option(help="Longest sequence in pieces.")] = 512,
    heldout: Annotated[
        float | None,
        typer.Option(help="Share of held-out documents  [default: 0.01; 0 with --heldout-from]"),
    ] = None,
    heldout_from: Annotated[
        list[str] | None,
        typer.Option(help="Text that is held out entirely; repeatable."),
    ] = None,
    engine: Annotated[str, ENGINE] = "local",
    processes: Annotated[int, PROCESSES] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the cutting into segments.")] = 0,
    text_key: Annotated[str, TEXT_KEY] = "text",
    as_json: Annotated[bool, JSON] = False,
    quiet: Annotated[bool, QUIET] = False,
) -> None:
    """Tokenise text into memory-mapped shards for pretraining.

    An interrupted run continues when the same command is given again; an earlier corpus at OUT
    is replaced only when the new one is complete. Example:

    python -m spacy_selectra corpus pack corpus/*.jsonl.xz packed --tokenizer tokenizer
    --length 128 --processes 4
    """
    from spacy_selectra.corpus.packed.builder import PackSettings, pack_corpus
    from spacy_selectra.util.progress import Progress

    paths, out = split_output(sources)
    if heldout is None:
        heldout = 0.0 if heldout_from else 0.01
    settings = PackSettings(
        length,
        heldout,
        seed,
        text_key,
        processes,
        engine,  # type: ignore[arg-type]  # checked there
    )
    with Progress("packing", None, "documents", quiet=quiet) as progress:
        result = pack_corpus(
            paths, out, tokenizer, settings, heldout_from or (), lambda n: progress.update(n)
        )
    for notice in result.notices:
        typer.echo(f"note: {notice}", err=True)
    _print_info(str(out), result.manifest.model_dump(), as_json)


def info(
    directory: Annotated[str, typer.Argument(help="Packed corpus.")],
    verify: Annotated[bool, typer.Option(help="Compare the digest of every file.")] = False,
    as_json: Annotated[bool, JSON] = False,
    quiet: Annotated[bool, QUIET] = False,
) -> None:
    """Describe a packed corpus and check that its files are complete.

    Example:

    python -m spacy_selectra corpus info packed --verify
    """
    from spacy_selectra.corpus.packed.format import PackedCorpus, read_manifest
    from spacy_selectra.util.progress import Progress

    manifest = read_manifest(directory)
    for split, record in manifest.splits.items():
        if record.sequences:
            corpus = PackedCorpus(directory, split)
            if verify:
                total = len(record.shards)
                with Progress(f"verifying {split}", total, "files", quiet=quiet) as progress:
                    corpus.verify(lambda: progress.update())
    _print_info(directory, manifest.model_dump(), as_json)


def _print_info(directory: str, values: dict[str, Any], as_json: bool) -> None:
    from wasabi import table

    header = ("", "documents", "sequences", "pieces")
    keys = ("documents", "sequences", "tokens")
    rows = [
        (split, *(f"{record[key]:,}" for key in keys)) for split, record in values["splits"].items()
    ]
    lines = [
        f"{directory}: sequences of at most {values['sequence_length']} pieces, "
        f"vocabulary {values['vocab_size']:,} ({values['tokenizer_sha256'][:12]}), "
        f"{values['dtype']}",
        *table(rows, header=header, aligns=("l", "r", "r", "r")).strip("\n").split("\n"),
        f"entries that do not occur in train: {values['unseen_entries']:,}",
    ]
    print_summary(values, lines, as_json)
