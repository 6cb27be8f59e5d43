"""`selectra_replaced` as a trainable component on the shared encoder.

spaCy imports this module with its first pipeline: no heavy imports at module level.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.scorer import ROCAUCScore
from spacy.tokens import Doc, Span, SpanGroup, Token
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Model

from spacy_selectra.components.checked import Checked, is_share, own_extension
from spacy_selectra.util.arrays import binary_loss, sigmoid

SPANS_KEY = "replaced"
SPAN_LABEL = "REPLACED"


class ReplacedWordTagger(TrainablePipe):
    """Sets `token._.replaced`, the probability that a word replaces the original one, and
    `doc.spans["replaced"]`, like `ReplacedWordDetector`.

    Training data are documents with replaced words in `doc.spans["replaced"]`, such as from
    `spacy-selectra.Replaced.v1`; other documents are ignored.

    Args:
        vocab: the pipeline's vocabulary.
        model: from documents to one (words, 1) array of logits each.
        name: name in the pipeline.
        threshold: probability in [0, 1] above which a word counts as replaced.

    Raises:
        SelectraError: `threshold` out of range.
    """

    threshold: Checked[float] = Checked(is_share, "in [0, 1]")

    def __init__(self, vocab: Vocab, model: Model, name: str, *, threshold: float = 0.5) -> None:
        super().__init__(vocab, model, name)
        self.threshold = threshold
        own_extension(Token, "replaced", 0.0)

    def initialize(
        self, get_examples: Callable[[], Iterable[Example]], *, nlp: Language | None = None
    ) -> None:
        """Initialise the weights; there are no labels."""
        validate_get_examples(get_examples, "ReplacedWordTagger.initialize")
        self.model.get_ref("output_layer").set_dim("nO", 1)
        documents = [example.x for example in islice(get_examples(), 10)]
        self.model.initialize(X=documents)

    def predict(self, docs: Iterable[Doc]) -> list[np.ndarray]:
        """(tokens,) float32 probabilities for each document, without setting annotations."""
        docs = list(docs)
        found = []
        for doc, logits in zip(docs, self.model.predict(docs), strict=True):
            words = sigmoid(self.model.ops.to_numpy(logits)[:, 0])
            words[[token.is_space for token in doc]] = 0
            found.append(words)
        return found

    def set_annotations(self, docs: Iterable[Doc], scores: Iterable[np.ndarray]) -> None:
        """Set the probabilities from `predict`, and the span groups."""
        for doc, words in zip(docs, scores, strict=True):
            set_replaced(doc, words, self.threshold)

    def get_loss(self, examples: Iterable[Example], scores: list[Any]) -> tuple[float, list[Any]]:
        """Mean binary cross-entropy over the words of annotated documents, and the gradient of
        each (words, 1) array."""
        examples = list(examples)
        validate_examples(examples, "ReplacedWordTagger.get_loss")
        truths = [_truth(example) for example in examples]
        xp = self.model.ops.xp
        logits = xp.concatenate(scores)[:, 0]
        loss, gradient = binary_loss(logits, self.model.ops.asarray(np.concatenate(truths)))
        ends = np.cumsum([len(truth) for truth in truths])[:-1]
        return loss, xp.split(gradient[:, None], ends.tolist())

    def score(self, examples: Iterable[Example], **options: Any) -> dict[str, Any]:
        """`replaced_auc`: area under the ROC curve over the words of annotated documents."""
        curve = ROCAUCScore()
        for example in examples:
            for token, right in zip(example.predicted, _truth(example).tolist(), strict=True):
                if not math.isnan(right):
                    curve.score_set(token._.replaced, int(right))
        return {"replaced_auc": curve.score if curve.is_binary() else None}


def set_replaced(doc: Doc, words: np.ndarray, threshold: float) -> None:
    """Set (tokens,) probabilities of a document's words, and spans of words above the threshold."""
    own_extension(Token, "replaced", 0.0)
    flagged = np.flatnonzero(words > threshold).tolist()
    for token, probability in zip(doc, words.tolist(), strict=True):
        token._.replaced = probability
    doc.spans[SPANS_KEY] = SpanGroup(
        doc,
        name=SPANS_KEY,
        attrs={"scores": words[flagged]},
        spans=[Span(doc, place, place + 1, label=SPAN_LABEL) for place in flagged],
    )


def _truth(example: Example) -> np.ndarray:
    """(tokens,) float32 for the predicted document, 1 for replaced words; NaN without
    annotation."""
    reference = example.reference
    if SPANS_KEY not in reference.spans:
        return np.full(len(example.predicted), np.nan, dtype=np.float32)
    flags = np.zeros(len(reference), dtype=np.float32)
    for span in reference.spans[SPANS_KEY]:
        flags[span.start : span.end] = 1
    aligned = example.alignment.x2y
    truth = np.zeros(len(example.predicted), dtype=np.float32)
    tokens = np.repeat(np.arange(len(truth)), aligned.lengths)
    np.maximum.at(truth, tokens, flags[aligned.data])
    return truth


__all__ = ["SPANS_KEY", "SPAN_LABEL", "ReplacedWordTagger", "set_replaced"]
