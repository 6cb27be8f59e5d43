"""`selectra corpus`: clean, sample, pack and inspect text."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from spacy_selectra.cli.options import Replace, split_new_file, split_output

corpus_app = typer.Typer(
    help="Clean, sample, pack and inspect text.", no_args_is_help=True, rich_markup_mode=None
)

_SOURCES = typer.Argument(
    metavar="SRC... OUT",
    help="Text (.txt, .jsonl, .parquet, also .gz .xz .zst; folders; hub:NAME:CONFIG:SPLIT), "
    "then the output.",
)
_TEXT_KEY = typer.Option(help="Key or column that holds the text.")
_JSON = typer.Option("--json", help="Print the result as JSON.")
_QUIET = typer.Option("--quiet", help="No progress.")


@corpus_app.command("clean")
def clean(
    sources: Annotated[list[str], _SOURCES],
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
    source_key: Annotated[
        str | None,
        typer.Option(help="Key or column that names the source", show_default="a file is a source"),
    ] = None,
    text_key: Annotated[str, _TEXT_KEY] = "text",
    replace: Replace = False,
    as_json: Annotated[bool, _JSON] = False,
    quiet: Annotated[bool, _QUIET] = False,
) -> None:
    """Normalise documents, drop those that teach no Spanish, and say what was dropped.

    OUT is a .jsonl file, compressed if it ends in .gz, .xz or .zst. Example:

    python -m spacy_selectra corpus clean raw/ clean.jsonl.zst
    """
    from spacy_selectra.corpus.cleaning import Cleaner, CleaningSettings
    from spacy_selectra.corpus.compression import write_documents
    from spacy_selectra.corpus.documents import read_documents
    from spacy_selectra.util.progress import Progress

    paths, out = split_new_file(sources, replace)
    cleaner = Cleaner(
        CleaningSettings(
            min_characters=min_characters,
            max_characters=max_characters,
            min_letters=min_letters,
            min_function_words=min_function_words,
            deduplicate=deduplicate,
            max_repeated=max_repeated,
        )
    )
    with Progress("cleaning", None, "documents", quiet=quiet) as progress:
        documents = (
            progress.update() or document
            for document in read_documents(paths, text_key, source_key)
        )
        write_documents(out, cleaner.clean(documents))
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
    _print(summary, lines, as_json)


@corpus_app.command("sample")
def sample(
    sources: Annotated[list[str], _SOURCES],
    reference: Annotated[
        list[str], typer.Option(help="Good text the language model is trained on; repeatable.")
    ],
    method: Annotated[str, typer.Option(help="gaussian, stepwise or random.")] = "gaussian",
    share: Annotated[float, typer.Option(help="Share of the documents to keep.")] = 0.12,
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
    order: Annotated[int, typer.Option(help="Longest n-gram of the language model.")] = 3,
    text_key: Annotated[str, _TEXT_KEY] = "text",
    replace: Replace = False,
    as_json: Annotated[bool, _JSON] = False,
    quiet: Annotated[bool, _QUIET] = False,
) -> None:
    """Keep a share of the documents, chosen by perplexity as BERTIN did.

    The corpus is read twice. Example:

    python -m spacy_selectra corpus sample clean.jsonl.zst sample.jsonl.zst
    --reference wikipedia.txt --share 0.12
    """
    from spacy_selectra.corpus.compression import write_documents
    from spacy_selectra.corpus.documents import read_documents
    from spacy_selectra.corpus.ngram_model import NgramModel
    from spacy_selectra.corpus.perplexity_sampling import plan_sample, sample_documents
    from spacy_selectra.util.progress import Progress

    paths, out = split_new_file(sources, replace)
    model = NgramModel(order)
    with Progress("language model", None, "documents", quiet=quiet) as progress:
        model.train(progress.update() or d.text for d in read_documents(reference, text_key))

    def read() -> Any:
        return read_documents(paths, text_key)

    with Progress("perplexity", None, "documents", quiet=quiet) as progress:
        plan = plan_sample(
            read,
            model,
            method,  # type: ignore[arg-type]  # checked there
            share,
            seed,
            lambda n: progress.update(n),
        )
    with Progress("sampling", None, "documents", quiet=quiet) as progress:
        kept = write_documents(out, sample_documents(read, plan, lambda n: progress.update(n)))
    total = len(plan.probabilities)
    summary = {"output": str(out), "read": total, "kept": kept, "quartiles": list(plan.quartiles)}
    quartiles = ", ".join(f"{value:.0f}" for value in plan.quartiles)
    lines = [
        f"{out}: kept {kept:,} of {total:,} documents ({method}); "
        f"quartiles of perplexity {quartiles}"
    ]
    _print(summary, lines, as_json)


@corpus_app.command("mix")
def mix(
    sources: Annotated[list[str], _SOURCES],
    factor: Annotated[
        list[str],
        typer.Option(help="SOURCE=FACTOR, how often its documents are taken; repeatable."),
    ],
    default: Annotated[float, typer.Option(help="Factor of all other sources.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of the choice what a fraction keeps.")] = 0,
    source_key: Annotated[
        str | None,
        typer.Option(help="Key or column that names the source  [default: a file is a source]"),
    ] = None,
    text_key: Annotated[str, _TEXT_KEY] = "text",
    replace: Replace = False,
    as_json: Annotated[bool, _JSON] = False,
    quiet: Annotated[bool, _QUIET] = False,
) -> None:
    """Take some sources more often than they are, and some less.

    Example, news five times and two of five laws:

    python -m spacy_selectra corpus mix corpus/*.jsonl.xz mixed.jsonl.zst --source-key source
    --factor news=5 --factor laws=0.4
    """
    from spacy_selectra.corpus.compression import write_documents
    from spacy_selectra.corpus.documents import read_documents
    from spacy_selectra.corpus.mixing import Mixer, parse_factors
    from spacy_selectra.util.progress import Progress

    paths, out = split_new_file(sources, replace)
    mixer = Mixer(parse_factors(factor), default, seed)
    with Progress("mixing", None, "documents", quiet=quiet) as progress:
        documents = (
            progress.update() or document
            for document in read_documents(paths, text_key, source_key)
        )
        written = write_documents(out, mixer.mix(documents))
    counts = {name: [mixer.read[name], mixer.written[name]] for name in sorted(mixer.read)}
    summary = {"output": str(out), "written": written, "sources": counts}
    lines = [f"{out}: {written:,} documents"]
    lines += [f"  {name}: {read:,}, taken {taken:,}" for name, (read, taken) in counts.items()]
    _print(summary, lines, as_json)


@corpus_app.command("pack")
def pack(
    sources: Annotated[list[str], _SOURCES],
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
    processes: Annotated[int, typer.Option(help="Worker processes.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the cutting into segments.")] = 0,
    text_key: Annotated[str, _TEXT_KEY] = "text",
    as_json: Annotated[bool, _JSON] = False,
    quiet: Annotated[bool, _QUIET] = False,
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
    settings = PackSettings(length, heldout, seed, text_key, processes)
    with Progress("packing", None, "documents", quiet=quiet) as progress:
        result = pack_corpus(
            paths, out, tokenizer, settings, heldout_from or (), lambda n: progress.update(n)
        )
    for notice in result.notices:
        typer.echo(f"note: {notice}", err=True)
    _print_info(str(out), result.manifest.model_dump(), as_json)


@corpus_app.command("info")
def info(
    directory: Annotated[str, typer.Argument(help="Packed corpus.")],
    verify: Annotated[bool, typer.Option(help="Compare the digest of every file.")] = False,
    as_json: Annotated[bool, _JSON] = False,
    quiet: Annotated[bool, _QUIET] = False,
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
    lines = [
        f"{directory}: sequences of at most {values['sequence_length']} pieces, "
        f"vocabulary {values['vocab_size']:,} ({values['tokenizer_sha256'][:12]}), "
        f"{values['dtype']}"
    ]
    for split, record in values["splits"].items():
        lines.append(
            f"  {split:8} {record['documents']:>12,} documents "
            f"{record['sequences']:>12,} sequences {record['tokens']:>15,} pieces"
        )
    lines.append(f"  entries never seen in train: {values['unseen_entries']:,}")
    _print(values, lines, as_json)


def _print(summary: dict[str, Any], lines: list[str], as_json: bool) -> None:
    import json

    typer.echo(json.dumps(summary, ensure_ascii=False) if as_json else "\n".join(lines))
