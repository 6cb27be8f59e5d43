"""`selectra labels`: labelled texts under other names, and entailment pairs made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spacy_selectra.cli.options import Replace, split_new_file

labels_app = typer.Typer(
    help="Name labelled texts, and make entailment pairs of them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Sources = Annotated[
    list[str],
    typer.Argument(metavar="SRC... OUT", help="Rows (.jsonl, .tsv, .csv), then a .jsonl file."),
]
NamesFile = Annotated[
    Path, typer.Option("--names", help="YAML: label: name, or label: [name, other name].")
]
TextKey = Annotated[str, typer.Option(help="Column that holds the text.")]
LabelKey = Annotated[str, typer.Option(help="Column that holds the label.")]
MaxWords = Annotated[
    int | None, typer.Option(min=1, help="Of longer texts keep a stretch of sentences.")
]
PerLabel = Annotated[int | None, typer.Option(min=1, help="Keep so many texts of each label.")]
Seed = Annotated[int, typer.Option(help="Seed of the choices.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]


@labels_app.command("texts")
def texts(
    sources: Sources,
    names_file: NamesFile,
    text_key: TextKey = "text",
    label_key: LabelKey = "label",
    max_words: MaxWords = None,
    per_label: PerLabel = None,
    seed: Seed = 0,
    replace: Replace = False,
    quiet: Quiet = False,
) -> None:
    """Write text and label, each label under the first of its names.

    Example:

    python -m spacy_selectra labels texts sib200/train.tsv train.jsonl --names topics.yml
    --label-key category
    """
    from spacy_selectra.finetuning.data.labelled_texts import (
        Selection,
        read_labelled,
        read_names,
    )
    from spacy_selectra.util.files import write_json_lines

    paths, out = split_new_file(sources, replace)
    selection = Selection(text_key, label_key, max_words, per_label, seed)
    found = read_labelled(paths, read_names(names_file), selection)
    count = write_json_lines(out, ({"text": one.text, "label": one.names[0]} for one in found))
    if not quiet:
        typer.echo(f"{out}: {count:,} texts")


@labels_app.command("pairs")
def pairs(
    sources: Sources,
    names_file: NamesFile,
    template: Annotated[str, typer.Option(help="Hypothesis, with {} for the label.")],
    others: Annotated[int, typer.Option(min=0, help="Contradictions for each text.")] = 2,
    text_key: TextKey = "text",
    label_key: LabelKey = "label",
    max_words: MaxWords = None,
    per_label: PerLabel = None,
    seed: Seed = 0,
    replace: Replace = False,
    quiet: Quiet = False,
) -> None:
    """Write premise, hypothesis and label: every text entails its own label and no other.

    Example:

    python -m spacy_selectra labels pairs sib200/train.tsv pairs.jsonl --names topics.yml
    --label-key category --template "Este ejemplo es de {}."
    """
    from spacy_selectra.finetuning.data.labelled_texts import (
        Selection,
        entailment_pairs,
        read_labelled,
        read_names,
    )
    from spacy_selectra.util.files import write_json_lines

    paths, out = split_new_file(sources, replace)
    names = read_names(names_file)
    selection = Selection(text_key, label_key, max_words, per_label, seed)
    found = read_labelled(paths, names, selection)
    count = write_json_lines(out, entailment_pairs(found, names, template, others, seed))
    if not quiet:
        typer.echo(f"{out}: {count:,} pairs of {len(found):,} texts")
