"""`spacy-selectra.Tagger.v1`: a label for every word, beside other components over one encoder."""

# No postponed annotations here: confection reads those of registered functions at run time.

from collections.abc import Callable
from typing import Any

from spacy.ml.models.tagger import build_tagger_model
from spacy.tokens import Doc
from thinc.api import Model, chain
from thinc.types import Floats2d

Words = list[Floats2d]


def word_tagger(
    tok2vec: Model[list[Doc], Words],
    nO: int | None = None,  # noqa: N803 - thinc's name for it
    normalize: bool = False,
) -> Model[list[Doc], Words]:
    """`spacy.Tagger.v2` whose gradient is the mean over a batch's annotated words, not their sum.

    For spaCy's `tagger`, `morphologizer`, `senter` and `trainable_lemmatizer`. Adam does not
    care about the scale of a loss as long as it is the only one; among several over one encoder,
    a sum over 500 words drowns what `selectra_ner` and `selectra_textcat` learn, whose losses are
    means. The `grad_factor` of the listener then weights a component against the others.

    Args:
        tok2vec: a layer from documents to one (words, width) array each.
        nO: number of labels; inferred if None.
        normalize: also normalise the scores outside training.

    Returns:
        A layer from documents to one (words, nO) array each.
    """
    tagger = build_tagger_model(tok2vec, nO, normalize)
    model: Model = chain(tagger, Model("mean_gradient", _forward))
    for name in ("tok2vec", "softmax", "output_layer"):
        model.set_ref(name, tagger.get_ref(name))
    return model


def _forward(
    model: Model[Words, Words], scores: Words, is_train: bool
) -> tuple[Words, Callable[[Words], Words]]:
    def backprop(gradients: Any) -> Words:
        # words without annotation have a gradient of zeros
        count = sum(int(one.any(axis=1).sum()) for one in gradients)
        return [one / max(1, count) for one in gradients]

    return scores, backprop


__all__ = ["word_tagger"]
