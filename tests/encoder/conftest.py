"""A small encoder in evaluation mode and something for it to read."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.electra import SelectraEncoder
from spacy_selectra.encoder.precision import precision

LENGTHS = [30, 20, 10]


@pytest.fixture
def encoder(tiny_config: EncoderConfig) -> SelectraEncoder:
    torch.manual_seed(0)
    return SelectraEncoder(tiny_config).eval()


@pytest.fixture
def ids() -> Tensor:
    return torch.randint(5, 100, (60,), generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def encode(encoder: SelectraEncoder, ids: Tensor, mode: str) -> Tensor:
    with precision(mode):
        return encoder(ids, LENGTHS)
