"""`spacy-selectra.Tagger.v1`: token classification in multi-task training with one encoder."""
# No postponed annotations: confection reads those of registered functions at run time.

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
    """`spacy.Tagger.v2` with the mean gradient over a batch's annotated words instead of the sum.

    For spaCy's `tagger`, `morphologizer`, `senter` and `trainable_lemmatizer`. Adam is invariant to
    the scale of a single loss. With several losses on one encoder, a sum over 500 words would
    dominate the losses of `selectra_ner` and `selectra_textcat`, which are means. The listener's
    `grad_factor` then sets the weight of a component.

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
        # words without annotation have zero gradients
        count = sum(int(one.any(axis=1).sum()) for one in gradients)
        return [one / max(1, count) for one in gradients]

    return scores, backprop


__all__ = ["word_tagger"]
