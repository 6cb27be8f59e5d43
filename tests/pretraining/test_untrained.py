"""Finding untrained rows: planted in matrices in which the truth is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.initialization.untrained import find_untrained

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


def accuracy(found: tuple[int, ...], truth: Tensor) -> tuple[float, float]:
    right = int(truth[list(found)].sum())
    return right / max(1, len(found)), right / int(truth.sum())


def accented(pieces: list[str]) -> Tensor:
    return torch.tensor(["ñ" in piece and index >= 5 for index, piece in enumerate(pieces)])


@pytest.mark.parametrize("left", [1.0, 0.4])
@pytest.mark.parametrize("drift", [0.1, 0.0])
def test_all_accented_entries(pieces: list[str], left: float, drift: float):
    truth = accented(pieces)
    found = find_untrained(plant(trained_rows(), truth, left, drift), pieces, SPECIAL, START)
    assert accuracy(found.ids, truth) == (1, 1)
    statistics = found.statistics
    assert statistics.accented_found == statistics.accented == int(truth.sum())
    assert statistics.spread == pytest.approx(left, rel=0.1)
    assert statistics.spread_others > 2
    assert statistics.overlap < 0.001
    assert min(found.log_odds) > 0


@pytest.mark.parametrize("seed", range(3))
def test_some_accented_entries_and_some_others(pieces: list[str], seed: int):
    rows = trained_rows(seed)
    truth = torch.rand(ENTRIES) < torch.where(accented(pieces), 0.5, 0.1)
    truth[:5] = False
    found = find_untrained(plant(rows, truth, 0.7), pieces, SPECIAL, START)
    precision, recall = accuracy(found.ids, truth)
    assert precision > 0.98
    assert recall > 0.98


def test_entries_that_nothing_in_their_spelling_gives_away(pieces: list[str]):
    rows = trained_rows()
    truth = torch.rand(ENTRIES) < 0.15
    truth[:5] = False
    found = find_untrained(plant(rows, truth, 0.7), pieces, SPECIAL, START)
    assert accuracy(found.ids, truth) == (1, 1)


def test_reserved_entries(pieces: list[str]):
    truth = torch.zeros(ENTRIES, dtype=torch.bool)
    truth[100:130] = True
    named = [f"[unused{i}]" if truth[i] else piece for i, piece in enumerate(pieces)]
    found = find_untrained(plant(trained_rows(), truth, 1.0), named, SPECIAL, START)
    assert accuracy(found.ids, truth) == (1, 1)
    assert found.statistics.reserved_found == 30
    assert found.statistics.accented_found == 0


@pytest.mark.parametrize("seed", range(4))
def test_none_where_all_are_trained(pieces: list[str], seed: int):
    found = find_untrained(trained_rows(seed), pieces, SPECIAL, START)
    assert found.ids == ()
    assert found.statistics.verdict.startswith("no group of rows among 795")


def test_trained_entries_that_are_alike_are_not_untrained(pieces: list[str]):
    # numbers, say: a tight cluster, but made of pairs of neighbours
    rows = trained_rows()
    numbers = torch.arange(300, 400)
    rows[numbers] = 0.1 * torch.randn(WIDTH) + 0.5 * START * torch.randn(100, WIDTH)
    rows[numbers[1::2]] = rows[numbers[::2]] + 0.1 * START * torch.randn(50, WIDTH)
    assert find_untrained(rows, pieces, SPECIAL, START).ids == ()


@pytest.mark.parametrize(
    ("share", "left"),
    [
        (0.15, 1.6),  # wider than a random start can be
        (0.04, 0.7),  # too few, and nothing in their spelling speaks for it
    ],
)
def test_clusters_that_may_have_another_reason_are_left(pieces: list[str], share, left):
    rows = trained_rows() * 2
    chosen = torch.rand(ENTRIES) < share
    assert find_untrained(plant(rows, chosen, left), pieces, SPECIAL, START).ids == ()


def test_random_weights_tell_nothing(pieces: list[str]):
    torch.manual_seed(0)
    assert find_untrained(START * torch.randn(ENTRIES, WIDTH), pieces, SPECIAL, START).ids == ()


def test_wide_embeddings_are_judged_on_a_projection(pieces: list[str]):
    rows = trained_rows() @ torch.linalg.qr(torch.randn(300, WIDTH))[0].T
    truth = accented(pieces)
    rows += 2 * START * torch.randn(rows.shape)
    rows[truth] = 0.1 * torch.randn(300) + 0.8 * START * torch.randn(int(truth.sum()), 300)
    found = find_untrained(rows, pieces, SPECIAL, START)
    assert accuracy(found.ids, truth) == (1, 1)
    assert found.statistics.spread == pytest.approx(0.8, rel=0.1)


def test_special_tokens_are_not_examined(pieces: list[str]):
    truth = accented(pieces)
    rows = plant(trained_rows(), truth, 0.5)
    rows[:5] = rows[8]
    assert not set(find_untrained(rows, pieces, SPECIAL, START).ids) & set(SPECIAL)


def test_the_verdict_does_not_depend_on_chance(pieces: list[str]):
    rows = plant(trained_rows(), accented(pieces), 0.7)
    torch.manual_seed(1)
    first = find_untrained(rows, pieces, SPECIAL, START)
    torch.manual_seed(2)
    assert find_untrained(rows, pieces, SPECIAL, START) == first


def test_damaged_embeddings_are_an_error(pieces: list[str]):
    rows = trained_rows()
    with pytest.raises(SelectraError, match="799 entries"):
        find_untrained(rows, pieces[1:], SPECIAL, START)
    rows[7, 3] = float("nan")
    with pytest.raises(SelectraError, match="not finite"):
        find_untrained(rows, pieces, SPECIAL, START)
