"""Fixtures shared by all stages: the smallest encoder that still has every part."""

from __future__ import annotations

import os

# A spinning OpenMP pool starves the other test process on a small machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
from hypothesis import settings

from spacy_selectra.encoder.config import EncoderConfig

# The same examples in every run, however slow the machine, and nothing left in the folder.
settings.register_profile(
    "selectra", deadline=None, derandomize=True, database=None, max_examples=40
)
settings.load_profile("selectra")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first, so that in the end no process waits for another's slow file."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture
def tiny_config() -> EncoderConfig:
    """Factorised embeddings, two layers, two heads; large weights so that errors show."""
    return EncoderConfig(
        vocab_size=101,
        embedding_size=16,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.2,
    )
