from __future__ import annotations

import errno
import json
import os
import shutil
import signal
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from spacy_selectra.cli.app import app
from spacy_selectra.corpus.holdout import is_heldout
from spacy_selectra.corpus.packed import builder as packing
from spacy_selectra.corpus.packed import units
from spacy_selectra.corpus.packed.builder import PackSettings, pack_corpus
from spacy_selectra.corpus.packed.format import PackedCorpus
from spacy_selectra.corpus.packed.units import (
    SHORTEST,
    PackedUnit,
    SequenceCutter,
    UnitPacker,
    UnitSettings,
    piece_type,
    units_of,
)
from spacy_selectra.errors import SelectraError
from spacy_selectra.text.tokenizer import (
    fingerprint,
    load_backend,
    make_tokenizer,
    read_vocabulary,
    save_tokenizer,
)
from tests.corpus.conftest import SENTENCE, spanish_texts
from tests.processes import run_and_signal

SETTINGS = PackSettings(length=32, heldout=0.1, seed=7)
CLS, SEP = 2, 3


@pytest.fixture(autouse=True)
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """200 documents become 13 units in 4 shards."""
    monkeypatch.setattr(units, "DOCUMENTS_PER_UNIT", 16)
    monkeypatch.setattr(packing, "UNITS_PER_SHARD", 4)


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def pieces(corpus: PackedCorpus) -> list[list[int]]:
    return [corpus.sequence(n)[0].tolist() for n in range(corpus.n_sequences)]


def test_every_piece_of_every_document_comes_back(
    corpus_file: Path, texts: list[str], tokenizer_dir: Path, tmp_path: Path
) -> None:
    pack_corpus(corpus_file, tmp_path / "packed", tokenizer_dir, SETTINGS)
    backend = load_backend(tokenizer_dir)
    for split, heldout in (("train", False), ("heldout", True)):
        corpus = PackedCorpus(tmp_path / "packed", split, read_vocabulary(tokenizer_dir))  # type: ignore[arg-type]
        found = [piece for ids in pieces(corpus) for piece in ids if piece not in (CLS, SEP)]
        expected = [
            piece
            for text in texts
            if is_heldout(text, 0.1) == heldout
            for piece in backend.encode(text, add_special_tokens=False).ids
        ]
        assert found == expected


def test_the_form_of_the_sequences(corpus_file: Path, tokenizer_dir: Path, tmp_path: Path) -> None:
    pack_corpus(corpus_file, tmp_path / "packed", tokenizer_dir, SETTINGS)
    corpus = PackedCorpus(tmp_path / "packed")
    backend = load_backend(tokenizer_dir)
    pairs = 0
    for number in range(corpus.n_sequences):
        ids, first = corpus.sequence(number)
        assert 3 <= len(ids) <= 32
        assert ids[0] == CLS
        assert ids[-1] == ids[first - 1] == SEP
        assert np.count_nonzero(ids == SEP) == (2 if first < len(ids) else 1)
        if backend.id_to_token(int(ids[1])).startswith("##"):
            # Only where the sequence before was so short that no word began in it.
            assert number
            assert len(corpus.sequence(number - 1)[0]) < 12
        pairs += first < len(ids)
    assert 0.5 < pairs / corpus.n_sequences < 0.95


def test_the_sentence_comes_back_exactly(tokenizer_dir: Path, tmp_path: Path) -> None:
    source = tmp_path / "one.jsonl"
    source.write_text(json.dumps({"text": SENTENCE}))
    pack_corpus(source, tmp_path / "packed", tokenizer_dir, PackSettings(length=32, heldout=0.0))
    batch = PackedCorpus(tmp_path / "packed").batch(np.array([0]))
    assert load_backend(tokenizer_dir).decode(batch.input_ids.tolist()) == SENTENCE


