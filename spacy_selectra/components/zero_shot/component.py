"""`selectra_zero_shot`: zero-shot text classification, with word vectors or by entailment.

spaCy imports this module with its first pipeline: no heavy imports at module level. No postponed
annotations, because spaCy reads those of factories at run time.
"""

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc

from spacy_selectra.components.checked import Checked, check_flag, flag, is_name, mapping, strings
from spacy_selectra.components.model_component import use_one_thread_if_forked
from spacy_selectra.components.zero_shot.given_labels import (
    GivenGroups,
    GivenLabels,
    Wordings,
    check_apart,
    check_groups,
    check_labels,
    check_template,
    is_template,
    plain,
    together,
)
from spacy_selectra.components.zero_shot.model import ZeroShotModel
from spacy_selectra.errors import SelectraError
from spacy_selectra.util.files import read_json, write_json

EXAMPLES_FILE = "examples.json"
DEFAULT_TEMPLATE = "Este ejemplo es {}."


@Language.factory(
    "selectra_zero_shot",
    assigns=["doc.cats"],
    default_config={
        "labels": [],
        "hypothesis_template": DEFAULT_TEMPLATE,
        "multi_label": False,
        "model": None,
        "precision": "fast",
        "long_texts": "cut",
        "none": None,
        "groups": {},
    },
)
def make_zero_shot(
    nlp: Language,
    name: str,
    labels: list[str] | dict[str, str | list[str]],
    hypothesis_template: str,
    multi_label: bool,
    model: str | None,
    precision: str,
    long_texts: str,
    none: str | None,
    groups: dict[str, list[str] | dict[str, str | list[str]]],
) -> "ZeroShotClassifier":
    """Make the component; see `ZeroShotClassifier`."""
    return ZeroShotClassifier(
        name,
        labels=labels,
        hypothesis_template=hypothesis_template,
        multi_label=multi_label,
        model=model,
        precision=precision,
        long_texts=long_texts,
        none=none,
        groups=groups,
    )


