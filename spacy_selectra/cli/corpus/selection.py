"""`selectra corpus sample` and `corpus mix`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from spacy_selectra.cli.corpus.options import (
    JSON,
    QUIET,
    SOURCES,
    TEXT_KEY,
    print_summary,
    write_parts,
)
from spacy_selectra.cli.options import Replace, split_new_file


def sample(
    sources: Annotated[list[str], SOURCES],
    reference: Annotated[
        list[str], typer.Option(help="Good text the language model is trained on; repeatable.")
    ],
    method: Annotated[str, typer.Option(help="gaussian, stepwise or random.")] = "gaussian",
    share: Annotated[float, typer.Option(help="Share of the documents to keep.")] = 0.12,
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
    order: Annotated[int, typer.Option(help="Longest n-gram of the language model.")] = 3,
    text_key: Annotated[str, TEXT_KEY] = "text",
    replace: Replace = False,
    as_json: Annotated[bool, JSON] = False,
    quiet: Annotated[bool, QUIET] = False,
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
    print_summary(summary, lines, as_json)


def mix(
    sources: Annotated[list[str], SOURCES],
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
    text_key: Annotated[str, TEXT_KEY] = "text",
    replace: Replace = False,
    as_json: Annotated[bool, JSON] = False,
    quiet: Annotated[bool, QUIET] = False,
) -> None:
    """Take some sources more often than they are, and some less.

    Example, news five times and two of five laws:

    python -m spacy_selectra corpus mix corpus/*.jsonl.xz mixed.jsonl.zst --source-key source
    --factor news=5 --factor laws=0.4
    """
    from spacy_selectra.corpus.mixing import Mixer, parse_factors
    from spacy_selectra.corpus.resuming import Work
    from spacy_selectra.util.signals import StopRequest

    paths, out = split_new_file(sources, replace)
    mixer = Mixer(parse_factors(factor), default, seed)
    with StopRequest() as stop:
        write_parts(
            out,
            paths,
            Work(mixer.process, mixer.counts, mixer.resume, mixer.check),
            {"mix": mixer.factors, "default": default, "seed": seed},
            stop,
            text_key=text_key,
            source_key=source_key,
            progress=("mixing", quiet),
        )
    written = mixer.written.total()
    counts = {name: [mixer.read[name], mixer.written[name]] for name in sorted(mixer.read)}
    summary = {"output": str(out), "written": written, "sources": counts}
    lines = [f"{out}: {written:,} documents"]
    lines += [f"  {name}: {read:,}, taken {taken:,}" for name, (read, taken) in counts.items()]
    print_summary(summary, lines, as_json)
