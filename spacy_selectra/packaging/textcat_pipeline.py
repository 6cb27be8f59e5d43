"""A spaCy pipeline of one `textcat` from a classifier of words, without further training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from spacy_selectra.components.architectures.word_textcat import load_classifier
from spacy_selectra.matching.classifier import WordClassifier

if TYPE_CHECKING:
    from spacy.language import Language

CLASSIFIER = {"@architectures": "spacy-selectra.WordTextCat.v1"}


def textcat_pipeline(
    words: Sequence[str], classifier: WordClassifier, lang: str = "es"
) -> Language:
    """A pipeline of `textcat` with the classifier's labels.

    Args:
        words: the words of its tables, in order.
        classifier: trained by `train_classifier`.
        lang: language of spaCy's tokenizer.
    """
    import spacy

    nlp = spacy.blank(lang)
    textcat: Any = nlp.add_pipe("textcat", config={"model": CLASSIFIER})
    for label in classifier.labels:
        textcat.add_label(label)
    load_classifier(textcat.model, words, classifier)
    return nlp
