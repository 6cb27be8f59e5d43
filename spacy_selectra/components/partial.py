"""`selectra_textcat` and `selectra_senter`: spaCy's `textcat` and `senter` for corpora with partial
annotation.

spaCy's own treat missing annotation as negative: no category, no sentence start. In a mixed corpus
they would learn this from every document annotated for another task. spaCy's other components
ignore such documents.

spaCy imports this module with its first pipeline: no heavy imports at module level. No postponed
annotations, because spaCy reads those of factories at run time.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from spacy.language import Language
from spacy.pipeline import SentenceRecognizer, TextCategorizer
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab
from thinc.api import Model

from spacy_selectra.components.checked import flag
from spacy_selectra.components.ner import LISTENER

_STOPS = frozenset({".", "?", "!", "…", "..."})
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
        "after_stops": True,
    },
    default_score_weights={"sents_f": 1.0, "sents_p": 0.0, "sents_r": 0.0},
)
def make_senter(
    nlp: Language, name: str, model: Model, overwrite: bool, after_stops: bool
) -> "PartialSenter":
    """Make the component; see `PartialSenter`."""
    return PartialSenter(nlp.vocab, model, name, overwrite=overwrite, after_stops=after_stops)


class PartialTextCategorizer(TextCategorizer):
    """spaCy's `textcat` (exclusive categories) that ignores documents without categories, in
    training and scores.

    The gradient is the mean over documents with categories.
    """

    @property
    def support_missing_values(self) -> Any:
        """Whether missing categories of a document are ignored."""
        return True

    def get_loss(self, examples: Iterable[Example], scores: Any) -> tuple[float, Any]:
        """Mean squared error and its gradient, over documents with categories."""
        examples = list(examples)
        loss, gradient = super().get_loss(examples, scores)
        count = max(1, sum(bool(example.reference.cats) for example in examples))
        return loss * len(examples) / count, gradient / count

    def score(self, examples: Iterable[Example], **options: Any) -> dict[str, Any]:
        """Scores of spaCy's `textcat`, over documents with categories."""
        return super().score([one for one in examples if one.reference.cats], **options)


class PartialSenter(SentenceRecognizer):
    """spaCy's `senter` that ignores documents without sentence starts in training.

    Args:
        vocab: the pipeline's vocabulary.
        model: from documents to one (words, 2) array each.
        name: name in the pipeline.
        overwrite: replace sentence starts that are set already.
        after_stops: a word with a capital (or ¿, ¡) after a full stop, question or exclamation mark
            always starts a sentence. Small encoders miss some of these, mostly before names. Stops
            of abbreviations are not concerned, since spaCy's Spanish tokenizer keeps them with
            their word.

    Raises:
        SelectraError: `after_stops` is no boolean.
    """

    after_stops = flag()

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str = "senter",
        *,
        overwrite: bool = False,
        after_stops: bool = True,
    ) -> None:
        super().__init__(vocab, model, name, overwrite=overwrite)
        self.after_stops = after_stops

    def predict(self, docs: Iterable[Doc]) -> list[Any]:
        """For each document an array with 1 for words that start a sentence, else 0."""
        docs = list(docs)
        guesses = super().predict(docs)
        if self.after_stops:
            for doc, own in zip(docs, guesses, strict=True):
                own[_after_stops(doc)] = 1
        return guesses

    def get_loss(self, examples: Iterable[Example], scores: Any) -> tuple[float, Any]:
        """Sum of cross-entropy over words of documents with sentence starts, and the gradients."""
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


def _after_stops(doc: Doc) -> list[int]:
    words = (token for token in doc if not token.is_space)
    return [
        token.i
        for before, token in pairwise(words)
        if before.text in _STOPS and (token.text[0].isupper() or token.text[0] in "¿¡")
    ]


__all__ = ["PartialSenter", "PartialTextCategorizer", "make_senter", "make_textcat"]