def test_segments_after_electra() -> None:
    cutter = SequenceCutter(128, np.random.default_rng(0))
    starts = np.ones(200_000, dtype=bool)
    starts[1::3] = False
    ends = np.zeros(200_000, dtype=bool)
    ends[19::20] = True
    spans = cutter.cut(starts, ends)
    assert spans[0].start == 0
    assert spans[-1].end == 200_000
    assert all(a.end == b.start for a, b in pairwise(spans))
    assert all(starts[span.start] for span in spans)
    sizes = np.array([s.end - s.start + (2 if s.split == s.end else 3) for s in spans])
    assert sizes.max() <= 128
    full = sizes >= 127
    assert 0.93 < full.mean() < 0.97  # 5% are shorter
    whole = [span for span, is_full in zip(spans, full, strict=True) if is_full]
    single = np.array([span.split == span.end for span in whole])
    assert 0.07 < single.mean() < 0.13  # 10% are one segment
    splits = np.array([s.split - s.start for s in whole if s.split < s.end])
    assert all(ends[s.split - 1] for s in whole if s.split < s.end)
    # The sentence across the middle (62) falls on either side equally often.
    assert 0.4 < np.mean(splits > 62) < 0.6
    assert splits.min() > 62 - 20
    assert splits.max() <= 62 + 20


def test_any_number_of_processes_gives_the_same_bytes(
    corpus_file: Path, tokenizer_dir: Path, tmp_path: Path
) -> None:
    one = pack_corpus(corpus_file, tmp_path / "one", tokenizer_dir, SETTINGS)
    two_settings = PackSettings(length=32, heldout=0.1, seed=7, processes=2)
    pack_corpus(corpus_file, tmp_path / "two", tokenizer_dir, two_settings)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert len(one.manifest.splits["train"].shards) == 4
    other = PackSettings(length=32, heldout=0.1, seed=8)
    pack_corpus(corpus_file, tmp_path / "other", tokenizer_dir, other)
    assert contents(tmp_path / "one") != contents(tmp_path / "other")


def test_manifest(corpus_file: Path, texts: list[str], tokenizer_dir: Path, tmp_path: Path) -> None:
    manifest = pack_corpus(corpus_file, tmp_path / "packed", tokenizer_dir, SETTINGS).manifest
    values = json.loads((tmp_path / "packed" / "manifest.json").read_text())
    assert values["format_version"] == 1
    assert values["tokenizer_sha256"] == fingerprint(tokenizer_dir)
    assert values["sequence_length"] == 32
    assert values["dtype"] == "uint16"
    assert values["sources"] == [{"path": str(corpus_file), "bytes": corpus_file.stat().st_size}]
    assert values["documents"] == len(texts)
    heldout = sum(is_heldout(text, 0.1) for text in texts)
    assert manifest.splits["heldout"].documents == heldout
    assert manifest.splits["train"].documents == len(texts) - heldout
    counts = np.load(tmp_path / "packed" / "piece-counts.npy")
    corpus = PackedCorpus(tmp_path / "packed")
    expected = np.bincount([i for ids in pieces(corpus) for i in ids], minlength=len(counts))
    assert counts.tolist() == expected.tolist()
    assert manifest.unseen_entries == np.count_nonzero(expected[5:] == 0)


def test_what_is_left_out_is_reported(tokenizer_dir: Path, tmp_path: Path) -> None:
    source = tmp_path / "a.jsonl"
    texts = ["", " \n", "pan.", *spanish_texts(3), "Ж Ж Ж Ж Ж Ж"]
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    settings = PackSettings(length=32, heldout=0.0)
    result = pack_corpus(source, tmp_path / "packed", tokenizer_dir, settings)
    assert (result.manifest.empty, result.manifest.too_short) == (2, 1)
    assert result.manifest.splits["train"].unknown >= 6
    assert result.notices[0].startswith("left out 2 empty documents and 1 with fewer than 5")
    assert "are [UNK]" in result.notices[1]
    assert "no document is held out" in result.notices[2]


