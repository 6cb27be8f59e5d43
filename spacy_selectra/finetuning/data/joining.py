"""Successive sentences as one text: pipelines read paragraphs, tagged data sets hold sentences."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from spacy_selectra.finetuning.data.examples import TaggedWords


def joined_sentences(
    sentences: Sequence[TaggedWords], most: int, seed: int = 0
) -> Iterator[TaggedWords]:
    """Every sentence once, in texts of 1 to `most` successive ones, each number equally likely."""
    numbers = random.Random(seed)
    begin = 0
    while begin < len(sentences):
        group = sentences[begin : begin + numbers.randint(1, most)]
        yield TaggedWords(
            [word for sentence in group for word in sentence.words],
            [tag for sentence in group for tag in sentence.tags],
        )
        begin += len(group)
