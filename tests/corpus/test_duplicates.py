"""Copies and near copies of documents and paragraphs: planted ones are found, others stay."""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spacy_selectra.cli.app import app
from spacy_selectra.corpus.documents import Document, read_documents
from spacy_selectra.corpus.duplicates.deduplicator import Deduplicator, DedupSettings
from spacy_selectra.corpus.duplicates.signatures import SignatureSettings, Sketcher, SketchIndex
from spacy_selectra.corpus.shingles import shingle_hashes, words_of
from spacy_selectra.errors import SelectraError
from spacy_selectra.util.signals import StopRequest

run = CliRunner()
EXACT_ONLY = SignatureSettings(threshold=1.0)


def words(count: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices("aeiolmnrst", k=chance.randint(2, 9))) for _ in range(count)]


def changed(text: list[str], places: int, seed: int = 0) -> list[str]:
    """The words with some of them, never neighbours within a shingle, replaced."""
    result, order = list(text), list(range(0, len(text), 10))
    random.Random(seed).shuffle(order)
    for place in order[:places]:
        result[place] = "corregido"
    return result


def jaccard(first: str, second: str) -> float:
    sets = [set(shingle_hashes(words_of(text), 5).tolist()) for text in (first, second)]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def planted() -> tuple[list[Document], dict[str, str]]:
    """Documents of two sources; of each copy, which one it repeats."""
    texts = [words(300, seed) for seed in range(60)]
    documents = [Document(" ".join(t), "prensa", f"p{n}") for n, t in enumerate(texts)]
    twins: dict[str, str] = {}
    for number, text in enumerate(texts[:30]):
        if number % 3 == 0:
            copy, name = " ".join(text).upper().replace(" ", "  "), "exacta"
        elif number % 3 == 1:
            copy, name = ", ".join(changed(text, 2)), "parecida"
        else:
            copy, name = " ".join(changed(text, 20)), "reescrita"
        documents.append(Document(copy, "blogs", f"{name}{number}"))
        if name != "reescrita":
            twins[f"{name}{number}"] = f"p{number}"
    return documents, twins


def test_planted_copies_go_and_the_first_stays():
    documents, twins = planted()
    assert 0.9 < jaccard(documents[1].text, documents[61].text) < 0.95
    assert jaccard(documents[2].text, documents[62].text) < 0.6
    records = []
    deduplicator = Deduplicator(dropped=records.append)
    kept = list(deduplicator.deduplicate(documents))
    assert kept == [document for document in documents if document.id not in twins]
    assert {record["id"]: record["twin"]["id"] for record in records} == twins
    assert {r["id"][:4]: r["exact"] for r in records} == {"exac": True, "pare": False}
    assert all((r["resemblance"] == 1) == r["exact"] for r in records)
    assert (deduplicator.read, deduplicator.kept) == (90, 70)
    assert {name: asdict(counts) for name, counts in deduplicator.sources.items()} == {
        "prensa": {"read": 60, "exact": 0, "near": 0},
        "blogs": {"read": 30, "exact": 10, "near": 10},
    }
    # in another order other copies come first
    backwards = {d.id for d in Deduplicator().deduplicate(reversed(documents))}
    assert backwards == {d.id for d in documents} - set(twins.values())


def test_only_copies_at_threshold_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("spacy_selectra.corpus.duplicates.signatures.required", lambda name: 1 / 0)
    documents, twins = planted()
    kept = {d.id for d in Deduplicator(DedupSettings(signatures=EXACT_ONLY)).deduplicate(documents)}
    assert {d.id for d in documents} - kept == {name for name in twins if "exacta" in name}


def test_short_texts_have_no_near_copies():
    texts = ["Sí, señor.", "sí,  SEÑOR.", "Sí, señora.", "", " ", "Uno dos tres cuatro"]
    documents = [Document(text, "a", str(n)) for n, text in enumerate(texts)]
    assert [d.id for d in Deduplicator().deduplicate(documents)] == ["0", "2", "3", "5"]