def test_heldout_from_its_own_source(
    corpus_file: Path, tokenizer_dir: Path, tmp_path: Path
) -> None:
    other = tmp_path / "heldout.txt"
    other.write_text("\n\n".join(spanish_texts(20, seed=9)), encoding="utf-8")
    settings = PackSettings(length=32, heldout=0.0)
    manifest = pack_corpus(
        corpus_file, tmp_path / "packed", tokenizer_dir, settings, [other]
    ).manifest
    assert manifest.splits["train"].documents == 200
    assert manifest.splits["heldout"].documents == 20


def test_held_out_files_are_not_trained_on(tokenizer_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    for seed, name in enumerate(("a", "b")):
        texts = spanish_texts(20, seed=seed)
        (folder / f"{name}.txt").write_text("\n\n".join(texts), encoding="utf-8")
    settings = PackSettings(length=32, heldout=0.0)
    # another way to write the path
    heldout = [folder / ".." / "texts" / "b.txt"]
    result = pack_corpus(folder, tmp_path / "packed", tokenizer_dir, settings, heldout)
    assert [split.documents for split in result.manifest.splits.values()] == [20, 20]
    assert result.notices[0].endswith("b.txt: held out, so not used for training")
    with pytest.raises(SelectraError, match="every source is held out"):
        pack_corpus(heldout, tmp_path / "other", tokenizer_dir, settings, [folder])


class Killed(BaseException):
    pass


def interrupt(monkeypatch: pytest.MonkeyPatch, after: int, error: BaseException) -> list[int]:
    """Let the saving of unit number `after` (counted from 0) fail once; counts the calls."""
    saved: list[int] = []
    real = np.savez

    def savez(*args: object, **arrays: object) -> None:
        saved.append(1)
        if len(saved) == after + 1:
            raise error
        real(*args, **arrays)  # type: ignore[arg-type]

    monkeypatch.setattr(np, "savez", savez)
    return saved


@pytest.mark.parametrize("after", [2, 9])
def test_a_killed_run_continues(
    corpus_file: Path,
    tokenizer_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    after: int,
) -> None:
    pack_corpus(corpus_file, tmp_path / "whole", tokenizer_dir, SETTINGS)
    saved = interrupt(monkeypatch, after, Killed())
    with pytest.raises(Killed):
        pack_corpus(corpus_file, tmp_path / "packed", tokenizer_dir, SETTINGS)
    with pytest.raises(SelectraError, match="packing is not finished"):
        PackedCorpus(tmp_path / "packed")
    result = pack_corpus(corpus_file, tmp_path / "packed", tokenizer_dir, SETTINGS)
    assert result.notices == []
    # Documents are read ahead of the units kept: the failed one is packed again, no other.
    assert len(saved) == 13 + 1
    assert contents(tmp_path / "packed") == contents(tmp_path / "whole")
    assert not (tmp_path / "packed.partial").exists()


def test_a_full_disk_loses_nothing(
    corpus_file: Path, tokenizer_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack_corpus(corpus_file, tmp_path / "packed", tokenizer_dir, SETTINGS)
    before = contents(tmp_path / "packed")
    interrupt(monkeypatch, 5, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    with pytest.raises(SelectraError, match="No space left on device"):
        pack_corpus(corpus_file, tmp_path / "packed", tokenizer_dir, SETTINGS)
    assert contents(tmp_path / "packed") == before
    pack_corpus(corpus_file, tmp_path / "packed", tokenizer_dir, SETTINGS)
    assert contents(tmp_path / "packed") == before


@pytest.mark.parametrize("after", [2, 9])
@pytest.mark.parametrize("change", ["texts", "fewer", "settings"])
def test_changed_texts_or_settings_start_afresh(
    corpus_file: Path,
    texts: list[str],
    tokenizer_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    after: int,
) -> None:
    interrupt(monkeypatch, after, Killed())
    with pytest.raises(Killed):
        pack_corpus(corpus_file, tmp_path / "packed", tokenizer_dir, SETTINGS)
    settings = SETTINGS
    if change == "texts":
        corpus_file.write_text("\n\n".join(["Nuevo año, nuevo texto.", *texts]), encoding="utf-8")
    elif change == "fewer":
        corpus_file.write_text("\n\n".join(texts[:20]), encoding="utf-8")
    else:
        settings = PackSettings(length=24, heldout=0.1, seed=7)
    result = pack_corpus(corpus_file, tmp_path / "packed", tokenizer_dir, settings)
    what = "settings" if change == "settings" else "texts"
    assert result.notices[0] == f"the {what} have changed since the interrupted run: started again"
    shutil.rmtree(tmp_path / "packed.partial", ignore_errors=True)
    pack_corpus(corpus_file, tmp_path / "whole", tokenizer_dir, settings)
    assert contents(tmp_path / "packed") == contents(tmp_path / "whole")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_process_can_be_continued(
    tokenizer_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
) -> None:
    source = tmp_path / "corpus.txt"
    source.write_text("\n\n".join(spanish_texts(500)), encoding="utf-8")
    smaller = "from spacy_selectra.corpus.packed import units; units.DOCUMENTS_PER_UNIT = 4"
    command = ["corpus", "pack", str(source), str(tmp_path / "packed"), "--tokenizer"]
    command += [str(tokenizer_dir), "--length", "32", "--quiet"]
    done = run_and_signal(command, number, "unit-*.npz", before=smaller)
    if number == signal.SIGTERM:
        assert done.returncode == 1
        assert "run the same command again to continue" in done.stderr
    else:
        assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "packed.partial").is_dir()
    monkeypatch.setattr(units, "DOCUMENTS_PER_UNIT", 4)
    monkeypatch.setattr(packing, "UNITS_PER_SHARD", 128)
    assert CliRunner().invoke(app, command).exit_code == 0
    pack_corpus(source, tmp_path / "whole", tokenizer_dir, PackSettings(length=32))
    assert contents(tmp_path / "packed") == contents(tmp_path / "whole")


def test_foreign_directories_are_never_replaced(
    corpus_file: Path, tokenizer_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.tex").write_text("x")
    with pytest.raises(SelectraError, match="exists and is not a packed corpus"):
        pack_corpus(corpus_file, tmp_path / "precious", tokenizer_dir, SETTINGS)
    assert (tmp_path / "precious" / "thesis.tex").read_text() == "x"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (PackSettings(length=4), "length must be between 8 and"),
        (PackSettings(heldout=1.0), "heldout must be at least 0 and below 1"),
        (PackSettings(processes=0), "processes must be at least 1"),
        (PackSettings(seed=-1), "seed must be at least 0"),
    ],
)
def test_settings_out_of_range(
    corpus_file: Path, tokenizer_dir: Path, tmp_path: Path, settings: PackSettings, message: str
) -> None:
    with pytest.raises(SelectraError, match=message):
        pack_corpus(corpus_file, tmp_path / "packed", tokenizer_dir, settings)


def test_nothing_to_train_on(tokenizer_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("pan\n\nsol")
    with pytest.raises(SelectraError, match="of 2 documents 0 are empty, 2 too short"):
        pack_corpus(tmp_path / "a.txt", tmp_path / "packed", tokenizer_dir)


def test_large_vocabularies_need_four_bytes(tmp_path: Path) -> None:
    assert piece_type(65_536).itemsize == 2
    assert piece_type(65_537).itemsize == 4
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"p{n}" for n in range(65_540))]
    save_tokenizer(make_tokenizer(words), tmp_path / "tokenizer")
    (tmp_path / "a.txt").write_text(" ".join(f"p{n}" for n in range(65_530, 65_540)))
    settings = PackSettings(length=32, heldout=0.0)
    manifest = pack_corpus(
        tmp_path / "a.txt", tmp_path / "packed", tmp_path / "tokenizer", settings
    ).manifest
    assert manifest.dtype == "uint32"
    ids = PackedCorpus(tmp_path / "packed").sequence(0)[0]
    assert [piece for piece in ids if piece > 4] == list(range(65_535, 65_545))


