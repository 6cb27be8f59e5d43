"""The Typer group: all commands and their modules."""

from __future__ import annotations

import typer

from spacy_selectra.cli.annotate import annotate
from spacy_selectra.cli.corpus.app import corpus_app
from spacy_selectra.cli.evaluate import evaluate_app
from spacy_selectra.cli.finetune import finetune
from spacy_selectra.cli.labels import labels_app
from spacy_selectra.cli.options import WITH_OVERRIDES, ReportingGroup
from spacy_selectra.cli.package import package_app
from spacy_selectra.cli.pretrain import pretrain_command
from spacy_selectra.cli.report import report
from spacy_selectra.cli.serve import serve
from spacy_selectra.cli.vocab import vocab_app

app = typer.Typer(
    name="selectra",
    help="Compact Spanish ELECTRA for spaCy: from raw text to an installable pipeline.",
    cls=ReportingGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)
app.command("annotate")(annotate)
app.command("finetune", context_settings=WITH_OVERRIDES)(finetune)
app.command("pretrain", context_settings=WITH_OVERRIDES)(pretrain_command)
app.command("report")(report)
app.command("serve")(serve)
app.add_typer(corpus_app, name="corpus")
app.add_typer(evaluate_app, name="evaluate")
app.add_typer(labels_app, name="labels")
app.add_typer(package_app, name="package")
app.add_typer(vocab_app, name="vocab")
