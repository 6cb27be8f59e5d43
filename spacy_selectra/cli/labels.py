"""`selectra labels`: labelled texts, and models that match labels with texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spacy_selectra.cli.options import Replace, given_pair, split_new_file
from spacy_selectra.errors import SelectraError

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
    names_file: Annotated[
        Path | None,
        typer.Option(
            "--names", help="YAML: label: name, or label: [name, other name]; else all labels."
        ),
    ] = None,
    text_key: TextKey = "text",
    label_key: LabelKey = "label",
    where: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE that a row must have; repeatable.")
    ] = None,
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
    wanted = dict(given_pair(one) for one in where or ())
    selection = Selection(text_key, label_key, max_words, per_label, seed, wanted)
    names = None if names_file is None else read_names(names_file)
    found = read_labelled(paths, names, selection)
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


@labels_app.command("words")
def words(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SRC... OUT", help="Text (.txt, .jsonl, .parquet), then a folder."),
    ],
    text_key: TextKey = "text",
    max_words: Annotated[int, typer.Option(min=2, help="Maximum number of words.")] = 50_000,
    min_count: Annotated[int, typer.Option(min=1, help="Minimum occurrences of a word.")] = 15,
    dimensions: Annotated[int, typer.Option(min=2, help="Of each of the two parts.")] = 200,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the text.")] = 2,
    seed: Seed = 0,
    replace: Replace = False,
    quiet: Quiet = False,
) -> None:
    """Train the word vectors of a matching model.

    Example:

    python -m spacy_selectra labels words corpus.jsonl.zst vectors
    """
    from spacy_selectra.corpus.documents import read_documents
    from spacy_selectra.matching.origin import file_name
    from spacy_selectra.matching.storage import save_vectors
    from spacy_selectra.matching.word_vectors import VectorSettings, train_vectors

    paths, out = split_new_file(sources, replace)
    settings = VectorSettings(
        dimensions=dimensions, epochs=epochs, max_words=max_words, min_count=min_count
    )
    texts = (document.text for document in read_documents(paths, text_key))
    trained = train_vectors(texts, settings, seed=seed, quiet=quiet)
    trained.origin["files"] = [file_name(path) for path in paths]
    save_vectors(trained, out)
    if not quiet:
        typer.echo(f"{out}: vectors of {len(trained.words):,} words")


@labels_app.command("enrich")
def enrich(
    folders: Annotated[
        list[str],
        typer.Argument(metavar="SRC OUT", help="Output folder of `labels words`, a new folder."),
    ],
    encoder: Annotated[
        str, typer.Option(help="Folder or hub id of an encoder of sentences (mean of all pieces).")
    ],
    prefix: Annotated[str, typer.Option(help="Text before every word.")] = "",
    weight: Annotated[float, typer.Option(min=0, help="Weight of the encoder's part.")] = 1.2,
    dimensions: Annotated[int, typer.Option(min=2, help="Of the result.")] = 400,
    replace: Replace = False,
    quiet: Quiet = False,
) -> None:
    """Add to word vectors what an encoder of sentences knows of the words.

    Example:

    python -m spacy_selectra labels enrich vectors richer --encoder intfloat/multilingual-e5-small
    --prefix "query: "
    """
    from spacy_selectra.matching.encoder_vectors import EncoderVectorSettings, add_encoder_vectors
    from spacy_selectra.matching.storage import load_vectors, save_vectors

    [source, *more], out = split_new_file(folders, replace)
    if more:
        raise SelectraError("labels enrich: expected one folder of word vectors and a new folder")
    settings = EncoderVectorSettings(prefix, weight, dimensions)
    save_vectors(add_encoder_vectors(load_vectors(source), encoder, settings, quiet=quiet), out)
    if not quiet:
        typer.echo(f"{out}: vectors of {dimensions} numbers")


@labels_app.command("match")
def match(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SRC[:TEXT:LABEL]... OUT",
            help="Texts and labels (.jsonl, .tsv, .csv) in columns TEXT and LABEL, then a folder.",
        ),
    ],
    vectors: Annotated[Path, typer.Option(help="Output folder of `labels words`.")],
    text_key: TextKey = "text",
    label_key: LabelKey = "label",
    steps: Annotated[int, typer.Option(min=1, help="Updates.")] = 300,
    about: Annotated[
        Path | None,
        typer.Option(help="YAML of sources and limits, for the model card of a pipeline."),
    ] = None,
    seed: Seed = 0,
    replace: Replace = False,
    quiet: Quiet = False,
) -> None:
    """Train a model that matches labels with texts, for zero-shot labels.

    A tenth of the labels of each file is held out; probabilities are calibrated on them.

    Example:

    python -m spacy_selectra labels match laws.tsv:texto:materia intents.tsv:texto:nombre matching
    --vectors vectors
    """
    from spacy_selectra.finetuning.data.labelled_texts import read_pairs
    from spacy_selectra.matching.calibrate import calibrate
    from spacy_selectra.matching.origin import pairs_record, read_origin
    from spacy_selectra.matching.pairs import keep_back_labels
    from spacy_selectra.matching.storage import load_vectors, save_matching
    from spacy_selectra.matching.train import MatchingSettings, train_matching

    addresses, out = split_new_file(sources, replace)
    said = read_origin(about) if about is not None else {}
    pairs = {}
    for address in addresses:
        path, *columns = address.split(":")
        pairs[address] = read_pairs(path, *(columns or (text_key, label_key)))
    trained, kept = keep_back_labels(pairs, seed=seed)
    known = load_vectors(vectors)
    model = train_matching(known, trained, MatchingSettings(steps=steps), seed=seed, quiet=quiet)
    model.origin.update(said, pairs=pairs_record(pairs))
    save_matching(calibrate(model, kept or trained, seed=seed), out)
    if not quiet:
        count = sum(len(some) for some in pairs.values())
        typer.echo(f"{out}: trained on {count:,} pairs of text and label")


@labels_app.command("pseudo")
def pseudo(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SRC... OUT", help="Text (.txt, .jsonl, .parquet), then a .jsonl file."
        ),
    ],
    examples: Annotated[
        list[Path], typer.Option(help="Texts and labels (.jsonl, .tsv, .csv); repeatable.")
    ],
    model: Annotated[Path, typer.Option(help="Output folder of `labels match`.")],
    least: Annotated[
        float, typer.Option(min=0, max=1, help="Probability that a label needs.")
    ] = 0.6,
    per_label: Annotated[int, typer.Option(min=1, help="Maximum texts of a label.")] = 2500,
    min_words: Annotated[int, typer.Option(min=1, help="Shortest text.")] = 8,
    max_words: Annotated[
        int, typer.Option(min=1, help="Of longer documents take a stretch of sentences.")
    ] = 40,
    text_key: TextKey = "text",
    label_key: LabelKey = "label",
    seed: Seed = 0,
    replace: Replace = False,
    quiet: Quiet = False,
) -> None:
    """Label plain text by examples and word vectors, for a classifier to learn from.

    Example:

    python -m spacy_selectra labels pseudo news.jsonl.zst pseudo.jsonl --examples topics.jsonl
    --model matching
    """
    from numpy.random import default_rng

    from spacy_selectra.corpus.documents import read_documents
    from spacy_selectra.finetuning.data.labelled_texts import read_pairs, stretch
    from spacy_selectra.matching.pseudo_labels import PseudoLabelSettings, pseudo_labels
    from spacy_selectra.matching.storage import load_matching
    from spacy_selectra.util.files import write_json_lines

    paths, out = split_new_file(sources, replace)
    known = [pair for path in examples for pair in read_pairs(path, text_key, label_key)]
    random = default_rng(seed)
    stretches = (
        stretch(
            document.text, int(random.integers(min_words, max(min_words, max_words) + 1)), random
        )
        for document in read_documents(paths, text_key)
    )
    texts = (text for text in stretches if len(text.split()) >= min_words)
    settings = PseudoLabelSettings(least, per_label, seed)
    found = pseudo_labels(load_matching(model), known, texts, settings)
    count = write_json_lines(out, ({"text": text, "label": label} for text, label in found))
    if not quiet:
        typer.echo(f"{out}: {count:,} texts")


@labels_app.command("textcat")
def textcat(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SRC... OUT", help="Texts and labels (.jsonl, .tsv, .csv), then a folder."
        ),
    ],
    model: Annotated[Path, typer.Option(help="Output folder of `labels match`.")],
    text_key: TextKey = "text",
    label_key: LabelKey = "label",
    replace: Replace = False,
    quiet: Quiet = False,
) -> None:
    """Train a textcat on the words of texts, which needs no encoder.

    It is logistic regression on the word vectors of a matching model. The folder is a pipeline, and
    a part for `package assemble --textcat`. A file given twice counts twice.

    Example:

    python -m spacy_selectra labels textcat topics.jsonl textcat --model matching
    """
    from spacy_selectra.finetuning.data.labelled_texts import read_pairs
    from spacy_selectra.matching.classifier import train_classifier
    from spacy_selectra.matching.storage import load_matching
    from spacy_selectra.packaging.textcat_pipeline import textcat_pipeline
    from spacy_selectra.util.files import atomic_directory

    paths, out = split_new_file(sources, replace)
    known = [pair for path in paths for pair in read_pairs(path, text_key, label_key)]
    matching = load_matching(model)
    classifier = train_classifier(matching, known)
    with atomic_directory(out) as directory:
        textcat_pipeline(matching.index.words, classifier).to_disk(directory)
    if not quiet:
        typer.echo(f"{out}: {len(classifier.labels)} labels, trained on {len(known):,} texts")
