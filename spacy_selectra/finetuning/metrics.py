"""Scores, computed by the libraries that are standard for them."""

from __future__ import annotations

import re
import string
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from spacy_selectra.util.extras import required


def class_scores(
    gold: Sequence[Any] | np.ndarray,
    predicted: Sequence[Any] | np.ndarray,
    classes: Sequence[Any],
) -> dict[str, float]:
    """Accuracy, and F1 averaged over `classes` (0 for one without examples and predictions).

    Args:
        gold: N classes, numbers or names.
        predicted: N classes.
        classes: classes over which F1 is averaged.

    Raises:
        SelectraError: scikit-learn is not installed. The functions below raise the same for the
            libraries that they use.
    """
    library = required("sklearn.metrics")
    f1 = library.f1_score(gold, predicted, labels=list(classes), average="macro", zero_division=0)
    return {"accuracy": float(library.accuracy_score(gold, predicted)), "macro_f1": float(f1)}


def value_scores(gold: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Pearson's and Spearman's correlation of (N,) values; 0 if one side is constant."""
    library = required("scipy.stats")
    if np.ptp(gold) == 0 or np.ptp(predicted) == 0:
        return {"pearson": 0.0, "spearman": 0.0}
    return {
        "pearson": float(library.pearsonr(gold, predicted).statistic),
        "spearman": float(library.spearmanr(gold, predicted).statistic),
    }


def entity_scores(gold: list[list[str]], predicted: list[list[str]]) -> dict[str, float]:
    """Precision, recall and F1 of whole entities from IOB2 tags, as CoNLL-2002's conlleval."""
    library = required("seqeval.metrics")
    with warnings.catch_warnings():  # about no predicted entities: a score of 0 is intended
        warnings.simplefilter("ignore")
        return {
            "f1": float(library.f1_score(gold, predicted, zero_division=0)),
            "precision": float(library.precision_score(gold, predicted, zero_division=0)),
            "recall": float(library.recall_score(gold, predicted, zero_division=0)),
        }


def tag_scores(gold: list[list[str]], predicted: list[list[str]]) -> dict[str, float]:
    """Accuracy over words."""
    library = required("sklearn.metrics")
    pairs = [[tag for tags in side for tag in tags] for side in (gold, predicted)]
    return {"accuracy": float(library.accuracy_score(*pairs))}


def answer_scores(gold: Sequence[Sequence[str]], predicted: Sequence[str]) -> dict[str, float]:
    """Exact match and F1 of words, for each question with its best answer.

    (Rajpurkar et al. 2016, section 6.1.)

    Args:
        gold: correct answers of each question; empty if it has no answer.
        predicted: one answer per question, "" for none.
    """
    exact, f1 = [], []
    for answers, answer in zip(gold, predicted, strict=True):
        words = _answer_words(answer)
        right = [_answer_words(one) for one in answers or [""]]
        exact.append(max(float(words == one) for one in right))
        f1.append(max(_words_f1(one, words) for one in right))
    return {"f1": float(np.mean(f1)), "exact_match": float(np.mean(exact))}


def _answer_words(answer: str) -> list[str]:
    """Words as in SQuAD's own evaluation: lower-cased, without ASCII punctuation and without
    English articles, whatever the language."""
    kept = "".join(char for char in answer.lower() if char not in string.punctuation)
    return re.sub(r"\b(?:a|an|the)\b", " ", kept).split()


def _words_f1(right: list[str], words: list[str]) -> float:
    if not right or not words:
        return float(right == words)
    common = (Counter(right) & Counter(words)).total()
    return 2 * common / (len(right) + len(words))


def check_libraries(head: str, *, entities: bool) -> None:
    """Import the library for the scores of a task with this head, to fail early.

    Raises:
        SelectraError: it is not installed.
    """
    if head == "value":
        required("scipy.stats")
    elif head == "tags" and entities:
        required("seqeval.metrics")
    elif head != "spans":  # scores of spans need no library
        required("sklearn.metrics")
