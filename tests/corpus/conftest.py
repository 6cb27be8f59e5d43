from __future__ import annotations

import random
from pathlib import Path

import pytest

from spacy_selectra.corpus.documents import Document
from spacy_selectra.corpus.vocabulary import VocabularySettings, train_vocabulary
from spacy_selectra.text.tokenizer import save_tokenizer

SENTENCE = "El niño comió piñón en Cádiz"

_SUBJECTS = ["El niño", "La señora", "Mi tía Begoña", "Un pingüino", "El médico", "Aquel año"]
_VERBS = ["comió", "pidió", "encontró", "preparó", "dejó", "escribió", "añadió"]
_OBJECTS = ["piñón", "pan con tomate", "una canción", "el corazón", "jamón y melón", "un café"]
_PLACES = ["en Cádiz", "en León", "junto al río Miño", "en la montaña", "después de la reunión"]


def spanish_texts(count: int, seed: int = 0) -> list[str]:
    """Documents of some lines of some sentences, all different."""
    rng = random.Random(seed)
    texts = []
    for number in range(count):
        lines = []
        for _ in range(rng.randint(1, 6)):
            parts = [_SUBJECTS, _VERBS, _OBJECTS, _PLACES]
            sentences = [
                " ".join(rng.choice(words) for words in parts) + "."
                for _ in range(rng.randint(1, 5))
            ]
            lines.append(" ".join(sentences))
        texts.append(f"Capítulo {number}: {SENTENCE}\n" + "\n".join(lines))
    return texts


def as_documents(texts: list[str]) -> list[Document]:
    return [Document(text, "memory", str(number)) for number, text in enumerate(texts, 1)]


@pytest.fixture(scope="session")
def texts() -> list[str]:
    return spanish_texts(200)


@pytest.fixture(scope="session")
def tokenizer_dir(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tokenizer")
    result = train_vocabulary(
        lambda: iter(as_documents(texts)), VocabularySettings(size=180, heldout=0.0)
    )
    save_tokenizer(result.tokenizer, directory, max_length=64)
    return directory


@pytest.fixture
def corpus_file(texts: list[str], tmp_path: Path) -> Path:
    path = tmp_path / "corpus.txt"
    path.write_text("\n\n".join(texts), encoding="utf-8")
    return path
