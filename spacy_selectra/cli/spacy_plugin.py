"""Entry point of group `spacy_cli`: importing it adds `selectra` to `python -m spacy`."""

from __future__ import annotations

from spacy.cli._util import app as spacy_app

from spacy_selectra.cli.app import app as selectra

spacy_app.add_typer(selectra, name="selectra")

__all__ = ["selectra"]
