"""Attention on devices other than CPUs, as far as a CPU can tell."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from spacy_selectra.encoder import packed_attention as attention
from spacy_selectra.encoder.layout import PackedLayout
from spacy_selectra.encoder.packed_attention import packed_attention

LENGTHS = [5, 9, 1, 9]
HEADS, SIZE = 2, 4


def expected(qkv: Tensor) -> Tensor:
    """A sequence and a head at a time."""
    results = []
    for part in qkv.split(LENGTHS):
        query, key, value = part.view(len(part), 3, HEADS, SIZE).unbind(1)
        heads = [
            torch.softmax(query[:, h] @ key[:, h].T / SIZE**0.5, dim=-1) @ value[:, h]
            for h in range(HEADS)
        ]
        results.append(torch.cat(heads, dim=1))
    return torch.cat(results)


@pytest.fixture
def qkv() -> Tensor:
    torch.manual_seed(0)
    return torch.randn(sum(LENGTHS), 3 * HEADS * SIZE, dtype=torch.float64)


def test_groups_of_similar_length(qkv):
    result = packed_attention(qkv, PackedLayout.from_lengths(LENGTHS), HEADS)
    torch.testing.assert_close(result, expected(qkv))


def test_the_flash_operator_gets_what_it_takes(qkv, monkeypatch):
    """The operator itself exists for GPUs only; its stand-in takes the schema's arguments."""
    schema = torch.ops.aten._flash_attention_forward.default._schema
    names = [argument.name for argument in schema.arguments]

    def operator(*given):
        values = dict(zip(names, given, strict=False))
        assert values["cum_seq_q"].dtype == torch.int32
        assert values["cum_seq_q"] is values["cum_seq_k"]
        assert (values["max_q"], values["max_k"]) == (9, 9)
        assert values["dropout_p"] == 0.25
        assert values["is_causal"] is False
        assert values["return_debug_mask"] is False
        ends = values["cum_seq_q"].tolist()
        parts = []
        for start, end in pairwise(ends):
            rows = [values[name][start:end].transpose(0, 1) for name in ("query", "key", "value")]
            scores = rows[0] @ rows[1].transpose(1, 2) / SIZE**0.5
            parts.append((torch.softmax(scores, dim=-1) @ rows[2]).transpose(0, 1))
        return (torch.cat(parts),)

    monkeypatch.setattr(attention, "_flash_forward", operator)
    monkeypatch.setattr(attention, "_takes_flash", lambda tensor: True)
    result = packed_attention(qkv, PackedLayout.from_lengths(LENGTHS), HEADS, 0.25)
    torch.testing.assert_close(result, expected(qkv))


def test_flash_is_for_half_precision_on_gpus(qkv):
    assert not attention._takes_flash(qkv)
    assert not attention._takes_flash(qkv.bfloat16())
