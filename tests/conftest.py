"""Fixtures shared by all stages: the smallest encoder that still has every part."""

from __future__ import annotations

import os

# A spinning OpenMP pool starves the other test process on a small machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest

from spacy_selectra.encoder.config import EncoderConfig


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
