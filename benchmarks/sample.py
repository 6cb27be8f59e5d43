"""The sample data that benchmarks read, and documents cut from it."""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np

from spacy_selectra.corpus.documents import read_documents

SAMPLE = Path(__file__).parents[1] / "assets" / "sample"

# Words of the shortest and the longest document in a mixed corpus; its mean is 90.
MIXED = (5, 400)


def sample_documents(words: str, count: int, seed: int) -> list[str]:
    """Documents cut from the sample text, its own documents shuffled and joined.

    Args:
        words: mean number of words of a document, lengths being uniform from half of it to
            one and a half; or "mixed", log-uniform between those of `MIXED`.
        count: documents.
        seed: of lengths and order.
    """
    rng = random.Random(seed)
    if words == "mixed":
        low, high = MIXED
        lengths = [round(low * (high / low) ** rng.random()) for _ in range(count)]
    else:
        mean = int(words)
        lengths = [rng.randint(math.ceil(mean / 2), mean + mean // 2) for _ in range(count)]
    sources = [document.text.split() for document in read_documents(SAMPLE / "text" / "train.txt")]
    running: list[str] = []
    while len(running) < sum(lengths):
        rng.shuffle(sources)
        running += [word for source in sources for word in source]
    ends = np.cumsum(lengths).tolist()
    return [
        " ".join(running[end - length : end]) for end, length in zip(ends, lengths, strict=True)
    ]