def test_a_dead_worker_is_explained(
    corpus_file: Path, tokenizer_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spacy_selectra.util import workers

    monkeypatch.setattr(workers, "_start_worker", _abort)
    settings = PackSettings(length=32, processes=2)
    with pytest.raises(SelectraError, match="a worker process was killed"):
        pack_corpus(corpus_file, tmp_path / "packed", tokenizer_dir, settings)


def _abort(*arguments: object) -> None:
    os._exit(9)


DOCUMENT = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=120)


@given(st.lists(DOCUMENT, max_size=4), st.integers(8, 40), st.integers(0, 1000))
def test_sequences_of_any_document(
    documents: list[list[tuple[bool, bool]]], length: int, seed: int
) -> None:
    cutter = SequenceCutter(length, np.random.default_rng(seed))
    for document in documents:
        table = np.array(document, dtype=bool).reshape(-1, 2)
        starts_word, ends_sentence = table[:, 0], table[:, 1]
        covered = 0
        for span in cutter.cut(starts_word, ends_sentence):
            assert span.start == covered < span.split <= span.end
            covered = span.end
            special = 2 if span.split == span.end else 3
            assert span.end - span.start + special <= length
            # the next sequence begins with a word, if one begins within this one
            if span.end < len(document):
                assert starts_word[span.end] or not starts_word[span.start + 1 : span.end].any()
            assert span.split == span.end or ends_sentence[span.split - 1]
        assert covered == len(document)


