"""Finding under-trained tokens: by the rule, and planted where the truth is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.initialization.undertrained import (
    FEWEST,
    THRESHOLD,
    Undertrained,
    find_undertrained,
)

ENTRIES, WIDTH, START = 800, 32, 0.02
SPECIAL = range(5)


@pytest.fixture
def pieces() -> list[str]:
    """Every fourth entry with an accent; the first five stand for special tokens."""
    return [f"niño{i}" if i % 4 == 0 else f"casa{i}" for i in range(ENTRIES)]


def trained_rows(seed: int = 0) -> Tensor:
    """Rows that share two dozen directions, large ones and small ones, of varying length."""
    torch.manual_seed(seed)
    directions = torch.randn(24, WIDTH) * torch.linspace(1.5, 0.3, 24)[:, None]
    rows = torch.randn(ENTRIES, 24) @ directions / 5 + 0.3 * torch.randn(ENTRIES, WIDTH)
    lengths = torch.exp(0.2 * torch.randn(ENTRIES, 1))
    return 3 * START * lengths * rows + 0.05 * torch.randn(WIDTH)


def plant(rows: Tensor, chosen: Tensor, left: float, drift: float = 0.1) -> Tensor:
    """Untrained rows: a common vector and `left` of a random start."""
    common = drift * torch.randn(WIDTH)
    rows[chosen] = common + left * START * torch.randn(int(chosen.sum()), WIDTH)
    return rows


def find(rows: Tensor, pieces: list[str], *, strips_accents: bool = False) -> Undertrained:
    return find_undertrained(rows, pieces, SPECIAL, strips_accents=strips_accents)


def accuracy(found: tuple[int, ...], truth: Tensor) -> tuple[float, float]:
    right = int(truth[list(found)].sum())
    return right / max(1, len(found)), right / int(truth.sum())


def accented(pieces: list[str]) -> Tensor:
    return torch.tensor(["ñ" in piece and index >= 5 for index, piece in enumerate(pieces)])


def test_a_tokenizer_that_strips_accents_leaves_exactly_these_untrained(pieces: list[str]):
    # whatever the weights look like
    found = find(trained_rows(), pieces, strips_accents=True)
    assert list(found.ids) == accented(pieces).nonzero().flatten().tolist()
    assert set(found.cosines) == {None}
    statistics = found.statistics
    assert statistics.verdict.startswith("198 of 795 entries have accents")
    assert statistics.found == statistics.accented == statistics.accented_found == 198
    assert statistics.cosine is None


@pytest.mark.parametrize("left", [1.0, 0.4])
@pytest.mark.parametrize("drift", [0.1, 0.0])
def test_all_accented_entries(pieces: list[str], left: float, drift: float):
    truth = accented(pieces)
    found = find(plant(trained_rows(), truth, left, drift), pieces)
    precision, recall = accuracy(found.ids, truth)
    assert precision > 0.99
    assert recall == 1
    statistics = found.statistics
    assert statistics.accented_found == statistics.accented == int(truth.sum())
    assert statistics.cosine is not None
    assert statistics.cosine > 0.9
    assert statistics.cosine_others == pytest.approx(0, abs=0.1)
    assert min(found.cosines) >= THRESHOLD


@pytest.mark.parametrize("seed", range(3))
def test_some_accented_entries_and_some_others(pieces: list[str], seed: int):
    rows = trained_rows(seed)
    truth = torch.rand(ENTRIES) < torch.where(accented(pieces), 0.6, 0.1)
    truth[:5] = False
    precision, recall = accuracy(find(plant(rows, truth, 0.7), pieces).ids, truth)
    assert precision > 0.98
    assert recall > 0.98


def test_entries_that_only_their_likeness_to_reserved_ones_gives_away(pieces: list[str]):
    rows = trained_rows()
    truth = torch.rand(ENTRIES) < 0.15
    truth[:5] = False
    truth[100:130] = True
    named = [f"[unused{i}]" if 100 <= i < 130 else piece for i, piece in enumerate(pieces)]
    found = find(plant(rows, truth, 0.7), named)
    assert accuracy(found.ids, truth) == (1, 1)
    assert found.statistics.reserved_found == found.statistics.reserved == 30
    assert 0 < found.statistics.accented_found < found.statistics.accented


@pytest.mark.parametrize("seed", range(4))
def test_none_where_all_are_trained(pieces: list[str], seed: int):
    found = find(trained_rows(seed), pieces)
    assert found.ids == ()
    assert found.statistics.verdict == "none of 795 entries look under-trained"


def test_random_weights_tell_nothing(pieces: list[str]):
    torch.manual_seed(0)
    rows = START * torch.randn(ENTRIES, WIDTH)
    assert find(rows, pieces).ids == ()
    named = [f"[unused{i}]" if 100 <= i < 130 else piece for i, piece in enumerate(pieces)]
    with pytest.raises(SelectraError, match=r"entries such as \[unused1\] do not resemble"):
        find(rows, named)


@pytest.mark.parametrize("strips_accents", [False, True])
def test_nothing_to_compare_with_is_an_error(strips_accents: bool):
    few = [f"niño{i}" if i < 5 + FEWEST - 1 and not strips_accents else f"a{i}" for i in range(800)]
    with pytest.raises(SelectraError, match="under-trained entries cannot be found"):
        find(trained_rows(), few, strips_accents=strips_accents)


def test_special_tokens_are_not_examined(pieces: list[str]):
    rows = plant(trained_rows(), accented(pieces), 0.5)
    rows[:5] = rows[8]
    assert not set(find(rows, pieces).ids) & set(SPECIAL)
    assert not set(find(rows, pieces, strips_accents=True).ids) & set(SPECIAL)


def test_damaged_embeddings_are_an_error(pieces: list[str]):
    rows = trained_rows()
    with pytest.raises(SelectraError, match="799 entries"):
        find(rows, pieces[1:])
    rows[7, 3] = float("nan")
    with pytest.raises(SelectraError, match="not finite"):
        find(rows, pieces)
