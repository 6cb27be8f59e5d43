"""`selectra_textcat` and `selectra_senter`: spaCy's `textcat` and `senter` beside components that
learn from other documents.

spaCy's own take a document that lacks their annotation for one that has none of it: without
categories, without a sentence start. Trained on a mixed corpus they would unlearn from every
document that was annotated for something else. Its other components leave such documents out.

Imported whenever spaCy makes its first pipeline: nothing heavy at module level. Annotations
are not postponed, because spaCy reads the factory's own as types.
"""

from collections.abc import Iterable
from typing import Any

from spacy.language import Language
from spacy.pipeline import SentenceRecognizer, TextCategorizer
from spacy.training import Example
from thinc.api import Model

LISTENER = {
    "@architectures": "spacy-selectra.TransformerListener.v1",
    "grad_factor": 1.0,
    "upstream": "*",
    "pooling": {"@layers": "reduce_mean.v1"},
}
_UNWEIGHTED = (
    *("cats_score_desc", "cats_micro_p", "cats_micro_r", "cats_micro_f", "cats_macro_p"),
    *("cats_macro_r", "cats_macro_f", "cats_macro_auc", "cats_f_per_type", "cats_auc_per_type"),
)


@Language.factory(
    "selectra_textcat",
    assigns=["doc.cats"],
    default_config={
        "model": {"@architectures": "spacy-selectra.ClsTextCat.v1", "exclusive_classes": True},
        "threshold": 0.0,
    },
    default_score_weights={"cats_score": 1.0, **dict.fromkeys(_UNWEIGHTED)},
)
def make_textcat(
    nlp: Language, name: str, model: Model, threshold: float
) -> "PartialTextCategorizer":
    """Make the component; see `PartialTextCategorizer`."""
    return PartialTextCategorizer(nlp.vocab, model, name, threshold=threshold)


@Language.factory(
    "selectra_senter",
    assigns=["token.is_sent_start"],
    default_config={
        "model": {"@architectures": "spacy-selectra.Tagger.v1", "tok2vec": LISTENER},
        "overwrite": False,
    },
    default_score_weights={"sents_f": 1.0, "sents_p": 0.0, "sents_r": 0.0},
)
def make_senter(nlp: Language, name: str, model: Model, overwrite: bool) -> "PartialSenter":
    """Make the component; see `PartialSenter`."""
    return PartialSenter(nlp.vocab, model, name, overwrite=overwrite)


class PartialTextCategorizer(TextCategorizer):
    """spaCy's `textcat` (one category of several); documents without categories do not count,
    neither in training nor in scores.

    The gradient is the mean over the documents that count.
    """

    @property
    def support_missing_values(self) -> Any:
        """Whether categories that a document does not mention count for nothing."""
        return True

    def get_loss(self, examples: Iterable[Example], scores: Any) -> tuple[float, Any]:
        """Mean squared error, and the gradient, both over the documents that count."""
        examples = list(examples)
        loss, gradient = super().get_loss(examples, scores)
        count = max(1, sum(bool(example.reference.cats) for example in examples))
        return loss * len(examples) / count, gradient / count

    def score(self, examples: Iterable[Example], **options: Any) -> dict[str, Any]:
        """Scores as spaCy's `textcat` computes them, of the documents that count."""
        return super().score([one for one in examples if one.reference.cats], **options)


class PartialSenter(SentenceRecognizer):
    """spaCy's `senter`; documents without any sentence start do not count in training."""

    def get_loss(self, examples: Iterable[Example], scores: Any) -> tuple[float, Any]:
        """Sum of the cross-entropies of the words that count, and their gradients."""
        examples = list(examples)
        counting = [one.reference.has_annotation("SENT_START") for one in examples]
        gradients = [self.model.ops.xp.zeros_like(own) for own in scores]
        places = [place for place, counts in enumerate(counting) if counts]
        if not places:
            return 0.0, gradients
        loss, found = super().get_loss(
            [examples[place] for place in places], [scores[place] for place in places]
        )
        for place, gradient in zip(places, found, strict=True):
            gradients[place] = gradient
        return loss, gradients


__all__ = ["PartialSenter", "PartialTextCategorizer", "make_senter", "make_textcat"]
