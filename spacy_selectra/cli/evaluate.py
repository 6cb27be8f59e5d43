"""`selectra evaluate`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

evaluate_app = typer.Typer(
    help="Measure pretrained networks.", no_args_is_help=True, rich_markup_mode=None
)

# Scores of Spanish discriminators, from the model cards of mrm8488/electricidad-base-discriminator
# and mrm8488/electricidad-small-discriminator on the Hugging Face Hub. Their text, generator and
# mask probability are unknown, and the original ELECTRA code, whose names the cards use, counts
# padding as correctly classified. So they only show an order of magnitude.
PUBLISHED = {
    "ELECTRICIDAD base": {"accuracy": 0.985, "precision": 0.726, "auc": 0.922},
    "ELECTRICIDAD small": {"accuracy": 0.94, "precision": 0.76, "auc": 0.92},
}


@evaluate_app.callback()
def evaluate() -> None:
    """Measure pretrained networks."""


@evaluate_app.command("discriminator")
def discriminator_command(
    directory: Annotated[
        Path, typer.Argument(help="Pretraining output, or directory of a discriminator.")
    ],
    data: Annotated[Path, typer.Argument(help="Packed corpus; its held-out split is used.")],
    generator: Annotated[
        Path | None, typer.Option(help="Generator, if not beside the discriminator.")
    ] = None,
    sequences: Annotated[
        int | None, typer.Option(help="Only so many sequences, evenly spread.")
    ] = None,
    mask_share: Annotated[float, typer.Option(help="Share of pieces to replace.")] = 0.15,
    mask_prob: Annotated[float | None, typer.Option(hidden=True)] = None,
    seed: Annotated[int, typer.Option(help="Of masks and replacements.")] = 0,
    bootstrap: Annotated[
        int, typer.Option(help="Draws for a confidence interval of the AUC, say 200.")
    ] = 0,
    curves: Annotated[
        Path | None, typer.Option(help="Draw curves to this .png, .svg or .pdf file.")
    ] = None,
    precision: Annotated[str, typer.Option(help="auto, fp32, fast or bf16.")] = "fast",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...")] = "auto",
    output: Annotated[Path | None, typer.Option(help="Write the result here as JSON.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """How well the discriminator finds replaced pieces in held-out text.

    Accuracy, precision, recall and F1 at probability 0.5 and at other thresholds, areas under
    the ROC and precision-recall curves, calibration, and the generator's accuracy on masked
    pieces; beside them what is published of other Spanish discriminators.

    Example: selectra evaluate discriminator training/tiny corpus/packed --curves tiny.png
    """
    from spacy_selectra.pretraining.evaluation.evaluate import (
        EvaluationSettings,
        evaluate_discriminator,
    )
    from spacy_selectra.util.distributed import pick_device
    from spacy_selectra.util.files import write_json

    settings = EvaluationSettings(
        mask_prob=mask_share if mask_prob is None else mask_prob,
        sequences=sequences,
        seed=seed,
        bootstrap=bootstrap,
        precision=precision,
        device=str(pick_device(device)),
    )
    result = evaluate_discriminator(
        directory, data, generator, settings, curves=curves, quiet=quiet
    )
    if output is not None:
        write_json(output, result)
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False))
    elif not quiet:
        typer.echo("\n".join(_table(result)))


@evaluate_app.command("curves")
def curves_command(
    directory: Annotated[Path, typer.Argument(help="Pretraining output, finished or not.")],
    drawing: Annotated[
        Path | None, typer.Argument(help="Draw curves to this .png, .svg or .pdf file.")
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="Rows of each table.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print all rows as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """What a pretraining run has logged: Markdown tables, and a drawing if a file is named.

    Losses, accuracy, learning rate and speed in training, and measures on held-out text.

    Example: selectra evaluate curves training/tiny tiny.png
    """
    from spacy_selectra.pretraining.evaluation.plots import (
        HELDOUT_COLUMNS,
        TRAINING_COLUMNS,
        markdown_table,
        read_history,
        save_drawing,
        training_figure,
    )

    history = read_history(directory)
    if drawing is not None:
        save_drawing(training_figure(history.train, history.heldout), drawing)
    if as_json:
        typer.echo(json.dumps(history._asdict(), ensure_ascii=False))
    elif not quiet:
        typer.echo(markdown_table(history.train, TRAINING_COLUMNS, rows))
        if history.heldout:
            typer.echo("\nHeld-out text:\n")
            typer.echo(markdown_table(history.heldout, HELDOUT_COLUMNS, rows))


def _table(result: dict[str, Any]) -> list[str]:
    """Lines for the result of `evaluate_discriminator`."""
    facts = ("discriminator", "data", "split", "seed", "mask_prob")
    counts = ("sequences", "pieces", "masked")
    lines = [f"{name:15}{result[name]}" for name in facts]
    lines += [f"{name:15}{result[name]:,}" for name in counts]

    text = result["without_special"]
    rows: list[Sequence[str]] = [
        ("", "measured", "on text*", *(f"{model}**" for model in PUBLISHED))
    ]
    for name, value in result.items():
        if isinstance(value, float) and name not in facts:
            # published scores with the digits of the source
            published = (f"{measures.get(name, '')}" for measures in PUBLISHED.values())
            on_text = f"{text[name]:.4f}" if name in text else ""
            rows.append((name, f"{value:.4f}", on_text, *published))
    lines += ["", *_aligned(rows)]
    if "auc_interval" in result:
        low, high = result["auc_interval"]
        lines.append(f"95% interval of auc: {low:.4f} to {high:.4f}")
    lines += [
        "* without special tokens, which are never replaced",
        "** from its model card: other text, vocabulary, generator and method",
    ]

    keys = ("precision", "recall", "f1")
    rows = [("threshold", *keys)]
    for row in result["thresholds"]:
        rows.append((f"{row['threshold']:.1f}", *(f"{row[key]:.4f}" for key in keys)))
    if best := result["best_f1"]:
        rows.append((f"best: {best['threshold']:.3f}", *(f"{best[key]:.4f}" for key in keys)))
    lines += ["", *_aligned(rows)]
    if found := result["precision_at_recall"]:
        rows = [(f"{row['recall']:.2f}", f"{row['precision']:.4f}") for row in found]
        lines += ["", *_aligned([("at recall", "precision"), *rows])]
    return lines


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table with names on the left and numbers aligned to the right."""
    from wasabi import table

    text = table(rows, aligns=("l", *("r" for _ in rows[0][1:])), spacing=2)
    return [line.rstrip() for line in text.strip("\n").split("\n")]
