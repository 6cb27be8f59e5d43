from __future__ import annotations

import json
import shutil
import threading
import time
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_selectra.corpus.packed import builder as packing
from spacy_selectra.corpus.packed import units
from spacy_selectra.corpus.packed.builder import PackSettings, pack_corpus
from spacy_selectra.corpus.packed.format import Batch, PackedCorpus
from spacy_selectra.corpus.packed.loader import BatchLoader, Prefetcher, sequence_batches
from spacy_selectra.errors import SelectraError
from spacy_selectra.text.tokenizer import (
    entries,
    load_backend,
    make_tokenizer,
    read_vocabulary,
    save_tokenizer,
)
from tests.corpus.conftest import spanish_texts

CLS, SEP = 2, 3


def as_it_is(batch: Batch) -> Batch:
    return batch


@pytest.fixture(scope="module")
def packed(tokenizer_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About 300 sequences in three shards."""
    folder = tmp_path_factory.mktemp("loader")
    (folder / "a.txt").write_text("\n\n".join(spanish_texts(80)), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(units, "DOCUMENTS_PER_UNIT", 10)
        patch.setattr(packing, "UNITS_PER_SHARD", 3)
        settings = PackSettings(length=32, heldout=0.2)
        pack_corpus(folder / "a.txt", folder / "packed", tokenizer_dir, settings)
    return folder / "packed"


@pytest.fixture
def corpus(packed: Path) -> PackedCorpus:
    return PackedCorpus(packed)


def split_batch(batch: Batch) -> list[tuple[int, ...]]:
    ends = np.cumsum(batch.lengths)
    return [tuple(batch.input_ids[e - n : e]) for e, n in zip(ends, batch.lengths, strict=True)]


def same(one: Batch, two: Batch) -> bool:
    return one.epoch == two.epoch and all(
        np.array_equal(getattr(one, name), getattr(two, name))
        for name in ("input_ids", "lengths", "type_ids")
    )


def test_a_batch_is_its_sequences(corpus: PackedCorpus) -> None:
    last = corpus.n_sequences - 1
    batch = corpus.batch(np.array([last, 0, 5]))
    assert batch.input_ids.dtype == batch.type_ids.dtype == np.int64
    assert batch.lengths.dtype == np.int32
    expected_types: list[int] = []
    for found, index in zip(split_batch(batch), (last, 0, 5), strict=True):
        ids, first = corpus.sequence(index)
        assert found == tuple(ids)
        expected_types += [0] * first + [1] * (len(ids) - first)
    assert batch.type_ids.tolist() == expected_types
    with pytest.raises(IndexError):
        corpus.sequence(corpus.n_sequences)


def test_lengths_and_counts(corpus: PackedCorpus) -> None:
    lengths = [len(corpus.sequence(n)[0]) for n in range(corpus.n_sequences)]
    assert corpus.lengths().tolist() == lengths
    assert corpus.n_tokens == sum(lengths)
    assert len(corpus.manifest.splits["train"].shards) == 3


def test_every_sequence_once_an_epoch_in_another_order(corpus: PackedCorpus) -> None:
    loader = BatchLoader(corpus, 7, seed=3)
    everything = [tuple(corpus.sequence(n)[0]) for n in range(corpus.n_sequences)]
    stream = [
        found
        for batch in islice(loader, 2 * corpus.n_sequences // 7 + 1)
        for found in split_batch(batch)
    ]
    first, second = stream[: len(everything)], stream[len(everything) : 2 * len(everything)]
    assert sorted(first) == sorted(second) == sorted(everything)
    assert first != second
    assert first != everything
    other = split_batch(next(BatchLoader(corpus, 7, seed=4)))
    assert other != stream[:7]


def test_epochs_are_counted_and_batches_may_span_them(corpus: PackedCorpus) -> None:
    loader = BatchLoader(corpus, corpus.n_sequences - 1, shuffle=False)
    one, two = next(loader), next(loader)
    assert (one.epoch, two.epoch) == (0, 0)
    assert split_batch(two)[0] == tuple(corpus.sequence(corpus.n_sequences - 1)[0])
    assert split_batch(two)[1] == tuple(corpus.sequence(0)[0])
    assert next(loader).epoch == 1
    huge = next(BatchLoader(corpus, 3 * corpus.n_sequences))
    assert len(huge.lengths) == 3 * corpus.n_sequences


class Numbers:
    """A corpus whose sequences are their own numbers."""

    def __init__(self, size: int) -> None:
        self.n_sequences = self.n_tokens = size
        self.manifest = SimpleNamespace(tokenizer_sha256="")

    def batch(self, indices: np.ndarray, epoch: int, max_length: int | None) -> Batch:
        ones = np.ones(len(indices), dtype=np.int32)
        return Batch(indices, ones, np.zeros(len(indices), dtype=np.int64), epoch)


@given(
    size=st.integers(1, 12),
    seed=st.integers(0, 99),
    shuffle=st.booleans(),
    parts=st.lists(
        st.tuples(st.integers(1, 15), st.integers(1, 3), st.integers(0, 4)), min_size=1, max_size=3
    ),
)
def test_stopping_ranks_and_batches_change_nothing(
    size: int, seed: int, shuffle: bool, parts: list[tuple[int, int, int]]
) -> None:
    """Whatever a run is divided into, it sees the order that is read one sequence at a time."""
    corpus: Any = Numbers(size)
    single = BatchLoader(corpus, 1, seed, shuffle=shuffle)
    order: list[int] = []
    state = single.state_dict()
    for batch_size, world_size, batches in parts:
        ranks = [
            BatchLoader(corpus, batch_size, seed, rank, world_size, shuffle=shuffle)
            for rank in range(world_size)
        ]
        for loader in ranks:
            loader.load_state_dict(json.loads(json.dumps(state)))
        for _ in range(batches):
            for loader in ranks:
                batch = next(loader)
                alone = [next(single) for _ in range(batch_size)]
                assert batch.input_ids.tolist() == [int(one.input_ids[0]) for one in alone]
                assert (batch.first, batch.epoch) == (alone[0].first, alone[0].epoch)
                order += batch.input_ids.tolist()
        assert all(loader.state_dict() == single.state_dict() for loader in ranks)
        state = ranks[0].state_dict()
    epochs = [order[begin : begin + size] for begin in range(0, len(order), size)]
    assert all(sorted(epoch) == list(range(size)) for epoch in epochs[:-1])
    if not shuffle:
        assert order == [number % size for number in range(len(order))]


def test_states_of_another_order_are_refused(packed: Path, corpus: PackedCorpus) -> None:
    state = BatchLoader(corpus, 7, seed=3).state_dict()
    with pytest.raises(SelectraError, match="its seed is 4, that of the checkpoint is 3"):
        BatchLoader(corpus, 7, seed=4).load_state_dict(state)
    with pytest.raises(SelectraError, match="n_sequences"):
        BatchLoader(PackedCorpus(packed, "heldout"), 7, seed=3).load_state_dict(state)
    with pytest.raises(SelectraError, match="damaged loader state: no 'sequences_seen'"):
        BatchLoader(corpus, 7, seed=3).load_state_dict({})


def test_longer_sequences_are_cut(corpus: PackedCorpus) -> None:
    for limit in range(3, 33):
        batch = corpus.batch(np.arange(corpus.n_sequences), max_length=limit)
        assert batch.lengths.max() <= limit
        types = np.split(batch.type_ids, np.cumsum(batch.lengths)[:-1])
        for index, (found, type_ids) in enumerate(zip(split_batch(batch), types, strict=True)):
            ids, first = corpus.sequence(index)
            assert found[0] == CLS
            assert found[-1] == SEP
            assert found[:-1] == tuple(ids[: len(found) - 1])
            assert len(found) >= min(len(ids), limit - 1)
            second = np.count_nonzero(type_ids)
            assert second != 1  # never a second segment without text
            assert second == (len(found) - first if len(found) > first else 0)


def test_one_pass_in_order(packed: Path) -> None:
    corpus = PackedCorpus(packed, "heldout")
    found = [ids for batch in sequence_batches(corpus, 4) for ids in split_batch(batch)]
    assert found == [tuple(corpus.sequence(n)[0]) for n in range(corpus.n_sequences)]


def test_some_sequences_come_from_everywhere(packed: Path) -> None:
    corpus = PackedCorpus(packed, "train")
    whole = [tuple(corpus.sequence(n)[0]) for n in range(corpus.n_sequences)]
    count = corpus.n_sequences // 3
    batches = list(sequence_batches(corpus, 4, sequences=count))
    assert [batch.first for batch in batches] == list(range(0, count, 4))
    places = [whole.index(tuple(ids)) for batch in batches for ids in split_batch(batch)]
    assert len(places) == count
    for part in range(3):
        inside = [place for place in places if part * count <= place < (part + 1) * count]
        assert len(inside) == pytest.approx(count / 3, abs=1)
    assert len(list(sequence_batches(corpus, 4, sequences=10**9))) == -(-len(whole) // 4)


def test_another_vocabulary_is_refused(packed: Path, tokenizer_dir: Path, tmp_path: Path) -> None:
    assert PackedCorpus(packed, vocabulary=read_vocabulary(tokenizer_dir)).n_sequences > 200
    words = entries(load_backend(tokenizer_dir))
    words[20], words[21] = words[21], words[20]
    save_tokenizer(make_tokenizer(words), tmp_path)
    with pytest.raises(SelectraError, match="vocabulary does not match"):
        PackedCorpus(packed, vocabulary=read_vocabulary(tmp_path))


def test_damage_is_found_on_opening(packed: Path, tmp_path: Path) -> None:
    def copy(name: str) -> Path:
        return Path(shutil.copytree(packed, tmp_path / name))

    shard = copy("truncated") / "train-00001.bin"
    shard.write_bytes(shard.read_bytes()[:-2])
    with pytest.raises(SelectraError, match=r"train-00001.bin has .* bytes, not"):
        PackedCorpus(tmp_path / "truncated")
    (copy("missing") / "train-00002.bin").unlink()
    with pytest.raises(SelectraError, match=r"train-00002.bin is missing"):
        PackedCorpus(tmp_path / "missing")
    index = copy("index") / "train-00000.index.npy"
    index.write_bytes(index.read_bytes()[:-8])
    with pytest.raises(SelectraError, match=r"train-00000.index.npy: missing or truncated"):
        PackedCorpus(tmp_path / "index")
    other = copy("swapped")
    shutil.copy(other / "train-00001.index.npy", other / "train-00000.index.npy")
    with pytest.raises(SelectraError, match=r"does not fit train-00000.bin"):
        PackedCorpus(other)
    flipped = copy("flipped") / "train-00000.bin"
    flipped.write_bytes(b"\x05" + flipped.read_bytes()[1:])
    with pytest.raises(SelectraError, match="contents have changed"):
        PackedCorpus(tmp_path / "flipped").verify()
    PackedCorpus(packed).verify()


def test_manifests_that_cannot_be_used(packed: Path, tmp_path: Path) -> None:
    with pytest.raises(SelectraError, match="not a packed corpus, it has no manifest"):
        PackedCorpus(tmp_path)
    values = json.loads((packed / "manifest.json").read_text())
    for change, message in (
        ({"format": "other"}, "not the manifest of a packed corpus"),
        ({"format_version": 2}, "format version 2, this version of spacy-selectra reads 1"),
        ({"vocab_size": "x"}, "damaged manifest"),
    ):
        (tmp_path / "manifest.json").write_text(json.dumps({**values, **change}))
        with pytest.raises(SelectraError, match=message):
            PackedCorpus(tmp_path)
    with pytest.raises(SelectraError, match="no split 'dev'"):
        PackedCorpus(packed, "dev")  # type: ignore[arg-type]


def test_prefetching_changes_nothing(corpus: PackedCorpus) -> None:
    plain = BatchLoader(corpus, 7, seed=3)
    with Prefetcher(BatchLoader(corpus, 7, seed=3), as_it_is, depth=3) as ahead:
        for _ in range(60):
            assert same(next(plain), next(ahead))
            assert ahead.state_dict() == plain.state_dict()


def test_prefetching_resumes_exactly(corpus: PackedCorpus) -> None:
    with Prefetcher(BatchLoader(corpus, 7, seed=3), as_it_is) as ahead:
        batches = [next(ahead) for _ in range(3)]
        state = ahead.state_dict()
        following = next(ahead)
        ahead.load_state_dict(state)
        assert same(next(ahead), following)
        ahead.close()
        assert same(next(ahead), next(BatchLoaderAt(corpus, 4)))
    assert len(batches) == 3
    assert not any(thread.name == "prefetch" for thread in threading.enumerate())


def BatchLoaderAt(corpus: PackedCorpus, batches: int) -> BatchLoader:
    loader = BatchLoader(corpus, 7, seed=3)
    for _ in range(batches):
        next(loader)
    return loader


def test_prefetching_reads_ahead_but_not_endlessly(corpus: PackedCorpus) -> None:
    loader = BatchLoader(corpus, 7, seed=3)
    with Prefetcher(loader, as_it_is, depth=2) as ahead:
        next(ahead)
        for _ in range(3000):  # not seconds, which pass while a machine is stopped
            if loader.state_dict()["sequences_seen"] >= 4 * 7:
                break
            time.sleep(0.01)
        time.sleep(0.1)
        assert loader.state_dict()["sequences_seen"] == 4 * 7  # one out, two ready, one in hand
        assert ahead.state_dict()["sequences_seen"] == 7


def test_errors_while_prefetching_reach_the_caller(corpus: PackedCorpus) -> None:
    loader = BatchLoader(corpus, 7)
    with Prefetcher(loader, as_it_is) as ahead:
        next(ahead)
        ahead.close()
        loader.corpus.batch = lambda *arguments: 1 / 0  # type: ignore[method-assign]
        with pytest.raises(ZeroDivisionError):
            next(ahead)
