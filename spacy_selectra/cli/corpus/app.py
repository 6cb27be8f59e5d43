"""The group `selectra corpus`: its commands and their modules."""

from __future__ import annotations

import typer

from spacy_selectra.cli.corpus.cleaning import clean
from spacy_selectra.cli.corpus.dedup import dedup
from spacy_selectra.cli.corpus.packing import info, pack
from spacy_selectra.cli.corpus.selection import mix, sample

corpus_app = typer.Typer(
    help="Clean, sample, pack and inspect text.", no_args_is_help=True, rich_markup_mode=None
)
for command in (clean, dedup, sample, mix, pack, info):
    corpus_app.command(command.__name__)(command)