def test_estimates_are_near_the_truth_and_do_not_depend_on_order_or_repetition():
    sketcher = Sketcher(SignatureSettings())
    text = words(800, 1)
    one = sketcher.sketch(" ".join(text))
    assert len(one.signature.digest()) == 126
    for places in (1, 5, 15, 40, 80):
        other = " ".join(changed(text, places))
        truth = jaccard(" ".join(text), other)
        estimate = one.signature.jaccard(sketcher.sketch(other).signature)
        assert abs(estimate - truth) < 5 * (truth * (1 - truth) / 126) ** 0.5
    twice = sketcher.sketch(" ".join(text + text))
    assert one.signature.jaccard(twice.signature) > 0.95
    seeded = Sketcher(replace(SignatureSettings(), seed=7)).sketch(" ".join(text))
    assert seeded.signature.digest() != one.signature.digest()
    assert seeded.key == one.key


@pytest.mark.parametrize(
    ("threshold", "permutations", "bands"), [(0.8, 128, (18, 7)), (0.5, 256, (64, 4))]
)
def test_bands_are_the_longest_that_miss_few(threshold, permutations, bands):
    settings = SignatureSettings(threshold=threshold, permutations=permutations)
    assert settings.bands == bands

    def missed(rows: int) -> float:
        return (1 - threshold**rows) ** (permutations // rows)

    assert missed(bands[1]) <= 0.05 < missed(bands[1] + 1)


def test_a_dropped_text_is_no_twin():
    """A chain of small changes ends where it differs too much from the text that stays."""
    chain = [" ".join(changed(words(300, 5), places)) for places in (0, 4, 9)]
    assert jaccard(chain[0], chain[1]) > 0.85
    assert jaccard(chain[1], chain[2]) > 0.84
    assert jaccard(chain[0], chain[2]) < 0.76
    documents = [Document(text, "a", str(number)) for number, text in enumerate(chain)]
    settings = DedupSettings(signatures=SignatureSettings(permutations=1024))
    assert [d.id for d in Deduplicator(settings).deduplicate(documents)] == ["0", "2"]


def test_the_most_similar_twin_is_named_whatever_was_added_since():
    index = SketchIndex(SignatureSettings(threshold=0.5))
    sketcher = Sketcher(SignatureSettings(threshold=0.5))
    text = words(400, 9)
    numbers = [index.add(sketcher.sketch(" ".join(changed(text, n)))) for n in (12, 2, 7)]
    twin = index.find(sketcher.sketch(" ".join(text)))
    assert twin is not None
    assert (twin.number, twin.exact) == (numbers[1], False)


def test_paragraphs_go_and_short_ones_stay():
    first, second, third = (" ".join(words(40, seed)) for seed in (1, 2, 3))
    near = " ".join(changed(words(40, 1), 1))
    documents = [
        Document(f"Título\n{first}\n{second}", "a", "1"),
        Document(f"Título\n{third}\n{near}\n{third.upper()}\nFin", "b", "2"),
        Document(f"Título\n{second}\nFin", "b", "3"),
        Document("Título\nFin", "b", "4"),
    ]
    records = []
    settings = DedupSettings(unit="paragraphs", signatures=SignatureSettings(threshold=0.7))
    deduplicator = Deduplicator(settings, records.append)
    kept = list(deduplicator.deduplicate(documents))
    assert [d.text for d in kept] == [documents[0].text, f"Título\n{third}\nFin", "Título\nFin"]
    assert (deduplicator.read, deduplicator.kept) == (4, 3)
    assert [asdict(deduplicator.sources[name]) for name in "ab"] == [
        {"read": 2, "exact": 0, "near": 0},
        {"read": 4, "exact": 2, "near": 1},
    ]
    assert [(r["id"], r["paragraph"], r["twin"]) for r in records] == [
        ("2", 3, {"source": "a", "id": "1", "paragraph": 2}),
        ("2", 4, {"source": "b", "id": "2", "paragraph": 2}),
        ("3", 2, {"source": "a", "id": "1", "paragraph": 3}),
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (lambda: SignatureSettings(threshold=0.1), "threshold must be between 0.3 and 1"),
        (lambda: SignatureSettings(threshold=float("nan")), "threshold must be between"),
        (lambda: SignatureSettings(shingle=0), "shingle must be between 1 and 100"),
        (lambda: SignatureSettings(permutations=8), "permutations must be between 16"),
        (lambda: SignatureSettings(seed=-1), "seed must be at least 0"),
        (lambda: DedupSettings(unit="words"), "unknown unit 'words' .known: documents, para"),
        (lambda: DedupSettings(min_words=-1), "min_words must be at least 0"),
    ],
)
def test_settings_out_of_range(settings, message: str):
    with pytest.raises(SelectraError, match=message):
        settings()


