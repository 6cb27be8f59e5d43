"""Published results, for comparison with measured ones.

Every result has a source. All were trained on full data sets, with other code and often other
hyperparameters. With `FULL_SIZES` a report can tell how much smaller the data of a measurement was.
Doubtful results have a note.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Published(NamedTuple):
    """A published result.

    Attributes:
        model: name in the source, or the exact variant if the source links to it.
        parameters: number of parameters as published, rounded to millions.
        data: name of the data set.
        metric: accuracy, f1, exact_match, or combined (mean of Pearson's and Spearman's
            correlation).
        mean: score in [0, 1].
        std: standard deviation over trials, None if not given.
        source: of the result.
        note: reason to doubt it, as one sentence; may be empty.
    """

    model: str
    parameters: int
    data: str
    metric: str
    mean: float
    std: float | None
    source: str
    note: str = ""


class FullSize(NamedTuple):
    """Numbers of examples of a complete data set, None for a missing split."""

    train: int | None
    test: int


# Spanish portions. CoNLL-2002: esp.train and esp.testb in sentences (Tjong Kim Sang 2002).
# XNLI: MultiNLI's training pairs, translated (Conneau et al. 2018). PAWS-X: Yang et al. 2019.
# UD Spanish AnCora: sentences of release 2.7. XQuAD has a test set only (Artetxe et al. 2020).
FULL_SIZES: dict[str, FullSize] = {
    "conll2002": FullSize(8_323, 1_517),
    "pawsx": FullSize(49_401, 2_000),
    "ud_pos": FullSize(14_305, 1_721),
    "xnli": FullSize(392_702, 5_010),
    "xquad": FullSize(None, 1_190),
}

SELECTRA = "SELECTRA model card (Recognai/selectra_small), section Metrics; five trials"
QUOTED = (
    "evaluation table of the repository PlanTL-GOB-ES/lm-spanish (2021), as quoted by the "
    "SELECTRA model card (Recognai/selectra_small), section Metrics"
)
LM_SPANISH = (
    "evaluation table of the repository PlanTL-GOB-ES/lm-spanish, first version (2021); "
    "Gutiérrez-Fandiño et al., arXiv:2107.07253"
)
ALBETO = (
    "Cañete et al. 2022, ALBETO and DistilBETO: Lightweight Spanish Language Models; tables of "
    "the repository dccuchile/lightweight-spanish-language-models"
)
BERTIN = (
    "BERTIN model card (bertin-project/bertin-roberta-base-spanish), section Downstream Tasks, "
    "an early version: best variant, maximum length 128"
)
ZERO_SHOT = "zero-shot SELECTRA model card (Recognai/zeroshot_selectra_small), section Metrics"

PAWSX_METRIC = "the SELECTRA card calls this accuracy, the table it quotes calls it F1"
TAGGING_METRIC = "the tables do not name the metric; taken for F1"
XNLI_LARGE = "later versions of the same table give RoBERTa-l (BNE) 0.8263"
TRANSLATED = "trained on SQuAD translated by machine (TAR)"

_MILLIONS = {
    "SELECTRA small": 22,
    "SELECTRA medium": 41,
    "zero-shot SELECTRA small": 22,
    "zero-shot SELECTRA medium": 41,
    "mBERT": 178,
    "BETO cased": 110,
    "BETO uncased": 110,
    "RoBERTa-b (BNE)": 125,
    "RoBERTa-l (BNE)": 355,
    "BERTIN": 125,
    "BERTIN (beta)": 125,
    "BERTIN (Gaussian)": 125,
    "ELECTRICIDAD": 109,
    "DistilBETO": 67,
    "ALBETO tiny": 5,
    "ALBETO base": 12,
    "ALBETO large": 18,
    "ALBETO xlarge": 59,
    "ALBETO xxlarge": 223,
}

Column = tuple[str, str]  # data set and metric


def _table(
    source: str,
    columns: Sequence[Column],
    rows: dict[str, Sequence[float | tuple[float, float]]],
    notes: dict[Column | tuple[str, str, str], str] | None = None,
) -> list[Published]:
    """Results of one source; a note is for a column, or for a model in a column."""
    notes = notes or {}
    figures = []
    for model, scores in rows.items():
        for column, score in zip(columns, scores, strict=True):
            mean, std = score if isinstance(score, tuple) else (score, None)
            note = notes.get((model, *column)) or notes.get(column, "")
            parameters = _MILLIONS[model] * 1_000_000
            figures.append(Published(model, parameters, *column, mean, std, source, note))
    return figures


_CARD_COLUMNS: list[Column] = [("conll2002", "f1"), ("pawsx", "accuracy"), ("xnli", "accuracy")]

_LM_SPANISH_COLUMNS: list[Column] = [
    ("ud_pos", "f1"),
    ("conll2002", "f1"),
    ("capitel_pos", "f1"),
    ("capitel_ner", "f1"),
    ("sts_es", "combined"),
    ("mldoc", "accuracy"),
    ("pawsx", "f1"),
    ("xnli", "accuracy"),
]

_ALBETO_COLUMNS: list[Column] = [
    ("ud_pos", "f1"),
    ("conll2002", "f1"),
    ("mldoc", "accuracy"),
    ("pawsx", "accuracy"),
    ("xnli", "accuracy"),
    ("mlqa", "f1"),
    ("mlqa", "exact_match"),
    ("sqac", "f1"),
    ("sqac", "exact_match"),
    ("xquad", "f1"),
    ("xquad", "exact_match"),
]

# In percent, as published.
_ALBETO_ROWS = {
    "BETO uncased": "97.70 83.76 96.38 84.25 77.76 64.12 40.83 72.22 53.45 74.81 54.62",
    "BETO cased": "98.84 88.24 96.65 89.80 81.98 67.65 43.38 78.65 60.94 77.81 56.97",
    "DistilBETO": "97.50 81.19 96.35 75.80 76.59 57.97 35.50 64.41 45.34 66.97 46.55",
    "ALBETO tiny": "97.04 75.11 95.82 80.20 73.43 51.84 28.28 59.28 39.16 66.43 45.71",
    "ALBETO base": "98.08 83.35 96.07 87.95 79.88 66.12 41.10 77.71 59.84 77.18 57.05",
    "ALBETO large": "97.87 83.72 92.22 86.05 78.94 65.56 40.98 76.36 56.54 76.72 56.21",
    "ALBETO xlarge": "98.06 82.30 95.70 89.05 81.68 68.26 43.76 78.64 59.26 80.15 59.66",
    "ALBETO xxlarge": "98.35 84.36 96.85 89.85 82.42 70.17 45.99 81.49 62.67 79.13 58.40",
}

PUBLISHED: list[Published] = [
    *_table(
        SELECTRA,
        _CARD_COLUMNS,
        {
            "SELECTRA small": [(0.865, 0.004), (0.896, 0.002), (0.784, 0.002)],
            "SELECTRA medium": [(0.873, 0.003), (0.896, 0.002), (0.804, 0.002)],
        },
    ),
    *_table(
        ZERO_SHOT,
        [("xnli", "accuracy")],
        {"zero-shot SELECTRA small": [0.795], "zero-shot SELECTRA medium": [0.807]},
    ),
    *_table(
        QUOTED,
        _CARD_COLUMNS,
        {
            "mBERT": [0.8691, 0.8955, 0.7876],
            "BETO cased": [0.8759, 0.9000, 0.8130],
            "RoBERTa-b (BNE)": [0.8851, 0.9000, 0.8016],
            "RoBERTa-l (BNE)": [0.8772, 0.9060, 0.7958],
            "BERTIN": [0.8835, 0.8990, 0.7890],
            "ELECTRICIDAD": [0.7954, 0.9025, 0.7878],
        },
        {("pawsx", "accuracy"): PAWSX_METRIC, ("RoBERTa-l (BNE)", "xnli", "accuracy"): XNLI_LARGE},
    ),
    *_table(
        LM_SPANISH,
        _LM_SPANISH_COLUMNS,
        {
            "RoBERTa-b (BNE)": [0.9907, 0.8851, 0.9846, 0.8959, 0.8423, 0.9595, 0.9035, 0.8016],
            "RoBERTa-l (BNE)": [0.9901, 0.8772, 0.9851, 0.8998, 0.8420, 0.9600, 0.9000, 0.7958],
            "BETO cased": [0.9900, 0.8759, 0.9836, 0.8771, 0.8216, 0.9650, 0.8915, 0.8130],
            "mBERT": [0.9886, 0.8691, 0.9839, 0.8810, 0.8249, 0.9560, 0.9020, 0.7876],
            "BERTIN (beta)": [0.9904, 0.8627, 0.9826, 0.8741, 0.7822, 0.9673, 0.8820, 0.7864],
            "ELECTRICIDAD": [0.9818, 0.7954, 0.9816, 0.8035, 0.8065, 0.9490, 0.9045, 0.7878],
        },
        {("RoBERTa-l (BNE)", "xnli", "accuracy"): XNLI_LARGE},
    ),
    *_table(
        ALBETO,
        _ALBETO_COLUMNS,
        {
            model: [round(float(percent) / 100, 4) for percent in row.split()]
            for model, row in _ALBETO_ROWS.items()
        },
        {
            ("ud_pos", "f1"): TAGGING_METRIC,
            ("conll2002", "f1"): TAGGING_METRIC,
            ("xquad", "f1"): TRANSLATED,
            ("xquad", "exact_match"): TRANSLATED,
        },
    ),
    *_table(
        BERTIN,
        [("conll2002", "f1"), ("conll2002_pos", "f1")],
        {"BERTIN (Gaussian)": [0.8792, 0.9662]},
    ),
]
