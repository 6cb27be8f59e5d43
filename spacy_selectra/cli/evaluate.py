"""`selectra evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from spacy_selectra.cli.app import app

group = typer.Typer(
    help="Measure pretrained networks.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(group, name="evaluate")


@group.callback()
def evaluate() -> None:
    """Measure pretrained networks."""


@group.command("discriminator")
def discriminator_command(
    directory: Annotated[
        Path, typer.Argument(help="Pretraining output, or directory of a discriminator.")
    ],
    data: Annotated[Path, typer.Argument(help="Packed corpus; its held-out split is used.")],
    generator: Annotated[
        Path | None, typer.Option(help="Generator, if not beside the discriminator.")
    ] = None,
    sequences: Annotated[int | None, typer.Option(help="Only so many sequences.")] = None,
    seed: Annotated[int, typer.Option(help="Of masks and replacements.")] = 0,
    precision: Annotated[str, typer.Option(help="auto, fp32, fast or bf16.")] = "fast",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...")] = "auto",
    output: Annotated[Path | None, typer.Option(help="Write the result here as JSON.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """How well the discriminator finds replaced pieces in held-out text.

    Accuracy, precision, recall and F1 at probability 0.5, area under the ROC curve, calibration
    error, and the generator's accuracy on masked pieces.

    Example: selectra evaluate discriminator training/tiny corpus/packed
    """
    from spacy_selectra.files import write_json
    from spacy_selectra.pretraining.evaluation import evaluate_discriminator
    from spacy_selectra.pretraining.run import pick_device

    result = evaluate_discriminator(
        directory,
        data,
        generator,
        seed=seed,
        sequences=sequences,
        mode=precision,
        device=str(pick_device(device)),
    )
    if output is not None:
        write_json(output, result)
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False))
    elif not quiet:
        typer.echo("\n".join(_table(result)))


def _table(result: dict[str, Any]) -> list[str]:
    width = max(len(name) for name in result)
    return [
        f"{name.ljust(width)}  {value:.4f}"
        if isinstance(value, float)
        else f"{name.ljust(width)}  {value}"
        for name, value in result.items()
    ]
