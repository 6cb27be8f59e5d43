"""`selectra corpus dedup`."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
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
)
from spacy_selectra.cli.options import Replace, refuse_existing, split_new_file


def dedup(
    sources: Annotated[list[str], SOURCES],
    unit: Annotated[str, typer.Option(help="documents or paragraphs (lines).")] = "documents",
    threshold: Annotated[
        float, typer.Option(help="Lowest resemblance of near copies; 1 drops exact copies only.")
    ] = 0.8,
    shingle: Annotated[int, typer.Option(help="Words per shingle.")] = 5,
    permutations: Annotated[int, typer.Option(help="Values per signature.")] = 128,
    min_words: Annotated[int, typer.Option(help="Keep all paragraphs with fewer words.")] = 10,
    seed: Annotated[int, typer.Option(help="Seed of the permutations.")] = 0,
    dropped: Annotated[
        Path | None,
        typer.Option(help="File (.jsonl) that lists what was dropped, and the texts it repeats."),
    ] = None,
    engine: Annotated[str, ENGINE] = "local",
    processes: Annotated[int, PROCESSES] = 1,
    source_key: Annotated[str | None, SOURCE_KEY] = None,
    id_key: Annotated[
        str | None,
        typer.Option(help="Key or column of the id", show_default="the line or row"),
    ] = None,
    text_key: Annotated[str, TEXT_KEY] = "text",
    replace: Replace = False,
    as_json: Annotated[bool, JSON] = False,
    quiet: Annotated[bool, QUIET] = False,
) -> None:
    """Drop copies and near copies of documents or paragraphs; the first one is kept.

    Near copies are found by MinHash signatures of word n-grams. OUT is a .jsonl file, compressed
    if it ends in .gz, .xz or .zst. Example:

    python -m spacy_selectra corpus dedup clean.jsonl.zst unique.jsonl.zst
    """
    from spacy_selectra.corpus.compression import json_lines_writer, write_documents
    from spacy_selectra.corpus.documents import read_documents
    from spacy_selectra.corpus.duplicates.deduplicator import Deduplicator, DedupSettings
    from spacy_selectra.corpus.duplicates.signatures import SignatureSettings
    from spacy_selectra.util.progress import Progress
    from spacy_selectra.util.signals import StopRequest
    from spacy_selectra.util.workers import Engine

    paths, out = split_new_file(sources, replace)
    if dropped is not None:
        refuse_existing(dropped, replace)
    signatures = SignatureSettings(threshold, shingle, permutations, seed)
    settings = DedupSettings(unit, min_words, signatures)  # type: ignore[arg-type]  # checked there
    with ExitStack() as stack:
        workers = stack.enter_context(Engine(engine, processes))
        write = stack.enter_context(json_lines_writer(dropped)) if dropped is not None else None
        deduplicator = Deduplicator(settings, write)
        stop = stack.enter_context(StopRequest())
        progress = stack.enter_context(Progress("comparing", None, "documents", quiet=quiet))
        documents = (
            progress.update() or document
            for document in stop.until(read_documents(paths, text_key, source_key, id_key))
        )
        write_documents(out, deduplicator.deduplicate(documents, workers))
    counts = {name: asdict(deduplicator.sources[name]) for name in sorted(deduplicator.sources)}
    bands, rows = signatures.bands
    summary: dict[str, Any] = {
        "output": str(out),
        "read": deduplicator.read,
        "kept": deduplicator.kept,
        "unit": unit,
        "dropped": dict(deduplicator.dropped),
        "sources": counts,
        "bands": bands,
        "rows": rows,
    }
    lines = [f"{out}: kept {deduplicator.kept:,} of {deduplicator.read:,} documents"]
    for name, count in counts.items():
        lines.append(
            f"  {name}: of {count['read']:,} {unit} {count['exact']:,} copies and "
            f"{count['near']:,} near copies dropped"
        )
    print_summary(summary, lines, as_json)