class ZeroShotClassifier(ZeroShotModel):
    """Sets zero-shot scores of labels in `doc.cats`.

    There are two kinds of models. A *matching* model (`selectra labels match`) compares the words
    of a text with those of the labels. It is fast for any number of labels, and with `multi_label`
    labels are independent. An *entailment* model (`selectra finetune` on sentence pairs, or a
    published one) runs on each pair of text and label, and predicts whether the text entails
    "Este ejemplo es {label}." (Yin et al. 2019). Its scores are those of transformers' zero-shot
    pipeline.

    Scores are added to `doc.cats`. Existing scores of a label are overwritten, with one warning, so
    use different labels for different classifiers. A document without words has score 0 for every
    label. Without labels the component does nothing and does not load the model.

    Labels are names, or a mapping of names to a description or several wordings, whose maximum
    score counts. A matching model raises an error for labels without known words.

    Labels of a group are exclusive, with scores that sum to 1. Groups are independent, for example
    one for the topic and one for the sentiment. Names of labels must be unique over all groups.

    With `none`, exclusive labels include "none of these" (matching models only), in groups as
    "GROUP: NONE".

    Entailment models truncate long texts, with one warning; `truncated` counts these texts. With
    `long_texts` "max" or "mean" they run on windows of nearly equal length, split at sentences or
    spaces. The score of a label is the maximum ("is the topic mentioned?") or the mean ("is the
    text about it as a whole?") over windows; exclusive scores are normalised again. Matching models
    always use the whole text.

    Args:
        name: name in the pipeline.
        labels: labels to score for every document.
        hypothesis_template: sentence with {} for the label.
        multi_label: score labels independently; otherwise they are exclusive and sum to 1.
        model: directory or hub id of a model, None if it comes with the pipeline.
        precision: "fp32", "fast" (float32 with the faster library), "bf16", "auto" (bf16 with
            native support of the device, otherwise "fast") or "int8", see
            `encoder.precision.precision`.
        long_texts: "cut", "max" or "mean", see above.
        none: name of the label "none of these"; None for no such label.
        groups: labels of each group by its name, in addition to `labels`.

    Raises:
        SelectraError: a template without {}, empty or duplicate labels, an unknown `precision` or
            `long_texts`.
    """

    hypothesis_template: Checked[str] = Checked(
        is_template, "a sentence with {} where the label goes"
    )
    multi_label = flag()
    none: Checked[str | None] = Checked(
        lambda name: name is None or is_name(name), "a name or None"
    )

    def __init__(
        self,
        name: str = "selectra_zero_shot",
        *,
        labels: GivenLabels = (),
        hypothesis_template: str = DEFAULT_TEMPLATE,
        multi_label: bool = False,
        model: str | None = None,
        precision: str = "fast",
        long_texts: str = "cut",
        none: str | None = None,
        groups: GivenGroups | None = None,
    ) -> None:
        super().__init__(name, model, precision, long_texts)
        self._groups: dict[str, Wordings] = {}
        self.labels = labels
        self.groups = groups or {}
        self._examples: dict[str, list[str]] = {}
        self.hypothesis_template = hypothesis_template
        self.multi_label = multi_label
        self.none = none
        self._warned_of_overwriting = False

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels to score for every document; for others call `classify`.

        Unlike those of the configuration, labels set here are not saved with a pipeline. Setting
        them raises SelectraError if they are empty, not distinct or not strings.
        """
        return tuple(self._labels)

    @labels.setter
    def labels(self, labels: GivenLabels) -> None:
        checked = check_labels(labels)
        check_apart(checked, self._groups)
        self._labels = checked

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """Groups of exclusive labels to score for every document.

        As with `labels`, groups set here are not saved. Setting them raises SelectraError if they
        are invalid or a name is already that of another label.
        """
        return {name: tuple(labels) for name, labels in self._groups.items()}

    @groups.setter
    def groups(self, groups: GivenGroups) -> None:
        checked = check_groups(groups)
        check_apart(self._labels, checked)
        self._groups = checked

    def add_label(self, label: str) -> int:
        """Add a label to score for every document; 0 if it exists already, else 1.

        Raises:
            SelectraError: it is empty or not a string.
        """
        added = check_labels([label])
        if plain(label) in map(plain, self._labels):
            return 0
        check_apart(added, self._groups)
        self._labels = self._labels | added
        return 1

    def fit(self, examples: Mapping[str, Iterable[str]]) -> None:
        """Few-shot learning from a few texts per label, in seconds; matching models only.

        These labels become the component's labels and are saved with the pipeline. Examples affect
        exclusive labels only, not `multi_label`.

        Args:
            examples: texts by label, at least one for each.

        Raises:
            SelectraError: a label without examples, an entailment model, or texts that are not
                strings.
        """
        given = dict(mapping("examples", examples))
        texts = {name: strings(f"examples of '{name}'", own) for name, own in given.items()}
        wordings = {
            name: self._labels.get(name, own) for name, own in check_labels([*texts]).items()
        }
        self._learn(wordings, texts)

    def _learn(self, wordings: Wordings, examples: dict[str, list[str]]) -> None:
        if not self.matches:
            raise SelectraError("fit needs a matching model; this is an entailment model")
        check_apart(wordings, self._groups)
        self.loaded_model.fit(wordings, examples)
        self._labels, self._examples = wordings, examples

    def annotate(self, docs: list[Doc]) -> None:
        """Add the scores of all labels to `doc.cats`."""
        if not (self._labels or self._groups) or not docs:
            return
        for doc, scores in zip(docs, self.classify(docs), strict=True):
            taken = sorted(scores.keys() & doc.cats.keys())
            if taken and not self._warned_of_overwriting:
                self._warned_of_overwriting = True
                warnings.warn(
                    f"{self.name}: label '{taken[0]}' is already in doc.cats and is overwritten "
                    "(shown once)",
                    UserWarning,
                    stacklevel=2,
                )
            doc.cats.update(scores)

    def classify(
        self,
        docs: Iterable[Doc | str],
        labels: GivenLabels | Iterable[GivenLabels] | None = None,
        *,
        groups: GivenGroups | None = None,
        hypothesis_template: str | None = None,
        multi_label: bool | None = None,
        per_document: bool = False,
    ) -> list[dict[str, float]]:
        """Score the given labels, without changing the documents.

        Args:
            docs: documents or texts, as a list, pandas column or numpy array.
            labels: labels to score, likewise, or a mapping of names to wordings.
            groups: groups of exclusive labels, by name. The component's labels and groups are used
                only if neither `labels` nor `groups` is given.
            hypothesis_template: sentence with {} for the label; the component's if None.
            multi_label: score each label of `labels` independently; the component's setting if
                None.
            per_document: `labels` has separate labels for each document, in the same order.

        Returns:
            Scores in [0, 1] by label for every document, in the order of the labels.

        Raises:
            SelectraError: no model, a model without an entailment label, or invalid arguments.
        """
        if isinstance(docs, str | Doc):
            raise SelectraError("classify takes a list of documents or texts, not a single one")
        texts = strings("texts", docs, lambda item: item.text if isinstance(item, Doc) else item)
        template = self._template(hypothesis_template)
        alone = self.multi_label if multi_label is None else check_flag("multi_label", multi_label)
        own = labels is None and groups is None
        grouped = self._groups if own else check_groups(groups or {})
        given = () if labels is None else labels
        if per_document:
            sets = [check_labels(some) for some in given]
            if len(sets) != len(texts):
                raise SelectraError(f"got labels for {len(sets)} of {len(texts)} documents")
            runs = together(texts, sets)
        else:
            runs = [(texts, self._labels if own else check_labels(given))]
        results: list[dict[str, float]] = []
        for some, wordings in runs:
            check_apart(wordings, grouped)
            results += self._scores(some, wordings, template, alone, self.none)
        for group, wordings in grouped.items():
            none = None if self.none is None else f"{group}: {self.none}"
            scores = self._scores(texts, wordings, template, False, none)
            for row, more in zip(results, scores, strict=True):
                row.update(more)
        return results

    def cut(
        self,
        docs: Iterable[Doc | str],
        labels: GivenLabels | None = None,
        *,
        hypothesis_template: str | None = None,
    ) -> list[bool]:
        """Whether `classify` would truncate each document; arguments and errors as there."""
        texts = strings("texts", docs, lambda item: item.text if isinstance(item, Doc) else item)
        given = [self._labels, *self._groups.values()] if labels is None else [check_labels(labels)]
        wordings = {name: words for own in given for name, words in own.items()}
        return self.too_long(texts, wordings, self._template(hypothesis_template))

    def _template(self, given: str | None) -> str:
        if given is None:
            return self.hypothesis_template
        return check_template(given, DEFAULT_TEMPLATE)

    def _scores(
        self, texts: list[str], wordings: Wordings, template: str, alone: bool, none: str | None
    ) -> list[dict[str, float]]:
        names = list(wordings)
        if none is not None and not alone:
            if none in wordings:
                raise SelectraError(f"'{none}' is the name of a label, so it cannot be 'none'")
            names.append(none)
        results = [dict.fromkeys(names if wordings else (), 0.0) for _ in texts]
        wordful = [place for place, text in enumerate(texts) if text.strip()]
        if not wordings or not wordful:
            return results
        use_one_thread_if_forked()
        some = [texts[place] for place in wordful]
        nothing = len(names) > len(wordings)
        scores = self.probabilities(some, wordings, template, alone=alone, nothing=nothing)
        for place, row in zip(wordful, scores.tolist(), strict=True):
            if len(row) < len(names):
                row.append(max(0.0, 1 - sum(row)))
            results[place] = dict(zip(names, row, strict=True))
        return results

    def _needed_at_once(self) -> bool:
        stored = isinstance(self._source, Path) and (self._source / EXAMPLES_FILE).is_file()
        return bool(self._labels or self._groups) or stored

    def _save(self, directory: Path) -> None:
        super()._save(directory)
        if self._examples:
            stored = {"labels": self._labels, "examples": self._examples}
            write_json(directory / EXAMPLES_FILE, stored)

    def _read(self, directory: Path) -> None:
        super()._read(directory)
        if (directory / EXAMPLES_FILE).is_file():
            stored = read_json(directory / EXAMPLES_FILE)
            self._learn(check_labels(stored["labels"]), stored["examples"])
