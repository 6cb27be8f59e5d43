"""The model card of a packaged pipeline, from its meta.json."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from spacy_selectra.finetuning.report.markdown import BEGIN, END

SCORES = {
    "ents_f": "entities, F1",
    "ents_p": "entities, precision",
    "ents_r": "entities, recall",
    "cats_acc": "topics (`textcat`), accuracy",
    "cats_macro_f": "topics (`textcat`), macro F1",
    "zero_shot_acc": "zero-shot topics, accuracy",
    "zero_shot_macro_f": "zero-shot topics, macro F1",
    "tag_acc": "tags, accuracy",
    "pos_acc": "parts of speech, accuracy",
    "morph_acc": "morphological features, accuracy",
    "lemma_acc": "lemmas, accuracy",
    "sents_f": "sentences in running text, F1",
    "boundaries_f": "boundaries between sentences in running text, F1",
    "replaced_auc": "words replaced at random, area under the ROC curve",
    "rtd_auc": "pieces replaced by the generator, area under the ROC curve",
}
# limits of zero-shot labels by matching
MATCHING_LIMITS = (
    "A label is represented by its words only. Ambiguous or very general labels are matched badly: "
    "describe them, or give them several wordings. A label without known words is refused.",
    "Words are compared one by one, so roles (who did what to whom) and negation are ignored.",
    "Probabilities were calibrated on other labels and texts. Before you rely on a threshold, test "
    "it on your own.",
)
_MOST_LABELS = 30  # that are listed; a morphologizer has hundreds
COMPONENTS = {
    "transformer": "the encoder shared by the components that listen to it",
    "senter": "sentence starts",
    "tagger": "parts of speech in `token.tag_`",
    "morphologizer": "parts of speech in `token.pos_`, features in `token.morph`",
    "lemmatizer": "lemmas in `token.lemma_`",
    "ner": "named entities in `doc.ents`",
    "textcat": "topic scores in `doc.cats`",
    "zero_shot": "scores for labels given at call time",
    "replaced": "the probability, in `token._.replaced`, that a word was replaced",
}


def model_card(meta: Mapping[str, Any], comparison: str = "") -> str:
    """The model card in Markdown: components, data and licences, scores, limits.

    The table of encoders is between the markers of `selectra report --into`.

    Args:
        meta: the pipeline's `meta.json`, with the scores under `performance`, and `sources`,
            `training` and `limits` from `assemble`.
        comparison: table of encoders in Markdown, may be empty.
    """
    name = f"{meta['lang']}_{meta['name']}"
    parts = [
        f"# {name} {meta['version']}",
        meta.get("description", ""),
        "## Use",
        f'```python\nimport spacy\n\nnlp = spacy.load("{name}")\n```',
        "All weights are in the package; nothing is downloaded when it is loaded.",
        "## Components",
        _components(meta),
        "## Scores",
        _scores(meta.get("performance") or {}),
        *_zero_shot(meta),
        *(
            ["## The encoder among others", f"{BEGIN}\n\n{comparison}\n\n{END}"]
            if comparison
            else []
        ),
        "## Data and licences",
        f"Licence of the package: {meta.get('license') or 'not stated'}.",
        _table(
            ("source", "licence", "use"),
            [_source(source) for source in meta.get("sources") or []],
        ),
        "## Training",
        _table(("what", "value"), meta["training"].items())
        if meta.get("training")
        else "No pretraining of its own is on record: "
        "the sources say where the encoder comes from.",
        "## Limits",
        "\n".join(f"- {limit}" for limit in meta.get("limits") or []) or "None were recorded.",
        "## Requirements",
        "\n".join(f"- `{requirement}`" for requirement in meta.get("requirements") or []),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _components(meta: Mapping[str, Any]) -> str:
    labels = meta.get("labels") or {}
    rows = []
    for component in meta.get("pipeline") or []:
        meaning = COMPONENTS.get(component, "")
        own = labels.get(component) or []
        shown = _names(own) if len(own) <= _MOST_LABELS else f"{len(own)} labels"
        rows.append((f"`{component}`", meaning, shown))
    return _table(("component", "gives", "labels"), rows)


def _scores(scores: Mapping[str, Any]) -> str:
    rows = [(what, f"{scores[key]:.3f}") for key, what in SCORES.items() if key in scores]
    rows += [
        (f"entities of type {label}, F1", f"{value['f']:.3f}")
        for label, value in (scores.get("ents_per_type") or {}).items()
    ]
    if "speed" in scores:
        rows.append(
            ("whole pipeline, words per second where it was measured", f"{scores['speed']:.0f}")
        )
    if not rows:
        return "Not measured."
    return _table(("measured on the test files", "score"), rows)


def _zero_shot(meta: Mapping[str, Any]) -> list[str]:
    """Section on training and evaluation of zero-shot labels, empty without such a component."""
    if "zero_shot" not in (meta.get("pipeline") or []):
        return []
    parts = ["## Zero-shot labels"]
    scores = meta.get("performance") or {}
    if asked := scores.get("zero_shot_labels"):
        left_out = scores.get("zero_shot_left_out") or []
        count = len(asked) + len(left_out)
        parts.append(
            f"Measured on texts of {count} topics (chance {1 / count:.2f}), their names as labels: "
            f"{_names(asked)}."
            + (
                f" Counted as wrong, because the model refuses them: {_names(left_out)}."
                * bool(left_out)
            )
        )
    if "matching" not in meta:
        return [*parts, "The component classifies the entailment of each label by each text."]
    made = meta["matching"]
    vectors = made.get("vectors") or {}
    parts.append(
        "The component reads a text once and compares its words with those of each label."
        + (
            f" It has vectors of {vectors['words with vectors']:,} words, trained on "
            f"{vectors['words read']:,} words of text."
            if {"words with vectors", "words read"} <= vectors.keys()
            else ""
        )
        + " It was trained on texts with labels:"
    )
    rows = [(f"`{one['file']}`", one["pairs"], one["labels"]) for one in made.get("pairs") or []]
    parts.append(_table(("file", "pairs", "different labels"), rows))
    parts.append("\n".join(f"- {limit}" for limit in MATCHING_LIMITS))
    return parts


def _names(labels: Iterable[str]) -> str:
    return ", ".join(f"`{label}`" for label in labels)


def _source(source: Mapping[str, Any] | str) -> Sequence[str]:
    if isinstance(source, str):
        return (source, "", "")
    name, url = source.get("name", ""), source.get("url")
    return (
        f"[{name}]({url})" if url else name,
        source.get("license", ""),
        source.get("use", ""),
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [_row(header), _row(["---"] * len(header)), *(_row(row) for row in rows)]
    return "\n".join(lines) if len(lines) > 2 else "Nothing was recorded."


def _row(cells: Sequence[Any]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
