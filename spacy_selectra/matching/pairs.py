"""Pairs of text and label, and the split of labels into training and held-out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

Pairs = Sequence[tuple[str, str]]


def keep_back_labels(
    sources: Mapping[str, Pairs], share: float = 0.1, fewest: int = 2, seed: int = 0
) -> tuple[dict[str, Pairs], dict[str, Pairs]]:
    """Split pairs by label, since calibration needs labels that were not seen in training.

    Args:
        sources: pairs of text and label, by source.
        share: share of each source's labels to hold out.
        fewest: minimum number of held-out labels per source; smaller sources are all training data.
        seed: for the random choice.

    Returns:
        Pairs for training and for calibration; texts of both are only in the second.
    """
    rng = np.random.default_rng(seed)
    trained: dict[str, Pairs] = {}
    kept: dict[str, Pairs] = {}
    for name, pairs in sources.items():
        labels = sorted({label for _, label in pairs})
        count = int(share * len(labels))
        if count < fewest:
            trained[name] = pairs
            continue
        back = {labels[place] for place in rng.permutation(len(labels))[:count]}
        kept[name] = [pair for pair in pairs if pair[1] in back]
        texts = {text for text, _ in kept[name]}
        trained[name] = [pair for pair in pairs if pair[1] not in back and pair[0] not in texts]
    return trained, kept
