"""`selectra package`: from trained parts to an installable and tested wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spacy_selectra.errors import SelectraError

package_app = typer.Typer(
    help="Assemble, measure, package and try a pipeline.", no_args_is_help=True
)

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@package_app.command("assemble")
def assemble(
    output: Annotated[Path, typer.Argument(help="Directory of the new pipeline.")],
    ner: Annotated[
        Path, typer.Option(help="Pipeline with transformer and ner, or finetune's best/.")
    ],
    name: Annotated[str, typer.Option(help="Name in the package, after the language.")],
    version: Annotated[str, typer.Option(help="Version of the package.")] = "0.1.0",
    textcat: Annotated[Path | None, typer.Option(help="Pipeline with a textcat.")] = None,
    entailment: Annotated[
        Path | None, typer.Option(help="Entailment classifier (finetune's best/).")
    ] = None,
    matching: Annotated[
        Path | None, typer.Option(help="Matching model (labels match), for zero-shot labels.")
    ] = None,
    discriminator: Annotated[
        Path | None, typer.Option(help="Discriminator (pretrain's discriminator/).")
    ] = None,
    pretraining: Annotated[
        list[Path] | None,
        typer.Option(help="Pretraining run, for the model card; repeatable."),
    ] = None,
    about: Annotated[
        Path | None, typer.Option(help="YAML: description, author, license, sources, limits.")
    ] = None,
    hypothesis_template: Annotated[
        str | None, typer.Option(help="Zero-shot template with {}, as the entailment was trained.")
    ] = None,
    calibrate_on: Annotated[
        Path | None, typer.Option(help="Held-out entities (CoNLL), to calibrate scores on.")
    ] = None,
    half: Annotated[
        bool, typer.Option("--half", help="Store the encoders' weights in half precision.")
    ] = False,
    fraction_bits: Annotated[
        int,
        typer.Option(
            min=4,
            max=10,
            help="With --half, bits kept of a weight's fraction: fewer for a smaller wheel.",
        ),
    ] = 10,
    quiet: Quiet = False,
) -> None:
    """Put trained components into one pipeline directory that needs none of their own.

    Example: python -m spacy selectra package assemble training/pipeline
    --ner training/ner/model-best --textcat training/textcat/model-best
    --entailment training/entailment/best --discriminator training/tiny/pretrain/discriminator
    --name selectra_tiny
    """
    from spacy_selectra.packaging.assemble import assemble_pipeline

    report = assemble_pipeline(
        output,
        ner=ner,
        textcat=textcat,
        entailment=entailment,
        matching=matching,
        discriminator=discriminator,
        pretraining=pretraining or (),
        name=name,
        version=version,
        about=about,
        hypothesis_template=hypothesis_template,
        calibrate_on=calibrate_on,
        half=half,
        fraction_bits=fraction_bits,
    )
    if not quiet:
        typer.echo(f"{output}: {', '.join(report.components)}, {report.megabytes:.0f} MB")
        if report.shared_transformer:
            typer.echo("ner and textcat share one transformer")


@package_app.command("evaluate")
def evaluate(
    pipeline: Annotated[str, typer.Argument(help="Pipeline package or directory.")],
    output: Annotated[Path, typer.Argument(help="JSON file of the scores.")],
    ner_test: Annotated[Path | None, typer.Option(help="Entities in CoNLL columns.")] = None,
    topics_test: Annotated[Path | None, typer.Option(help=".jsonl of text, label.")] = None,
    treebank_test: Annotated[
        Path | None, typer.Option(help="CoNLL-U: tags, features, lemmas, sentences.")
    ] = None,
    pretraining: Annotated[
        Path | None, typer.Option(help="Pretraining run, to judge its discriminator on --packed.")
    ] = None,
    packed: Annotated[Path | None, typer.Option(help="Packed corpus with held-out text.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Documents a batch.")] = 64,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure every component of a pipeline on test files.

    Example: python -m spacy selectra package evaluate training/pipeline metrics/pipeline.json
    --ner-test assets/sample/ner/test.conll --topics-test assets/sample/topics/test.jsonl
    """
    import json

    from spacy_selectra.packaging.pipeline_scores import discriminator_scores, evaluate_pipeline
    from spacy_selectra.packaging.summary import score_lines
    from spacy_selectra.serving.records import load_pipeline
    from spacy_selectra.util.files import write_json

    if ner_test is None and topics_test is None and treebank_test is None:
        raise SelectraError("no test files; give --ner-test, --topics-test or --treebank-test")
    if (pretraining is None) != (packed is None):
        raise SelectraError("--pretraining and --packed must be given together")
    scores = evaluate_pipeline(
        load_pipeline(pipeline), ner_test, topics_test, batch_size, treebank_test
    )
    if pretraining is not None and packed is not None:
        scores |= discriminator_scores(pretraining, packed)
    write_json(output, scores)
    if as_json:
        typer.echo(json.dumps(scores, ensure_ascii=False))
    elif not quiet:
        typer.echo("\n".join(score_lines(scores)))


