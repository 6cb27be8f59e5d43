"""A pipeline of rules, which loads at once, and rows for it."""

import json
from pathlib import Path
from typing import Any

import pytest
import spacy

CITIES = ("Cádiz", "León", "Bilbao")


@pytest.fixture(scope="session")
def rules(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A directory: sentences, and cities as entities."""
    nlp = spacy.blank("es")
    nlp.add_pipe("sentencizer")
    ruler: Any = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "LOC", "pattern": city} for city in CITIES])
    directory = tmp_path_factory.mktemp("rules") / "pipeline"
    nlp.to_disk(directory)
    return str(directory)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Twenty rows with further columns."""
    path = tmp_path / "in.jsonl"
    texts = [f"Voy a {CITIES[number % 3]} el día {number}." for number in range(20)]
    lines = [json.dumps({"id": number, "text": text}) for number, text in enumerate(texts)]
    path.write_text("\n".join(lines), "utf-8")
    return path
