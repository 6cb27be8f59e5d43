"""Pairs of text and label from files, and labels kept back from training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

Pairs = Sequence[tuple[str, str]]


def keep_back_labels(
    sources: Mapping[str, Pairs], share: float = 0.1, fewest: int = 2, seed: int = 0
) -> tuple[dict[str, Pairs], dict[str, Pairs]]:
    """Split pairs by their labels, since how sure a model is shows on labels it has not seen.

    Args:
        sources: pairs of text and label, by source.
        share: of each source's labels, to be kept back.
        fewest: labels to be kept back of a source; one with too few is trained on as a whole.
        seed: of the choice.

    Returns:
        What to train on, and what to calibrate with; a text of both is in the second only.
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
