"""The command line: a Typer group, with a module per command.

Every `python -m spacy` imports the group, so its modules import only Typer. Commands import torch,
spaCy and our own packages inside their functions.
"""

from __future__ import annotations


def main() -> None:
    """Run `python -m spacy_selectra`."""
    from typer.main import get_command

    from spacy_selectra.cli.app import app

    get_command(app)(prog_name="python -m spacy_selectra")
