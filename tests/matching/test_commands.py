"""From a corpus and labelled files to a model, by the two commands."""

import json
from collections import Counter

import numpy as np
import pytest
from typer.testing import CliRunner

from spacy_selectra.cli.app import app
from spacy_selectra.errors import SelectraError
from spacy_selectra.matching.pairs import keep_back_labels
from spacy_selectra.matching.pseudo_labels import pseudo_labels
from spacy_selectra.matching.storage import load_matching, save_matching
from tests.matching.conftest import COMMON, SUBJECTS, text_about


def run(*arguments):
    return CliRunner().invoke(app, ["labels", *map(str, arguments)])


def test_vectors_and_matching(corpus, sources, tmp_path):
    (tmp_path / "corpus.txt").write_text("\n\n".join(corpus), encoding="utf-8")
    small = ("--dimensions", 12, "--min-count", 2, "--epochs", 20, "--quiet")
    found = run("words", tmp_path / "corpus.txt", tmp_path / "vectors", *small)
    assert found.exit_code == 0, found.output
    with (tmp_path / "a.tsv").open("w", encoding="utf-8") as file:
        print(
            "texto\ttema",
            *(f"{text}\t{label}" for text, label in sources["a"]),
            sep="\n",
            file=file,
        )
    with (tmp_path / "b.jsonl").open("w", encoding="utf-8") as file:
        for text, label in sources["b"]:
            print(json.dumps({"text": text, "label": label}), file=file)
    files = (f"{tmp_path / 'a.tsv'}:texto:tema", tmp_path / "b.jsonl", tmp_path / "model")
    (tmp_path / "about.yml").write_text(
        "sources: [{name: Texts, license: CC0}]\n", encoding="utf-8"
    )
    about = ("--about", tmp_path / "about.yml")
    found = run("match", *files, "--vectors", tmp_path / "vectors", "--steps", 20, *about)
    assert found.exit_code == 0, found.output
    assert "180 pairs" in found.output
    model = load_matching(tmp_path / "model")
    assert model.origin["vectors"]["words read"] == sum(len(text.split()) for text in corpus)
    assert [one["pairs"] for one in model.origin["pairs"]] == [90, 90]
    assert model.origin["pairs"][1]["file"].endswith("/b.jsonl")
    assert model.origin["sources"] == [{"name": "Texts", "license": "CC0"}]
    labels = model.labels({"deporte": ["estadio"], "cocina": ["harina"]})
    rng = np.random.default_rng(4)
    texts = [text_about(subject, rng) for subject in list(SUBJECTS)[:2]]
    assert model.match(texts, labels).logits.argmax(axis=1).tolist() == [0, 1]


def test_mistakes_are_named(sources, tmp_path):
    (tmp_path / "a.tsv").write_text("texto\ttema\nhola\tadiós\n", encoding="utf-8")
    (tmp_path / "old").mkdir()
    found = run("match", tmp_path / "a.tsv", tmp_path / "old", "--vectors", tmp_path)
    assert "exists" in found.output
    found = run("match", f"{tmp_path / 'a.tsv'}:texto:label", tmp_path / "x", "--vectors", tmp_path)
    assert "no column 'label' (found: texto, tema)" in found.output
    found = run("match", f"{tmp_path / 'a.tsv'}:texto:tema", tmp_path / "x", "--vectors", tmp_path)
    assert "no word vectors found" in found.output
    (tmp_path / "about.yml").write_text("sources: [{licence: CC0}]\n", encoding="utf-8")
    wrong = ("--vectors", tmp_path, "--about", tmp_path / "about.yml")
    found = run("match", tmp_path / "a.tsv", tmp_path / "x", *wrong)
    assert "a source has a name" in found.output


def test_labels_kept_back_are_in_no_training():
    rng = np.random.default_rng(0)
    pairs = [(f"text {place % 40}", f"label {rng.integers(20)}") for place in range(200)]
    trained, kept = keep_back_labels({"many": pairs, "few": pairs[:1]}, share=0.2)
    assert set(kept) == {"many"}
    assert trained["few"] == pairs[:1]
    assert len({label for _, label in kept["many"]}) == 4
    for part in (0, 1):
        assert not {pair[part] for pair in trained["many"]} & {pair[part] for pair in kept["many"]}


@pytest.mark.parametrize("seed", [0, 1])
def test_which_labels_depends_on_the_seed(seed):
    pairs = [(f"text {number}", f"label {number}") for number in range(40)]
    first, again = (keep_back_labels({"a": pairs}, seed=seed)[1] for _ in range(2))
    assert first == again != keep_back_labels({"a": pairs}, seed=2)[1]


def test_pseudo_labels(model, sources, tmp_path):
    save_matching(model, tmp_path / "model")
    rng = np.random.default_rng(3)
    with (tmp_path / "known.jsonl").open("w", encoding="utf-8") as file:
        for subject in SUBJECTS:
            for _ in range(30):
                print(json.dumps({"text": text_about(subject, rng), "label": subject}), file=file)
    subjects = [str(rng.choice(list(SUBJECTS))) for _ in range(300)]
    texts = [text_about(subject, rng) for subject in subjects]
    common = [" ".join(rng.choice(COMMON, 12)) for _ in range(50)]
    text = "\n\n".join([*texts, *common, "gol liga"])
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    given = ("pseudo", tmp_path / "text.txt", tmp_path / "out.jsonl", "--model", tmp_path / "model")
    given += ("--examples", tmp_path / "known.jsonl", "--replace", "--min-words", 12)
    found = run(*given, "--least", 0.9, "--per-label", 40)
    assert found.exit_code == 0, found.output
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").open(encoding="utf-8")]
    truth = dict(zip(texts, subjects, strict=True))
    assert Counter(row["label"] for row in rows) == dict.fromkeys(SUBJECTS, 40)
    right = [truth[row["text"]] == row["label"] for row in rows if row["text"] in truth]
    assert np.mean(right) > 0.9  # chance: a third
    assert len(right) == len(rows)  # nothing of common words alone
    assert not any(row["text"] == "gol liga" for row in rows)  # too short
    again = (tmp_path / "out.jsonl").read_bytes()
    run(*given, "--least", 0.9, "--per-label", 40)
    assert (tmp_path / "out.jsonl").read_bytes() == again
    run(*given, "--least", 0.9, "--per-label", 40, "--seed", 1)
    assert (tmp_path / "out.jsonl").read_bytes() != again
    with pytest.raises(SelectraError, match="at least two labels"):
        pseudo_labels(model, [("gol", "deportes")], texts)
