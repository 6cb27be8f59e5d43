"""A corpus of three subjects, vectors counted in it, and a model made of them."""

import numpy as np
import pytest

from spacy_selectra.matching.train import MatchingSettings, train_matching
from spacy_selectra.matching.word_vectors import VectorSettings, train_vectors

SUBJECTS = {
    "deportes": "deporte gol portero partido árbitro liga balón estadio delantero equipo",
    "cocina": "cocina sartén aceite cebolla receta horno sal guiso cuchara harina",
    "música": "música guitarra melodía concierto piano coro tambor orquesta canción violín",
}
COMMON = ["el", "la", "de", "y", "en", "con", "un", "una", "que", "por"]
SMALL = VectorSettings(dimensions=12, epochs=20, min_count=2, least_pairs=1, max_words=200)


def text_about(subject: str, rng: np.random.Generator, words: int = 12) -> str:
    """Half of its words are common ones, half of the subject's."""
    own = SUBJECTS[subject].split()
    return " ".join(str(rng.choice(own if place % 2 else COMMON)) for place in range(words))


@pytest.fixture(scope="session")
def corpus():
    rng = np.random.default_rng(0)
    return [text_about(subject, rng, 30) for _ in range(150) for subject in SUBJECTS]


@pytest.fixture(scope="session")
def vectors(corpus):
    return train_vectors(corpus, SMALL, quiet=True)


@pytest.fixture(scope="session")
def sources():
    rng = np.random.default_rng(1)
    words = {"deportes": "liga", "cocina": "receta", "música": "concierto"}
    return {
        "a": [(text_about(s, rng), name) for _ in range(30) for s, name in words.items()],
        "b": [(text_about(s, rng), SUBJECTS[s].split()[1]) for _ in range(30) for s in words],
    }


@pytest.fixture(scope="session")
def model(vectors, sources):
    settings = MatchingSettings(steps=30, batch_size=16, learning_rate=1e-3)
    return train_matching(vectors, sources, settings, quiet=True)