@given(
    st.lists(st.text("añño. \n", max_size=60), max_size=6),
    st.integers(8, 24),
    st.sampled_from([0.0, 0.5]),
)
def test_a_unit_holds_every_piece_of_its_documents(
    tokenizer_dir: Path, texts: list[str], length: int, heldout: float
) -> None:
    tokenizer = load_backend(tokenizer_dir)
    packer = UnitPacker(tokenizer, UnitSettings(length, heldout, seed=1))
    for unit in units_of(texts):
        packed = packer(unit)
        ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
        assert packed.counts[0] == len(texts)
        assert packed.counts[1] == sum(not pieces for pieces in ids)
        for split, number in (("train", 3), ("heldout", 4)):
            expected = [
                pieces
                for text, pieces in zip(texts, ids, strict=True)
                if len(pieces) >= SHORTEST and is_heldout(text, heldout) == (split == "heldout")
            ]
            assert packed.counts[number] == len(expected)
            whole, first = packed.lengths[split]
            found: list[int] = []
            for sequence, size in zip(
                np.split(packed.pieces[split], np.cumsum(whole)[:-1]), first, strict=False
            ):
                assert len(sequence) <= length
                assert (sequence[0], sequence[size - 1], sequence[-1]) == (CLS, SEP, SEP)
                found += [*sequence[1 : size - 1], *sequence[size:-1]]
            assert found == [piece for pieces in expected for piece in pieces]


def test_units_end_early_at_long_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "CHARACTERS_PER_UNIT", 100)
    found = list(units.units_of(["x" * 60, "y" * 60, "z"], first=3))
    assert [(unit.number, len(unit.texts)) for unit in found] == [(3, 2), (4, 1)]
    assert found[0].digest != found[1].digest


def test_units_on_disk_hold_what_they_held(tmp_path: Path) -> None:
    unit = PackedUnit(
        np.arange(7),
        {"train": np.arange(5, dtype=np.uint16), "heldout": np.empty(0, np.uint16)},
        {"train": np.array([[5], [5]]), "heldout": np.empty((2, 0), np.int64)},
    )
    unit.save(tmp_path / "u.npz")
    assert PackedUnit.read_counts(tmp_path / "u.npz").tolist() == list(range(7))
    assert PackedUnit.read_split(tmp_path / "u.npz", "train")[0].tolist() == list(range(5))
