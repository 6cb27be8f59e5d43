from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from spacy_selectra.finetuning.metrics import all_scores


def test_scores_are_those_of_scikit_learn():
    random = np.random.default_rng(0)
    gold, predicted = random.integers(0, 4, 60), random.integers(0, 3, 60)  # class 4 never seen
    scores = all_scores(gold, predicted, 5)
    assert scores["accuracy"] == pytest.approx(accuracy_score(gold, predicted))
    expected = f1_score(gold, predicted, labels=range(5), average="macro", zero_division=0)
    assert scores["macro_f1"] == pytest.approx(expected)
