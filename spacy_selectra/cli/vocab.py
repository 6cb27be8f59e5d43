"""`selectra vocab`: train, audit and repair vocabularies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spacy_selectra.cli.options import Replace, split_new_file, split_output
from spacy_selectra.errors import SelectraError

if TYPE_CHECKING:
    from spacy_selectra.corpus.audit import Audit
    from spacy_selectra.pretraining.initialization.accent_repair import Repair


vocab_app = typer.Typer(
    help="Train and audit WordPiece vocabularies.", no_args_is_help=True, rich_markup_mode=None
)

_LISTED = 30  # unreachable entries printed


@vocab_app.command("train")
def train(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SRC... OUT",
            help="Text (.txt, .jsonl, .parquet, also .gz .xz .zst; folders; "
            "hub:NAME:CONFIG:SPLIT), then the tokenizer directory to write.",
        ),
    ],
    size: Annotated[int, typer.Option(help="Entries, special tokens included.")] = 16_000,
    min_frequency: Annotated[
        int, typer.Option(help="Join pieces only if they occur together this often.")
    ] = 2,
    limit_alphabet: Annotated[
        int, typer.Option(help="Keep at most this many characters, the most frequent ones.")
    ] = 1_000,
    share: Annotated[
        float, typer.Option(help="Share of the documents to use, drawn at random (SELECTRA: 0.5).")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of that draw.")] = 43,
    heldout: Annotated[
        float, typer.Option(help="Share of held-out documents to skip; as in 'corpus pack'.")
    ] = 0.01,
    max_length: Annotated[
        int, typer.Option(help="Longest sequence in pieces, written as model_max_length.")
    ] = 512,
    text_key: Annotated[str, typer.Option(help="Key or column that holds the text.")] = "text",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Train a cased WordPiece vocabulary with accents and write a tokenizer directory.

    The corpus is read twice. Example:

    python -m spacy_selectra vocab train corpus/*.jsonl.xz tokenizer --size 16000
    """
    import json

    from spacy_selectra.corpus.documents import read_documents
    from spacy_selectra.corpus.vocabulary import VocabularySettings, train_vocabulary
    from spacy_selectra.text.tokenizer import fingerprint, save_tokenizer
    from spacy_selectra.util.progress import Progress

    paths, out = split_output(sources)
    if out.is_file():
        raise SelectraError(f"{out}: is a file; the last argument must be the output directory")
    settings = VocabularySettings(size, min_frequency, limit_alphabet, share, seed, heldout)
    with Progress("reading (twice)", None, "documents", quiet=quiet) as progress:
        result = train_vocabulary(
            lambda: read_documents(paths, text_key), settings, lambda n: progress.update(n)
        )
    save_tokenizer(result.tokenizer, out, max_length)
    for notice in result.notices:
        typer.echo(f"note: {notice}", err=True)
    summary = {
        "directory": str(out),
        "entries": result.size,
        "documents": result.documents,
        "characters": result.characters,
        "alphabet": result.alphabet,
        "dropped_characters": result.dropped_characters,
        "sha256": fingerprint(out),
    }
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False))
    else:
        typer.echo(
            f"{out}: {result.size:,} entries from {result.documents:,} documents, "
            f"alphabet of {result.alphabet:,} characters ({result.dropped_characters:,} dropped)"
        )


