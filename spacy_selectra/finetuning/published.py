"""Published results, to stand beside measured ones.

SELECTRA's model card (CoNLL-2002 NER F1, PAWS-X and XNLI accuracy, five trials each, mean
and standard deviation) and, for the others, the figures the same card quotes. They come from
full training sets; measured results on smaller data are not comparable with them.
"""

from __future__ import annotations

from typing import NamedTuple


class Published(NamedTuple):
    """One figure: score in [0, 1], standard deviation where it was given."""

    model: str
    parameters: int
    data: str
    metric: str
    mean: float
    std: float | None = None


def _row(
    model: str,
    millions: int,
    ner: tuple[float, float | None],
    pawsx: tuple[float, float | None],
    xnli: tuple[float, float | None],
) -> list[Published]:
    parameters = millions * 1_000_000
    return [
        Published(model, parameters, "conll2002", "f1", *ner),
        Published(model, parameters, "pawsx", "accuracy", *pawsx),
        Published(model, parameters, "xnli", "accuracy", *xnli),
    ]


PUBLISHED: list[Published] = [
    *_row("SELECTRA small", 22, (0.865, 0.004), (0.896, 0.002), (0.784, 0.002)),
    *_row("SELECTRA medium", 41, (0.873, 0.003), (0.896, 0.002), (0.804, 0.002)),
    *_row("mBERT", 178, (0.8691, None), (0.8955, None), (0.7876, None)),
    *_row("BETO", 110, (0.8759, None), (0.9000, None), (0.8130, None)),
    *_row("RoBERTa-b (BNE)", 125, (0.8851, None), (0.9000, None), (0.8016, None)),
    *_row("RoBERTa-l (BNE)", 355, (0.8772, None), (0.9060, None), (0.7958, None)),
    *_row("Bertin", 125, (0.8835, None), (0.8990, None), (0.7890, None)),
    *_row("ELECTRICIDAD", 109, (0.7954, None), (0.9025, None), (0.7878, None)),
]
