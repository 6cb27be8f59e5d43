"""The model card of a packaged pipeline, written from its meta and nothing else."""

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
    "replaced_auc": "words replaced at random, area under the ROC curve",
    "rtd_auc": "pieces replaced by the generator, area under the ROC curve",
}
COMPONENTS = {
    "transformer": "the encoder shared by the components that listen to it",
    "ner": "named entities in `doc.ents`",
    "textcat": "topic scores in `doc.cats`",
    "zero_shot": "scores for labels given at call time, from an entailment model",
    "replaced": "the probability, in `token._.replaced`, that a word was replaced",
}


def model_card(meta: Mapping[str, Any], comparison: str = "") -> str:
    """Markdown: what the package holds, its data and licences, measured scores, limits.

    The table of encoders stands between the markers that `selectra report --into` looks for.

    Args:
        meta: the pipeline's `meta.json`, with the scores under `performance` and what
            `assemble` was told about the data under `sources`, `training` and `limits`.
        comparison: table of encoders in Markdown, none if empty.
    """
    name = f"{meta['lang']}_{meta['name']}"
    parts = [
        f"# {name} {meta['version']}",
        meta.get("description", ""),
        "## Use",
        f'```python\nimport spacy\n\nnlp = spacy.load("{name}")\n```',
        "Nothing is fetched when it is loaded: all weights are inside the package.",
        "## Components",
        _components(meta),
        "## Scores",
        _scores(meta.get("performance") or {}),
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
        _table(("what", "value"), (meta.get("training") or {}).items()),
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
        shown = ", ".join(f"`{label}`" for label in labels.get(component) or [])
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
            ("whole pipeline, words a second where it was measured", f"{scores['speed']:.0f}")
        )
    if not rows:
        return "Not measured."
    return _table(("measured on the test files", "score"), rows)


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
