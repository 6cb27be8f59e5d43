from __future__ import annotations

import random

import pytest

from spacy_selectra.corpus.cleaning import ONE_IN, Cleaner, CleaningSettings, Repeats, shingles
from tests.corpus.conftest import as_documents


def words(count: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices("aeiolmnrst", k=chance.randint(2, 9))) for _ in range(count)]


def test_one_shingle_in_sixteen_whatever_the_case_and_punctuation() -> None:
    text = words(20_000, 0)
    found = shingles(" ".join(text))
    # a binomial of 19,993 draws: five standard deviations are 171
    assert abs(len(found) - 19_993 / ONE_IN) < 171
    assert shingles(", ".join(text).upper()) == found
    assert shingles("") == shingles("siete palabras no bastan para una muestra") == []


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.7, 1.0])
def test_share_of_a_text_read_before(kept: float) -> None:
    first, other = words(8_000, 1), words(8_000, 2)
    repeats = Repeats()
    repeats.add(shingles(" ".join(first)))
    border = round(kept * 8_000)
    found = shingles(" ".join(first[:border] + other[border:]))
    assert repeats.share(found) == pytest.approx(kept, abs=0.06)


def test_near_duplicates_are_dropped_and_rewritten_texts_are_kept() -> None:
    text = ["de", "la"] * 300
    for place, word in enumerate(words(600, 3)):
        if place % 2:
            text[place] = word
    edited = [*text[:200], "corregido", *text[201:]]
    half_new = [*text[:200], *(f"{word}s" for word in text[200:])]
    documents = as_documents([" ".join(text), " ".join(edited), " ".join(half_new)])
    cleaner = Cleaner(CleaningSettings(max_repeated=0.5, deduplicate=False))
    assert [d.text for d in cleaner.clean(documents)] == [" ".join(text), " ".join(half_new)]
    assert cleaner.dropped["mostly read before"] == 1
    everything = Cleaner(CleaningSettings(deduplicate=False))
    assert len(list(everything.clean(documents))) == 3
