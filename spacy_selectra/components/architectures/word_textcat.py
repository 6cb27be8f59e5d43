"""`spacy-selectra.WordTextCat.v1`: text classification by the words of a text, without an encoder.

`selectra labels textcat` trains it.
"""
# No postponed annotations: confection reads those of registered functions at run time.

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d

from spacy_selectra.errors import SelectraError
from spacy_selectra.matching.classifier import WordClassifier, word_logits
from spacy_selectra.matching.words import WordIndex
from spacy_selectra.util.arrays import softmax

_TABLES = ("table", "bias", "weights")


def word_textcat(nO: int | None = None) -> Model[list[Doc], Floats2d]:  # noqa: N803 - thinc's name
    """A classifier for spaCy's `textcat` that reads words and no encoder.

    `load_classifier` fills it; spaCy's training does not change it.

    Args:
        nO: number of classes; that of the classifier if None.

    Returns:
        A layer from documents to (documents, nO) probabilities.
    """
    return Model(
        "word-textcat",
        partial(_forward, {}),
        init=_refuse,
        dims={"nO": nO},
        params=dict.fromkeys(_TABLES),
        attrs={"words": [], "related": 1.0, "multi_label": False},
    )


def load_classifier(model: Model, words: Sequence[str], classifier: WordClassifier) -> None:
    """Give a `word_textcat` the tables of a classifier, whose words are `words`."""
    model.set_dim("nO", len(classifier.labels), force=True)
    model.attrs["words"] = list(words)
    model.attrs["related"] = classifier.related
    for name in _TABLES:
        table: Any = model.ops.asarray(getattr(classifier, name))
        model.set_param(name, table)


def _forward(
    cache: dict[str, Any], model: Model[list[Doc], Floats2d], docs: list[Doc], is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], Any]]:
    words: list[str] = model.attrs["words"]
    if not words:
        _refuse(model)
    if cache.get("words") is not words:
        cache.update(words=words, index=WordIndex(words))
    index: WordIndex = cache["index"]
    places = [index.places(doc.text) for doc in docs]
    tables = {name: model.ops.to_numpy(model.get_param(name)) for name in _TABLES}
    logits = word_logits(places, **tables, related=model.attrs["related"])
    found: Any = softmax(logits)
    return model.ops.asarray2f(found), lambda _: _refuse(model)


def _refuse(model: Model, *_: Any, **__: Any) -> Any:
    raise SelectraError(
        "a textcat of words is trained by `labels textcat`; in `spacy train`, source it and list "
        "it in training.frozen_components"
    )


__all__ = ["load_classifier", "word_textcat"]