def written(path: Path) -> list[Document]:
    documents, _ = planted()
    rows = [{"texto": d.text, "origen": d.source, "clave": d.id} for d in documents]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return documents


def test_command_with_any_number_of_processes(tmp_path: Path):
    documents = written(tmp_path / "corpus.jsonl")
    keys = ["--text-key", "texto", "--source-key", "origen", "--id-key", "clave"]
    outputs = []
    for processes in ("1", "2"):
        out, dropped = tmp_path / f"{processes}.jsonl.zst", tmp_path / f"dropped{processes}.jsonl"
        command = ["corpus", "dedup", str(tmp_path / "corpus.jsonl"), str(out), *keys, "--json"]
        command += ["--dropped", str(dropped), "--processes", processes, "--quiet"]
        result = run.invoke(app, command)
        assert result.exit_code == 0, result.output
        summary = json.loads(result.stdout)
        assert summary.pop("output") == str(out)
        outputs.append((out.read_bytes(), dropped.read_bytes(), summary))
        assert run.invoke(app, command).exit_code == 1  # dropped or out exist
    assert outputs[0] == outputs[1]
    assert outputs[0][2]["dropped"] == {"exact": 10, "near": 10}
    assert outputs[0][2]["sources"]["blogs"] == {"read": 30, "exact": 10, "near": 10}
    found = list(read_documents(tmp_path / "1.jsonl.zst", source_key="source", id_key="id"))
    assert found == [d for d in documents if d.source == "prensa" or "reescrita" in d.id]
    dropped = [json.loads(line) for line in outputs[0][1].splitlines()]
    assert dropped[0]["twin"] == {"source": "prensa", "id": "p0"}
    out = tmp_path / "2.jsonl.zst"
    out.unlink()
    command = ["corpus", "dedup", str(tmp_path / "corpus.jsonl"), str(out), *keys]
    again = run.invoke(app, [*command, "--dropped", str(tmp_path / "dropped2.jsonl")])
    assert "dropped2.jsonl: exists" in again.stderr
    assert "no key 'nada'" in run.invoke(app, [*command[:-1], "nada"]).stderr
    assert not out.exists()


def test_stopping_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    documents = written(tmp_path / "corpus.jsonl")

    def stopped(*_: object) -> Iterator[Document]:
        for document in documents:
            if document.id == "p3":
                os.kill(os.getpid(), signal.SIGTERM)
            yield document

    monkeypatch.setattr("spacy_selectra.corpus.documents.read_documents", stopped)
    before = signal.getsignal(signal.SIGTERM)
    command = ["corpus", "dedup", "corpus.jsonl", str(tmp_path / "out.jsonl"), "--quiet"]
    result = run.invoke(app, [*command, "--dropped", str(tmp_path / "dropped.jsonl")])
    assert result.exit_code == 1
    assert result.stderr == "error: stopped on request: nothing was written\n"
    assert [path.name for path in tmp_path.iterdir()] == ["corpus.jsonl"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_items_until_a_stop():
    with StopRequest() as stop:
        assert list(stop.until(range(3))) == [0, 1, 2]
        stop.requested = True
        with pytest.raises(SelectraError, match="stopped on request"):
            list(stop.until(range(3)))