@vocab_app.command("audit")
def audit(
    directory: Annotated[str, typer.Argument(help="Tokenizer directory or hub model.")],
    text: Annotated[
        list[str] | None,
        typer.Option(help="Text to measure the fit on (as for 'vocab train'); repeatable."),
    ] = None,
    text_key: Annotated[str, typer.Option(help="Key or column that holds the text.")] = "text",
    max_documents: Annotated[
        int, typer.Option(help="Read at most this much of the text.")
    ] = 10_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Check that every entry can be produced, and how well a vocabulary fits a text.

    Exits with status 1 if an entry can never come out, as when accents are stripped from
    the text but kept in the vocabulary. Example:

    python -m spacy_selectra vocab audit tokenizer --text heldout.jsonl.xz
    """
    import json
    from dataclasses import asdict
    from itertools import islice

    from spacy_selectra.corpus.audit import audit_tokenizer
    from spacy_selectra.corpus.documents import read_documents
    from spacy_selectra.util.progress import Progress

    with Progress("auditing", None, "documents", quiet=quiet) as progress:
        texts = None
        if text:
            documents = islice(read_documents(text, text_key), max_documents)
            texts = (progress.update() or document.text for document in documents)
        result = audit_tokenizer(directory, texts)
    if as_json:
        typer.echo(json.dumps(asdict(result), ensure_ascii=False))
    else:
        _print_audit(directory, result)
    if result.unreachable:
        raise typer.Exit(1)


def _print_audit(directory: str, result: Audit) -> None:
    missing = len(result.unreachable)
    typer.echo(f"{directory}: {result.entries:,} entries, {result.accented:,} with accents")
    if missing:
        typer.echo(f"unreachable: {missing:,} entries that no text can produce")
        typer.echo("  " + " ".join(result.unreachable[:_LISTED]) + (" ..." * (missing > _LISTED)))
        if result.repaired_unreachable < missing:
            typer.echo(
                "  loaded through spacy_selectra.text.tokenizer.load_tokenizer, which repairs "
                f"the normalisation, {result.repaired_unreachable:,} remain"
            )
    else:
        typer.echo("reachable: every entry")
    fit = result.fit
    if fit is not None:
        typer.echo(f"text: {fit.documents:,} documents, {fit.words:,} words")
        typer.echo(f"  pieces per word   {fit.pieces_per_word:.3f}")
        typer.echo(f"  words kept whole  {fit.whole_words:.1%}")
        typer.echo(f"  unknown pieces    {fit.unknown_pieces:.4%}")
        typer.echo(f"  entries seen      {fit.entries_seen:,}")
        if fit.most_frequent_unknown:
            typer.echo("  unknown words     " + " ".join(fit.most_frequent_unknown))


# `selectra vocab repair`.


_EXAMPLES = 8  # entries shown of each method


@vocab_app.command("repair")
def repair(
    checkpoint: Annotated[
        str,
        typer.Argument(help="Discriminator (directory or hub id), or a pretraining output."),
    ],
    output: Annotated[
        Path, typer.Argument(help="Directory to write: discriminator/, generator/, repair.json.")
    ],
    generator: Annotated[
        str,
        typer.Option(help="The generator trained with it (directory or hub id); gets the same."),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Look only, write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Find the entries a pretraining has never trained, and start them from their unaccented form.

    For checkpoints that were pretrained with accents stripped from the text but kept in the
    vocabulary, as SELECTRA's. The rows can then be trained with encoder.train_rows. Example:

    python -m spacy_selectra vocab repair selectra_small repaired
    """
    import json

    from spacy_selectra.pretraining.initialization.accent_repair import repair_checkpoint

    result = repair_checkpoint(checkpoint, None if dry_run else output, generator or None)
    if as_json:
        typer.echo(json.dumps(result.to_dict(), ensure_ascii=False))
    elif not quiet:
        typer.echo("\n".join(_table(result, dry_run)))


def _table(result: Repair, dry_run: bool) -> list[str]:
    found = result.statistics
    lines = [f"{result.checkpoint}: {found.verdict}"]
    if not result.entries:
        return [*lines, "nothing to repair, nothing written"]
    lines += [
        f"  accented      {found.accented_found:,} of {found.accented:,}",
        f"  reserved      {found.reserved_found:,} of {found.reserved:,}",
    ]
    if found.cosine is not None:
        lines.append(f"  cosine        {found.cosine:.2f}, other entries {found.cosine_others:.2f}")
    for method, count in result.methods().items():
        lines.append(f"{method}: {count:,}")
        entries = [entry for entry in result.entries if entry.method == method]
        for entry in entries[:_EXAMPLES]:
            lines.append("  " + " ".join([entry.piece, *(["<-"] if entry.sources else [])]))
            lines[-1] += "".join(f" {piece}" for piece in entry.sources)
    lines.append("nothing written" if result.written is None else f"{result.written}: written")
    if dry_run:
        lines[-1] = "dry run, nothing written"
    return lines


# `selectra vocab trim`.


@vocab_app.command("trim")
def trim(
    model: Annotated[str, typer.Argument(help="BERT or ELECTRA, cased: a directory or hub id.")],
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SRC... OUT",
            help="Text of one language (as for 'vocab train'), then the directory to write.",
        ),
    ],
    layers: Annotated[
        int | None, typer.Option(min=1, help="Keep this many of the lowest layers; default: all.")
    ] = None,
    min_count: Annotated[
        int, typer.Option(min=1, help="Keep pieces that occur this often in the text.")
    ] = 2,
    max_documents: Annotated[
        int | None, typer.Option(min=1, help="Read at most this much of the text.")
    ] = None,
    text_key: Annotated[str, typer.Option(help="Key or column that holds the text.")] = "text",
    replace: Replace = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Make a small encoder of one language out of a multilingual one.

    Keeps the pieces that the text uses, as a WordPiece vocabulary, and the lowest layers. Fine-tune
    the result, or go on pretraining with encoder.init_from. Example:

    python -m spacy_selectra vocab trim intfloat/multilingual-e5-small corpus/*.jsonl.xz trimmed
    --layers 6
    """
    import json
    from dataclasses import asdict
    from itertools import islice

    from spacy_selectra.corpus.documents import read_documents
    from spacy_selectra.pretraining.initialization.trimming import trim_encoder
    from spacy_selectra.util.progress import Progress

    paths, out = split_new_file(sources, replace)
    with Progress("reading", None, "documents", quiet=quiet) as progress:
        documents = islice(read_documents(paths, text_key), max_documents)
        texts = (progress.update() or document.text for document in documents)
        result = trim_encoder(model, texts, out, layers=layers, min_count=min_count)
    if as_json:
        typer.echo(json.dumps({"directory": str(out), **asdict(result)}))
    else:
        typer.echo(
            f"{out}: {result.entries:,} of {result.old_entries:,} entries, which are "
            f"{result.kept:.1%} of the pieces in the text; {result.layers} layers, "
            f"{result.parameters:,} parameters"
        )


# `selectra vocab spell`.


@vocab_app.command("spell")
def spell(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SRC... OUT",
            help="Text in its usual case (as for 'vocab train'), then the file to write (.txt, "
            ".txt.gz).",
        ),
    ],
    min_count: Annotated[int, typer.Option(min=1, help="Minimum occurrences of a word.")] = 5,
    text_key: Annotated[str, typer.Option(help="Key or column that holds the text.")] = "text",
    replace: Replace = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Count the usual spellings of words, for reading text in capitals or without accents.

    Needed for languages other than Spanish and for technical words. Example:

    python -m spacy_selectra vocab spell corpus/*.jsonl.xz spellings.txt.gz
    """
    from spacy_selectra.corpus.documents import read_documents
    from spacy_selectra.text.spellings import count_spellings, save_spellings
    from spacy_selectra.util.progress import Progress

    paths, out = split_new_file(sources, replace)
    with Progress("counting", None, "documents", quiet=quiet) as progress:
        found = count_spellings(
            (progress.update() or document.text for document in read_documents(paths, text_key)),
            min_count,
        )
    if not found.words:
        raise SelectraError(f"no word occurs {min_count} times or more; nothing was written")
    save_spellings(found, out)
    if not quiet:
        typer.echo(f"{out}: usual spellings of {len(found.words):,} words")
