"""How words are usually spelled, counted in text: the list that `spellings` restores by."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from spacy_selectra.text.normalization import strip_accents
from spacy_selectra.text.spellings import WORD, Spellings

# A form so many times rarer than one with other accents is taken for a mistake.
TIMES_RARER = 5.0
# Sentences of fewer words are titles and lists, where case means something else.
_FEWEST_WORDS = 4
_SENTENCE_END = re.compile(r"(?<=[.!?…:»\"])\s+|\n+")


def count_spellings(texts: Iterable[str], min_count: int = 3) -> Spellings:
    """The usual spelling of every word of some texts that are in the usual case.

    The first word of each sentence does not count, nor do sentences that are mostly in capitals.

    Args:
        texts: documents.
        min_count: occurrences a word needs, in all its spellings.
    """
    counts: Counter[str] = Counter()
    for text in texts:
        for sentence in _SENTENCE_END.split(text):
            words = WORD.findall(sentence)
            if len(words) < _FEWEST_WORDS or 2 * sum(map(str.isupper, words)) > len(words):
                continue
            counts.update(words[1:])
    return usual_spellings(counts, min_count)


def usual_spellings(counts: Counter[str], min_count: int = 3) -> Spellings:
    """The same from counts of spellings."""
    cases: dict[str, Counter[str]] = defaultdict(Counter)
    for word, count in counts.items():
        cases[word.lower()][word] += count
    totals = {lower: own.total() for lower, own in cases.items()}
    most: dict[str, int] = {}
    for lower, count in totals.items():
        plain = strip_accents(lower)
        most[plain] = max(most.get(plain, 0), count)
    kept = [
        lower
        for lower, count in totals.items()
        if count >= min_count and count * TIMES_RARER > most[strip_accents(lower)]
    ]
    kept.sort(key=lambda lower: (-totals[lower], lower))
    # the first of equals in alphabetical order, whatever came first in the text
    return Spellings([min(cases[low], key=lambda w: (-cases[low][w], w)) for low in kept])
