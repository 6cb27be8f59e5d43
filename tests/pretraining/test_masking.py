from __future__ import annotations

import numpy as np
import pytest
import torch

from spacy_selectra.pretraining.masking import MaskedBatch, Masker

PAD, UNK, CLS, SEP, MASK = range(5)
SPECIAL = (PAD, UNK, CLS, SEP, MASK)


def packed(lengths: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    ids = []
    for length in lengths:
        ids += [CLS, *rng.integers(5, 100, size=length - 2), SEP]
    return np.array(ids), np.array(lengths, dtype=np.int32), np.zeros(len(ids), dtype=np.int64)


def mask(lengths: list[int], seed: int = 0, **options: float) -> MaskedBatch:
    return Masker(100, SPECIAL, MASK, seed=seed, **options)(*packed(lengths))


@pytest.mark.parametrize(
    ("length", "expected"), [(3, 1), (10, 2), (20, 3), (30, 4), (50, 8), (128, 19), (512, 77)]
)
def test_fifteen_per_cent_rounded_half_to_even_and_at_least_one(length, expected):
    # 1.5 -> 2, 4.5 -> 4, 7.5 -> 8: as tf.round in the original code
    assert len(mask([length]).positions) == expected


def test_each_sequence_gets_its_own_share():
    lengths = [128, 3, 40, 512, 7]
    batch = mask(lengths)
    ends = np.cumsum(lengths)
    counts = [
        int(((batch.positions >= end - n) & (batch.positions < end)).sum())
        for n, end in zip(lengths, ends, strict=True)
    ]
    assert counts == [19, 1, 6, 77, 1]


def test_no_position_twice_and_ascending():
    positions = mask([128] * 50).positions
    assert torch.equal(positions, positions.unique())


def test_special_tokens_are_never_chosen():
    masker = Masker(100, SPECIAL, MASK, share=0.9)
    ids = np.random.default_rng(0).integers(0, 12, size=4000)
    for number in range(20):
        batch = masker(ids, np.full(40, 100), np.zeros(4000), 40 * number)
        chosen = batch.input_ids[batch.positions]
        assert not torch.isin(chosen, torch.tensor(SPECIAL)).any()


def test_more_wanted_than_there_are():
    batch = mask([4], share=0.9)
    assert batch.positions.tolist() == [1, 2]


def test_sequence_of_special_tokens_alone_has_nothing_to_predict():
    masker = Masker(100, SPECIAL, MASK)
    batch = masker(np.array([CLS, SEP]), np.array([2]), np.zeros(2))
    assert len(batch.positions) == 0


def test_positions_are_uniform():
    lengths = [22] * 20_000  # 20 candidates, 3 chosen
    positions = mask(lengths, seed=3).positions.numpy() % 22
    counts = np.bincount(positions, minlength=22)[1:21]
    expected = len(positions) / 20
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    # drawing without replacement narrows the variance by 1 - 2/19; 19 degrees of freedom,
    # 43.8 is the 99.9th percentile
    assert chi_squared < 43.8


def test_pairs_of_positions_are_uniform():
    lengths = [8] * 30_000
    positions = mask(lengths, seed=4, share=0.25).positions.numpy().reshape(-1, 2) % 8
    pairs = np.bincount((positions[:, 0] - 1) * 6 + positions[:, 1] - 1, minlength=36)
    counts = pairs[pairs > 0]
    assert len(counts) == 15  # every unordered pair of six candidates
    expected = 30_000 / 15
    assert ((counts - expected) ** 2 / expected).sum() < 36.1  # 14 degrees of freedom, 99.9%


def test_share_of_mask_tokens():
    batch = mask([128] * 2000, seed=5)
    seen = batch.masked_ids[batch.positions]
    hidden = seen == MASK
    kept = seen[~hidden]
    assert torch.equal(kept, batch.input_ids[batch.positions][~hidden])
    share, count = hidden.double().mean().item(), len(hidden)
    assert abs(share - 0.85) < 4 * np.sqrt(0.85 * 0.15 / count)


def test_everything_else_stays():
    batch = mask([128] * 10)
    untouched = torch.ones(1280, dtype=torch.bool)
    untouched[batch.positions] = False
    assert torch.equal(batch.masked_ids[untouched], batch.input_ids[untouched])


def test_same_seed_same_masks():
    first, second, other = mask([64] * 8, 7), mask([64] * 8, 7), mask([64] * 8, 8)
    assert torch.equal(first.masked_ids, second.masked_ids)
    assert torch.equal(first.uniforms, second.uniforms)
    assert not torch.equal(first.positions, other.positions)


def test_masks_depend_on_the_number_of_the_sequence_and_not_on_the_batch():
    masker = Masker(100, SPECIAL, MASK, seed=3, longest=64)
    ids, lengths, types = packed([64, 20, 33, 64, 7])
    whole = masker(ids, lengths, types, 1000)
    rows = slice(84, 181)  # the third and fourth sequence
    part = masker(ids[rows], lengths[2:4], types[rows], 1002)
    inside = (whole.positions >= rows.start) & (whole.positions < rows.stop)
    assert torch.equal(part.positions, whole.positions[inside] - rows.start)
    assert torch.equal(part.masked_ids, whole.masked_ids[rows])
    assert torch.equal(part.uniforms, whole.uniforms[inside])


def test_each_epoch_masks_a_sequence_anew():
    masker = Masker(100, SPECIAL, MASK)
    first, second = (masker(*packed([128]), number).positions for number in (5, 1005))
    assert not torch.equal(first, second)


def test_draws_are_uniform_and_independent_of_the_choice_of_masks():
    draws = mask([128] * 3000, seed=6).uniforms.numpy()
    counts = np.bincount((draws * 50).astype(int), minlength=50)
    expected = len(draws) / 50
    assert ((counts - expected) ** 2 / expected).sum() < 85.4  # 49 degrees of freedom, 99.9%
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 4 / np.sqrt(len(draws))


def test_a_sequence_too_long_for_its_random_numbers():
    with pytest.raises(ValueError, match="more than 16"):
        Masker(100, SPECIAL, MASK, longest=16)(*packed([20]))
