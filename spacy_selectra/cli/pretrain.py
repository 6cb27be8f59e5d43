"""`selectra pretrain`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from spacy_selectra.cli.options import parse_overrides
from spacy_selectra.cli.threads import share_the_machine


class Resume(str, Enum):
    """What to do if the output directory holds a run."""

    auto = "auto"
    never = "never"


def pretrain_command(
    context: typer.Context,
    config: Annotated[Path, typer.Argument(help="Configuration file (.cfg).")],
    output: Annotated[Path, typer.Argument(help="Directory of the run.")],
    resume: Annotated[
        Resume, typer.Option(help="auto goes on where the run stopped; never starts a new one.")
    ] = Resume.auto,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Start anew if the directory holds a run on other data or settings."
        ),
    ] = False,
    published: Annotated[
        str,
        typer.Option(help="Take this discriminator (directory or hub id) instead of training one."),
    ] = "",
    fail_if_stopped: Annotated[
        bool,
        typer.Option(
            "--fail-if-stopped",
            help="Exit with status 1 when stopped on request, so that whoever runs several "
            "commands in turn does not go on with the next.",
        ),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Pretrain a generator and a discriminator on a packed corpus.

    Settings of the file can be changed on the command line. Ctrl-C or SIGTERM writes a
    checkpoint and exits with status 0; the same command goes on from there. Several
    processes train together under torchrun or `accelerate launch`.

    Example: selectra pretrain configs/pretrain_tiny.cfg training/tiny
    --paths.corpus corpus/packed --training.max_seconds 2700
    """
    share_the_machine()
    overrides = parse_overrides(context.args)
    from spacy_selectra.pretraining.config import read_settings

    settings = read_settings(config, overrides)
    if published:
        from spacy_selectra.pretraining.initialization.init_from import adopt_discriminator

        adopted = adopt_discriminator(published, output, replace=replace)
        typer.echo(f"{adopted}: copied from {published}, nothing was trained")
        return
    from spacy_selectra.encoder.cpu.memory import keep_freed_memory
    from spacy_selectra.pretraining.pretrain import pretrain
    from spacy_selectra.util.distributed import leave

    keep_freed_memory()
    result = pretrain(settings, output, resume=resume.value, replace=replace, quiet=quiet)
    status = 0
    if result.finished:
        said = f"{output / 'discriminator'}: {result.step} steps"
    else:
        said = f"{output}: stopped after {result.step} steps; run the same command again to resume"
        status = 1 if fail_if_stopped else 0
    if result.is_main:
        typer.echo(said)
    leave(status)
    raise typer.Exit(status)
