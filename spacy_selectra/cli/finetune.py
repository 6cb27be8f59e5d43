"""`selectra finetune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spacy_selectra.cli.options import parse_overrides
from spacy_selectra.cli.threads import share_the_machine


def finetune(
    context: typer.Context,
    config: Annotated[Path, typer.Argument(help="A configuration, e.g. configs/finetune_nli.cfg.")],
    out: Annotated[Path, typer.Argument(help="Directory for trials, best model and metrics.json.")],
    trials: Annotated[int, typer.Option(min=1, help="Trials, each with its own seed.")] = 5,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Start anew if the directory holds trials on other data or settings."
        ),
    ] = False,
    teacher: Annotated[
        str | None,
        typer.Option(
            help="Directory or hub id of a model fine-tuned for the task, to learn from as well "
            "(distillation; see the section of that name in the configuration)."
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress on stderr.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print metrics.json.")] = False,
) -> None:
    """Fine-tune an encoder for a task, several times, and report mean and standard deviation.

    Finished trials are kept: the same command continues after an interruption. Started by
    `accelerate launch` or torchrun, each process takes its share of the trials.

    Example: python -m spacy selectra finetune configs/finetune_nli.cfg training/nli --trials 5
    --encoder.path training/tiny/pretrain/discriminator --training.epochs 3
    """
    share_the_machine()  # before torch is loaded
    import json

    from spacy_selectra.components.corpora.docbin import FORMATS
    from spacy_selectra.encoder.cpu.memory import keep_freed_memory
    from spacy_selectra.finetuning.config import read_settings
    from spacy_selectra.finetuning.finetune import Finetuning, Interrupted
    from spacy_selectra.util.signals import StopRequest

    settings = read_settings(config, parse_overrides(context.args))
    if teacher is not None:
        distillation = settings.distillation.model_copy(update={"teacher": teacher})
        settings = settings.model_copy(update={"distillation": distillation})

    def warn(message: str) -> None:
        typer.echo(f"warning: {message}", err=True)

    keep_freed_memory()
    with StopRequest() as stop:
        run = Finetuning(settings, out, warn=warn, quiet=quiet, replace=replace, formats=FORMATS)
        try:
            metrics = run.run(trials, lambda: stop.requested)
        except Interrupted:
            typer.echo(
                "stopped: finished trials are kept; run the same command again to continue",
                err=True,
            )
            raise typer.Exit(1) from None
    if not metrics:
        typer.echo(
            "the trials of this process are done; other processes are still running", err=True
        )
        return
    if as_json:
        typer.echo(json.dumps(metrics, ensure_ascii=False, indent=2))
        return
    name, split = metrics["metric"], metrics["split"]
    for trial in metrics["trials"]:
        typer.echo(f"trial {trial['trial']}: {split} {name} {trial[split][name]:.4f}")
    spread = "" if metrics["std"] is None else f" ± {metrics['std']:.4f}"
    typer.echo(f"{metrics['task']} on {metrics['data']}: {name} {metrics['mean']:.4f}{spread}")
