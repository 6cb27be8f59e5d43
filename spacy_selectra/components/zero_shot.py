"""`selectra_zero_shot`: document labels without training, by matching words or by entailment.

Imported whenever spaCy makes its first pipeline: nothing heavy at module level. Annotations
are not postponed, because spaCy reads the factory's own as types.
"""

import warnings
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import get_torch_default_device

from spacy_selectra.components.checked import (
    GivenLabels,
    Wordings,
    check_labels,
    check_template,
    one_of,
    strings,
)
from spacy_selectra.components.model_component import ModelComponent, use_one_thread_if_forked
from spacy_selectra.errors import SelectraError
from spacy_selectra.util.files import read_json, write_json

if TYPE_CHECKING:
    from spacy_selectra.finetuning.entailment import EntailmentScorer
    from spacy_selectra.matching.scorer import MatchingScorer

EXAMPLES_FILE = "examples.json"

DEFAULT_TEMPLATE = "Este ejemplo es {}."
# Those of encoder/precision.py and finetuning/entailment.py, which import torch.
PRECISIONS = ("auto", "fp32", "fast", "bf16", "int8")
LONG_TEXTS = ("cut", "max", "mean")


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
    )


class ZeroShotClassifier(ModelComponent):
    """Scores labels in `doc.cats` that nothing was trained for.

    The model is of one of two kinds. A *matching* model (`selectra labels match`) reads a text
    once and compares its words with those of the labels: fast, whatever the number of labels, and
    one label's words do not change what another gets when each is judged alone. An *entailment*
    model (`selectra finetune` on sentence pairs, or a published one) reads each text with each
    label and tells how far "Este ejemplo es {label}." follows (Yin et al. 2019); its scores are
    those of transformers' zero-shot pipeline.

    Scores are added to `doc.cats`: labels of other components stay, but a label that is already
    there is overwritten, with one warning, so give two classifiers different labels. A document
    without words gets 0 for every label. Without labels the component does nothing, and the
    model is not even read.

    Labels are names, or a mapping of names to what stands for them: a description, or several
    wordings of which the one that fits best counts. A matching model refuses a label of whose
    words it knows none.

    With `none`, alternatives leave room for that answer: no label fits (matching models).

    A text longer than an entailment model takes beside the longest hypothesis is cut at its end,
    which is announced once; `truncated` counts all such texts. With `long_texts` "max" or "mean"
    it is read in windows of nearly equal size, cut after a sentence or at a space, and a label gets
    its highest or mean score of all windows ("max" finds a subject dealt with somewhere, "mean"
    what the text is about on the whole); alternatives are then scaled to add up to 1 again. A
    matching model reads all of a text.

    Args:
        name: name in the pipeline.
        labels: labels every document is scored for.
        hypothesis_template: sentence with {} where the label goes.
        multi_label: judge every label alone, instead of as alternatives that add up to 1.
        model: directory or hub id of a model, None if it comes with the pipeline.
        precision: "fp32", "fast" (float32 through the faster library), "bf16", "auto" (bf16
            where the device computes it natively, else "fast") or "int8", see
            `encoder.precision.precision`.
        long_texts: "cut", "max" or "mean", see above.
        none: name of the answer that no label fits; None leaves it out.

    Raises:
        SelectraError: a template without {}, labels that are empty or not distinct, an unknown
            precision or way with long texts.
    """

    precision = one_of(PRECISIONS)
    long_texts = one_of(LONG_TEXTS)

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
    ) -> None:
        super().__init__(name, model)
        self.precision = precision
        self.long_texts = long_texts
        self.labels = labels
        self._examples: dict[str, list[str]] = {}
        self.hypothesis_template = check_template(hypothesis_template, DEFAULT_TEMPLATE)
        self.multi_label = multi_label
        self.none = none
        self.truncated = 0
        self._warned_of_overwriting = False

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels every document is scored for; for others call `classify`.

        Those set here are not stored with a pipeline, unlike those of its configuration. Setting
        them raises SelectraError if they are empty, not distinct or no strings.
        """
        return tuple(self._labels)

    @labels.setter
    def labels(self, labels: GivenLabels) -> None:
        self._labels = check_labels(labels)

    def add_label(self, label: str) -> int:
        """Score every document for one label more; 0 if it is there already, else 1.

        Raises:
            SelectraError: it is empty or no string.
        """
        added = check_labels([label])
        if label in self._labels:
            return 0
        self._labels = self._labels | added
        return 1

    def fit(self, examples: Mapping[str, Iterable[str]]) -> None:
        """Learn from a few texts of each label, in seconds; matching models only.

        These become the component's labels, and are stored with the pipeline. Examples count where
        one label is right, not where each is judged alone.

        Args:
            examples: texts by label, one at least for each.

        Raises:
            SelectraError: a label without an example, an entailment model, or no strings.
        """
        texts = {name: strings(f"examples of '{name}'", own) for name, own in examples.items()}
        wordings = {
            name: self._labels.get(name, own) for name, own in check_labels([*texts]).items()
        }
        self._learn(wordings, texts)

    def _learn(self, wordings: Wordings, examples: dict[str, list[str]]) -> None:
        if not _matches(self.loaded_model):
            raise SelectraError("fit needs a matching model; this one is of entailment")
        self.loaded_model.fit(wordings, examples)
        self._labels, self._examples = wordings, examples

    def annotate(self, docs: list[Doc]) -> None:
        """Add the scores of all labels to `doc.cats`."""
        if not self._labels or not docs:
            return
        for doc, scores in zip(docs, self.classify(docs), strict=True):
            taken = sorted(scores.keys() & doc.cats.keys())
            if taken and not self._warned_of_overwriting:
                self._warned_of_overwriting = True
                warnings.warn(
                    f"{self.name}: label '{taken[0]}' is already in doc.cats and is overwritten "
                    "(said once)",
                    UserWarning,
                    stacklevel=2,
                )
            doc.cats.update(scores)

    def classify(
        self,
        docs: Iterable[Doc | str],
        labels: GivenLabels | Iterable[GivenLabels] | None = None,
        *,
        hypothesis_template: str | None = None,
        multi_label: bool | None = None,
        per_document: bool = False,
    ) -> list[dict[str, float]]:
        """Score labels given now, without touching the documents.

        Args:
            docs: documents or texts, or any column of them, as of pandas or numpy.
            labels: labels to score, any such column, or a mapping of names to wordings; the
                component's own if None. So with the others.
            hypothesis_template: sentence with {} where the label goes.
            multi_label: judge every label alone.
            per_document: `labels` holds labels for each document, in the order of the documents.

        Returns:
            A score in [0, 1] by label for every document, in the order of the labels.

        Raises:
            SelectraError: no model, a model without an entailment label, or unusable arguments.
        """
        if isinstance(docs, str | Doc):
            raise SelectraError("classify takes a list of documents or texts, not a single one")
        texts = strings("texts", docs, lambda item: item.text if isinstance(item, Doc) else item)
        template = self.hypothesis_template
        if hypothesis_template is not None:
            template = check_template(hypothesis_template, DEFAULT_TEMPLATE)
        alone = self.multi_label if multi_label is None else multi_label
        if not per_document:
            wordings = self._labels if labels is None else check_labels(labels)
            return self._scores(texts, wordings, template, alone)
        sets = [check_labels(own) for own in labels or ()]
        if len(sets) != len(texts):
            raise SelectraError(f"there are labels for {len(sets)} of {len(texts)} documents")
        results: list[dict[str, float]] = []
        for own, some in groupby(zip(texts, sets, strict=True), lambda one: list(one[1].items())):
            results += self._scores([text for text, _ in some], dict(own), template, alone)
        return results

    def cut(
        self,
        docs: Iterable[Doc | str],
        labels: GivenLabels | None = None,
        *,
        hypothesis_template: str | None = None,
    ) -> list[bool]:
        """Whether `classify`, called alike, leaves the end of a document unread.

        Raises:
            SelectraError: as there.
        """
        texts = strings("texts", docs, lambda item: item.text if isinstance(item, Doc) else item)
        if _matches(self.loaded_model) or self.long_texts != "cut":
            return [False] * len(texts)
        wordings = self._labels if labels is None else check_labels(labels)
        template = self.hypothesis_template
        if hypothesis_template is not None:
            template = check_template(hypothesis_template, DEFAULT_TEMPLATE)
        return self.loaded_model.too_long(texts, wordings, template)

    def _scores(
        self, texts: list[str], wordings: Wordings, template: str, alone: bool
    ) -> list[dict[str, float]]:
        names = list(wordings)
        if self.none is not None and not alone:
            if self.none in wordings:
                raise SelectraError(f"'{self.none}' is the name of a label, and of none of them")
            names.append(self.none)
        results = [dict.fromkeys(names if wordings else (), 0.0) for _ in texts]
        wordful = [place for place, text in enumerate(texts) if text.strip()]
        if not wordings or not wordful:
            return results
        use_one_thread_if_forked()
        some = [texts[place] for place in wordful]
        scores = self._probabilities(some, wordings, template, alone)
        for place, row in zip(wordful, scores.tolist(), strict=True):
            if len(row) < len(names):
                row.append(max(0.0, 1 - sum(row)))
            results[place] = dict(zip(names, row, strict=True))
        return results

    def _probabilities(
        self, texts: list[str], wordings: Wordings, template: str, alone: bool
    ) -> np.ndarray:
        """(texts, labels) in [0, 1]."""
        scorer = self.loaded_model
        if _matches(scorer):
            return scorer.probabilities(
                texts, wordings, multi_label=alone, nothing=self.none is not None
            )
        if self.none is not None:
            raise SelectraError("'none' needs a matching model; this one is of entailment")
        scores, truncated = scorer.probabilities(texts, wordings, template, multi_label=alone)
        self._announce(truncated, len(texts), scorer.max_length)
        return scores

    def load(self, directory: Path) -> "EntailmentScorer | MatchingScorer":
        """Read a matching model, or an entailment model and its tokenizer."""
        from spacy_selectra.matching.storage import is_matching_model, load_matching

        if is_matching_model(directory):
            from spacy_selectra.matching.scorer import MatchingScorer

            return MatchingScorer(load_matching(directory))
        from spacy_selectra.finetuning.entailment import EntailmentScorer

        device = get_torch_default_device()
        settings = {"mode": self.precision, "long_texts": self.long_texts}
        return EntailmentScorer.of(directory, device, **settings)

    def _needed_at_once(self) -> bool:
        stored = isinstance(self._source, Path) and (self._source / EXAMPLES_FILE).is_file()
        return bool(self._labels) or stored

    def round_to_half(self) -> None:
        """Round an entailment model's weights; a matching model's vectors are bytes already."""
        if not _matches(self.loaded_model):
            super().round_to_half()

    def _network(self) -> Any:
        return self.loaded_model.model

    def _save(self, directory: Path) -> None:
        if not _matches(self.loaded_model):
            super()._save(directory)
            return
        from spacy_selectra.matching.storage import save_matching

        save_matching(self.loaded_model.model, directory)
        if self._examples:
            stored = {"labels": self._labels, "examples": self._examples}
            write_json(directory / EXAMPLES_FILE, stored)

    def _read(self, directory: Path) -> None:
        super()._read(directory)
        if (directory / EXAMPLES_FILE).is_file():
            stored = read_json(directory / EXAMPLES_FILE)
            self._learn(check_labels(stored["labels"]), stored["examples"])

    def _announce(self, truncated: int, texts: int, limit: int) -> None:
        if truncated and not self.truncated:
            warnings.warn(
                f"{self.name}: {truncated} of {texts} texts are longer than the model's {limit} "
                "pieces and were cut at their end (said once; see its attribute 'truncated'; "
                'long_texts = "max" or "mean" reads all of them)',
                UserWarning,
                stacklevel=3,
            )
        self.truncated += truncated


def _matches(scorer: Any) -> bool:
    return hasattr(scorer, "fit")
