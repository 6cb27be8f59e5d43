"""`selectra pretrain`."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from spacy_selectra.cli.app import WITH_OVERRIDES, app, parse_overrides

# Threads of a parallel region that spin while they wait steal the cores other threads need:
# on a busy machine products became ten times slower. OpenMP reads this when torch is loaded;
# `python -m spacy` has loaded it by now, `python -m spacy_selectra` has not.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


class Resume(str, Enum):
    """What to do with an output directory that holds a run."""

    auto = "auto"
    never = "never"


@app.command("pretrain", context_settings=WITH_OVERRIDES)
def pretrain_command(
    context: typer.Context,
    config: Annotated[Path, typer.Argument(help="Configuration file (.cfg).")],
    output: Annotated[Path, typer.Argument(help="Directory of the run.")],
    resume: Annotated[
        Resume, typer.Option(help="auto goes on where the run stopped; never starts a new one.")
    ] = Resume.auto,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Pretrain a generator and a discriminator on a packed corpus.

    Settings of the file can be changed on the command line. Ctrl-C or SIGTERM writes a
    checkpoint and exits with status 0; the same command goes on from there.

    Example: selectra pretrain configs/pretrain_tiny.cfg training/tiny
    --paths.corpus corpus/packed --training.max_seconds 2700
    """
    overrides = parse_overrides(context.args)
    from spacy_selectra.pretraining.settings import read_settings

    settings = read_settings(config, overrides)
    from spacy_selectra.pretraining.run import pretrain

    result = pretrain(settings, output, resume=resume.value, quiet=quiet)
    if result.finished:
        typer.echo(f"{output / 'discriminator'}: {result.step} steps")
    else:
        typer.echo(f"{output}: stopped after {result.step} steps; the same command goes on")
