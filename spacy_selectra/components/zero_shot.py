"""`selectra_zero_shot`: document labels without training, by entailment (Yin et al. 2019).

Imported whenever spaCy makes its first pipeline: nothing heavy at module level. Annotations
are not postponed, because spaCy reads the factory's own as types.
"""

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy.language import Language
from spacy.tokens import Doc

from spacy_selectra.components.model_component import (
    ModelComponent,
    default_device,
    use_one_thread_if_forked,
)
from spacy_selectra.errors import SelectraError

if TYPE_CHECKING:
    from spacy_selectra.finetuning.zero_shot import EntailmentScorer

DEFAULT_TEMPLATE = "Este ejemplo es {}."
# Those of encoder/precision.py and finetuning/zero_shot.py, which import torch.
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
    },
)
def make_zero_shot(
    nlp: Language,
    name: str,
    labels: list[str],
    hypothesis_template: str,
    multi_label: bool,
    model: str | None,
    precision: str,
    long_texts: str,
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
    )


class ZeroShotClassifier(ModelComponent):
    """Scores labels in `doc.cats` by how far the text entails "Este ejemplo es {label}.".

    Scores are those of transformers' zero-shot pipeline on the same model. They are added to
    `doc.cats`: labels of other components stay, but a label that is already there is
    overwritten, with one warning, so give two classifiers different labels. A document without
    words gets 0 for every label. Without labels the component does nothing, and the model is
    not even read.

    A text longer than the model takes beside the longest hypothesis is cut at its end, which is
    announced once; `truncated` counts all such texts. With `long_texts` "max" or "mean" it is
    read in windows of nearly equal size instead, cut after a sentence or at a space. Each
    window is scored as a text of its own, and a label gets its highest or its mean score of
    all windows; alternatives are then scaled to add up to 1 again. "max" finds a subject that
    is dealt with somewhere, "mean" what the text is about on the whole.

    Args:
        name: name in the pipeline.
        labels: labels every document is scored for.
        hypothesis_template: sentence with {} where the label goes.
        multi_label: judge every label alone, instead of as alternatives that add up to 1.
        model: directory or hub id of an entailment model, None if it comes with the pipeline.
        precision: "fp32", "fast" (float32 through the faster library), "bf16", "auto" (bf16
            where the device computes it natively, else "fast") or "int8", see
            `encoder.precision.precision`.
        long_texts: "cut", "max" or "mean", see above.

    Raises:
        SelectraError: a template without {}, labels that are empty or not distinct, an unknown
            precision or way with long texts.
    """

    def __init__(
        self,
        name: str = "selectra_zero_shot",
        *,
        labels: Sequence[str] = (),
        hypothesis_template: str = DEFAULT_TEMPLATE,
        multi_label: bool = False,
        model: str | None = None,
        precision: str = "fast",
        long_texts: str = "cut",
    ) -> None:
        super().__init__(name, model)
        self.precision = _check_choice("precision", precision, PRECISIONS)
        self.long_texts = _check_choice("long_texts", long_texts, LONG_TEXTS)
        self._labels = _check_labels(labels)
        self.hypothesis_template = _check_template(hypothesis_template)
        self.multi_label = multi_label
        self.truncated = 0
        self._warned_of_overwriting = False

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels every document is scored for; for others call `classify`."""
        return self._labels

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
        labels: Sequence[str] | None = None,
        *,
        hypothesis_template: str | None = None,
        multi_label: bool | None = None,
    ) -> list[dict[str, float]]:
        """Score labels given now, without touching the documents.

        Args:
            docs: documents or texts.
            labels: labels to score; the component's own if None. So with the others.
            hypothesis_template: sentence with {} where the label goes.
            multi_label: judge every label alone.

        Returns:
            A score in [0, 1] by label for every document, in the order of the labels.

        Raises:
            SelectraError: no model, a model without an entailment label, or unusable arguments.
        """
        labels = self._labels if labels is None else _check_labels(labels)
        template = self.hypothesis_template
        if hypothesis_template is not None:
            template = _check_template(hypothesis_template)
        if isinstance(docs, str | Doc):
            raise SelectraError("classify takes a list of documents or texts, not a single one")
        texts = [doc if isinstance(doc, str) else doc.text for doc in docs]
        results = [dict.fromkeys(labels, 0.0) for _ in texts]
        wordful = [place for place, text in enumerate(texts) if text.strip()]
        if not labels or not wordful:
            return results
        use_one_thread_if_forked()
        scorer: EntailmentScorer = self.loaded_model
        scores, truncated = scorer.scores(
            [texts[place] for place in wordful],
            [template.replace("{}", label) for label in labels],
            multi_label=self.multi_label if multi_label is None else multi_label,
        )
        self._announce(truncated, len(wordful), scorer.max_length)
        for place, row in zip(wordful, scores.tolist(), strict=True):
            results[place] = dict(zip(labels, row, strict=True))
        return results

    def load(self, directory: Path) -> "EntailmentScorer":
        """Read an entailment model and its tokenizer."""
        from spacy_selectra.encoder.checkpoint import load_classifier
        from spacy_selectra.finetuning.zero_shot import EntailmentScorer
        from spacy_selectra.text.tokenizer import load_backend, longest_sequence
        from spacy_selectra.text.windows import cut_evenly

        model = load_classifier(directory).to(default_device())
        return EntailmentScorer(
            model,
            load_backend(directory),
            mode=self.precision,
            long_texts=self.long_texts,
            cut=cut_evenly,
            max_length=longest_sequence(directory, model.config.max_position_embeddings),
        )

    def _needed_at_once(self) -> bool:
        return bool(self._labels)

    def _network(self) -> Any:
        return self.loaded_model.model

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


def _check_choice(setting: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise SelectraError(f"{setting} '{value}' is not one of {', '.join(choices)}")
    return value


def _check_labels(labels: Sequence[str]) -> tuple[str, ...]:
    if isinstance(labels, str):
        raise SelectraError(f"labels must be a list of strings, not the string '{labels}'")
    if empty := [label for label in labels if not str(label).strip()]:
        raise SelectraError(f"a zero-shot label is empty: {empty[0]!r}")
    if len(set(labels)) < len(labels):
        raise SelectraError(f"a zero-shot label is given twice: {', '.join(labels)}")
    return tuple(labels)


def _check_template(template: str) -> str:
    if "{}" not in template:
        raise SelectraError(
            f"hypothesis_template '{template}' has no {{}} where the label goes, "
            f"as in '{DEFAULT_TEMPLATE}'"
        )
    return template
