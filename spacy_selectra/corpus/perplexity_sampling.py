"""Perplexity sampling: keeping documents that are neither too predictable nor too unusual.

After BERTIN (de la Rosa et al. 2022, "BERTIN: Efficient Pre-Training of a Spanish Language Model
using Perplexity Sampling", section 2): text with very low perplexity is boilerplate, with very high
perplexity it is noise. With the perplexity p of a document and the quartiles Q1, Q2, Q3 of the
corpus, the weight of a document is

* gaussian: exp(-((p - Q2) / Q2)^2 / width), with BERTIN's width 4.5;
* stepwise: 1 / (width of p's quarter), that is 1/Q1, 1/(Q2-Q1), 1/(Q3-Q2), and 1/(10 Q3) above Q3;
* random: 1.

BERTIN scales the weights by a factor chosen by hand (0.78 for gaussian, 1.5e5 for stepwise). Here
the factor follows from the share of documents to keep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from spacy_selectra.corpus.documents import Document
from spacy_selectra.corpus.holdout import text_key, uniform
from spacy_selectra.corpus.ngram_model import NgramModel
from spacy_selectra.errors import SelectraError

Method = Literal["gaussian", "stepwise", "random"]
METHODS: tuple[Method, ...] = get_args(Method)
GAUSSIAN_WIDTH = 4.5


@dataclass(frozen=True)
class SamplePlan:
    """The probability of keeping each document.

    Attributes:
        probabilities: float64, shape (documents,).
        quartiles: Q1, Q2, Q3 of the finite perplexities.
        seed: of the draw.
    """

    probabilities: np.ndarray
    quartiles: tuple[float, float, float]
    seed: int


def plan_sample(
    read: Callable[[], Iterator[Document]],
    model: NgramModel,
    method: Method = "gaussian",
    share: float = 0.12,
    seed: int = 0,
    progress: Callable[[int], None] = lambda documents: None,
) -> SamplePlan:
    """First pass: perplexity of every document (4 bytes of memory each), then the probabilities.

    The default share is BERTIN's: 50 of 416 million documents.

    Raises:
        SelectraError: unknown method, share out of range, or only empty documents.
    """
    if method not in METHODS:
        raise SelectraError(f"unknown method '{method}' (known: {', '.join(METHODS)})")
    if not 0.0 < share <= 1.0:
        raise SelectraError(f"share must be above 0 and at most 1 (found {share})")
    blocks: list[np.ndarray] = []
    block: list[float] = []
    for document in read():
        block.append(model.perplexity(document.text))
        if len(block) == 4096:
            blocks.append(np.array(block, dtype=np.float32))
            block = []
        progress(1)
    perplexities = np.concatenate([*blocks, np.array(block, dtype=np.float32)])
    finite = perplexities[np.isfinite(perplexities)]
    if not len(finite):
        raise SelectraError("all documents are empty, there is nothing to sample")
    low, middle, high = (float(value) for value in np.quantile(finite, [0.25, 0.5, 0.75]))
    weights = sample_weights(perplexities, (low, middle, high), method)
    return SamplePlan(_scale(weights, share), (low, middle, high), seed)


def sample_weights(
    perplexities: np.ndarray, quartiles: tuple[float, float, float], method: Method
) -> np.ndarray:
    """Unnormalised weights, float64, shape (documents,); 0 for documents without a word."""
    low, middle, high = quartiles
    values = perplexities.astype(np.float64)
    known = np.isfinite(values)
    if method == "gaussian":
        distance = (np.where(known, values, middle) - middle) / middle
        weights = np.exp(-(distance**2) / GAUSSIAN_WIDTH)
    elif method == "stepwise":
        # The width of a quarter is 0 if many perplexities are equal.
        extents = np.maximum([low, middle - low, high - middle, 10 * high], 1e-9)
        weights = 1.0 / extents[np.searchsorted([low, middle, high], values, side="left")]
    else:
        weights = np.ones(len(values))
    return np.where(known, weights, 0.0)


def sample_documents(
    read: Callable[[], Iterator[Document]],
    plan: SamplePlan,
    progress: Callable[[int], None] = lambda documents: None,
) -> Iterator[Document]:
    """Second pass: the documents to keep, chosen by text, seed and probability.

    Raises:
        SelectraError: the number of documents differs from that of the first pass.
    """
    count = 0
    for index, document in enumerate(read()):
        count += 1
        progress(1)
        if index >= len(plan.probabilities):
            break
        if uniform(text_key(document.text), "sample", plan.seed) < plan.probabilities[index]:
            yield document
    if count != len(plan.probabilities):
        raise SelectraError("the corpus changed between the two passes; run it again")


def _scale(weights: np.ndarray, share: float) -> np.ndarray:
    """min(1, f w), with the factor f for which the mean is `share`, if possible."""
    wanted = min(share * len(weights), float(np.count_nonzero(weights)))
    falling = np.sort(weights[weights > 0])[::-1]
    rest = np.cumsum(falling[::-1])[::-1]
    # If the j largest are 1, f is (wanted - j) / (sum of the others).
    with np.errstate(over="ignore"):
        factors = (wanted - np.arange(len(falling))) / rest
        fits = np.flatnonzero(factors * falling <= 1.0 + 1e-12)
    return np.minimum(1.0, factors[fits[0]] * weights)