@package_app.command("wheel")
def wheel(
    pipeline: Annotated[Path, typer.Argument(help="Pipeline directory.")],
    output: Annotated[Path, typer.Argument(help="Directory the wheel is put into.")],
    metrics: Annotated[
        Path | None, typer.Option(help="Scores for the package's meta and model card.")
    ] = None,
    with_library: Annotated[
        bool, typer.Option("--with-library", help="Build the wheel of spacy-selectra too.")
    ] = False,
    compared: Annotated[
        list[Path] | None,
        typer.Option(
            help="Directory of fine-tunings whose table goes into the model card; repeatable."
        ),
    ] = None,
    installable: Annotated[
        bool,
        typer.Option("--installable", help="Make OUTPUT a directory that pip installs as it is."),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Build a wheel from a pipeline directory; no network is used.

    Example: python -m spacy selectra package wheel training/pipeline packages
    --metrics metrics/pipeline.json --with-library
    """
    from spacy_selectra.packaging.wheel import (
        build_library_wheel,
        build_pipeline_wheel,
        make_installable,
    )
    from spacy_selectra.util.files import read_json

    if installable and with_library:
        raise SelectraError("--installable cannot be combined with --with-library")
    comparison = ""
    if compared:
        from spacy_selectra.finetuning.report.collect import collect, published_for
        from spacy_selectra.finetuning.report.table import markdown

        results = collect(compared)
        comparison = markdown([*results, *published_for(results)])
    scores = read_json(metrics) if metrics else None
    built = [build_pipeline_wheel(pipeline, output, scores, comparison)]
    if installable:
        make_installable(built[0])
    if with_library:
        built.append(build_library_wheel(output))
    if not quiet:
        for path in built:
            typer.echo(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")


@package_app.command("try")
def try_(
    wheel: Annotated[Path, typer.Argument(help="Wheel of a pipeline.")],
    text: Annotated[
        list[str] | None, typer.Option(help="A text to annotate; can be repeated.")
    ] = None,
    texts: Annotated[
        Path | None, typer.Option(help="More of them: .txt (one a line) or .jsonl.")
    ] = None,
    library: Annotated[
        Path | None,
        typer.Option(
            help="Wheel of spacy-selectra; default: the one beside WHEEL, or else built now."
        ),
    ] = None,
    labels: Annotated[str, typer.Option(help="Comma-separated zero-shot labels.")] = "",
    output: Annotated[Path | None, typer.Option(help="JSON file of the result.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Install a wheel into a fresh environment and use it there, offline, in an empty folder.

    Example: python -m spacy selectra package try packages/es_selectra_tiny-0.1.0-py3-none-any.whl
    --text "Ana Ruiz vive en Cádiz." --labels "deportes,cultura"
    """
    import json

    from spacy_selectra.packaging.smoke_test import try_wheel
    from spacy_selectra.packaging.summary import trial_lines
    from spacy_selectra.serving.bulk.rows import read_records
    from spacy_selectra.util.files import write_json

    annotated = list(text or [])
    if texts is not None:
        annotated += [record["text"] for record in read_records(str(texts), "text")]
    if not annotated:
        raise SelectraError("no texts; give --text or --texts")
    wanted = [label.strip() for label in labels.split(",") if label.strip()]
    found = try_wheel(wheel, library, annotated, wanted)
    if output is not None:
        write_json(output, found)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
    elif not quiet:
        typer.echo("\n".join(trial_lines(found)))


@package_app.command("summary")
def summary(
    metrics: Annotated[Path, typer.Argument(help="Directory of a project's metrics.")],
) -> None:
    """Print what a project run measured, and what its installed wheel found.

    Example: python -m spacy selectra package summary metrics/tiny
    """
    from spacy_selectra.packaging.summary import summarise

    typer.echo(summarise(metrics))
