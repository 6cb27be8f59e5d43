"""The benchmarks run; what they measure is for whoever starts them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
import spacy
from confection import Config

from spacy_selectra.components.corpora.labelled import conll_reader
from spacy_selectra.corpus.packed.builder import PackSettings, pack_corpus
from spacy_selectra.text.tokenizer import SPECIAL_TOKENS, make_tokenizer, save_tokenizer
from tests.benchmark import BENCHMARKS, ROOT, record, rows, run, start, write_encoder

SMALL = {
    "hidden_size": 32,
    "embedding_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}


def test_short_pretraining(tmp_path: Path):
    words = ["el", "gato", "come", "pan", "la", "niña", "mira", "Cádiz"]
    save_tokenizer(make_tokenizer([*SPECIAL_TOKENS, *words]), tmp_path / "tokenizer")
    documents = [" ".join(words[i % 5 :]) * 3 for i in range(120)]
    (tmp_path / "text.txt").write_text("\n\n".join(documents), encoding="utf-8")
    settings = PackSettings(length=16, heldout=0.2)
    pack_corpus(tmp_path / "text.txt", tmp_path / "packed", tmp_path / "tokenizer", settings)
    recipe = Config().from_disk(ROOT / "configs" / "pretrain_sample.cfg", interpolate=False)
    recipe["encoder"].update(SMALL)
    config = tmp_path / "small.cfg"
    recipe.to_disk(config)
    printed = run(
        "short_pretraining.py",
        *(str(tmp_path / name) for name in ("packed", "tokenizer")),
        *("--steps", "3", "--config", str(config)),
    )
    assert rows(printed) == [
        "ELECTRA (Adam)",
        "Adam, warm start",
        "Muon",
        "Muon, warm start",
        "Muon, warm start, correction",
    ]


def test_pretraining():
    names = ["reference fp32", "ours fp32"]
    printed = run(
        "pretraining.py",
        *("--only", *names, "--preset", "tiny", "--vocab-size", "200"),
        *("--length", "16", "--batch", "2", "--threads", "1", "--warm-up", "1"),
        *("--repeats", "2", "--profile"),
    )
    row = record(printed)
    assert list(row["contenders"]) == names
    for found in row["contenders"].values():
        assert 0 < found["slowest"] <= found["tokens_per_second"] <= found["fastest"]
        assert min(found["step_ms"], found["peak_memory_mib"], found["mfu"]) > 0
    rates = [found["tokens_per_second"] for found in row["contenders"].values()]
    assert row["contenders"]["ours fp32"]["ratio"] == rates[1] / rates[0]
    assert 0 < row["profiles"]["ours fp32"]["1 thread"]["products_share"] < 1


@pytest.mark.slow
def test_kernels():
    printed = run("kernels.py", "--steps", "2", "--precision", "bf16")
    assert rows(printed) == ["pretraining, 2 steps, bf16"]
    (found,) = record(printed)["counts"].values()
    assert found["kernels"] >= 0
    assert "Processor: " in printed


def test_collected_commands_are_known_to_their_scripts():
    spec = importlib.util.spec_from_file_location("collect", BENCHMARKS / "collect.py")
    assert spec is not None
    assert spec.loader is not None
    collect = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec.loader.exec_module(collect)
    finally:
        sys.path.remove(str(BENCHMARKS))
    commands = collect.runs("es_selectra_tiny")
    helps = {script: run(script, "--help") for script in {each[0] for each in commands.values()}}
    for name, (script, *arguments) in commands.items():
        for option in (each for each in arguments if each.startswith("--")):
            assert option in helps[script], name


def test_collect_keeps_what_it_does_not_measure_again(tmp_path: Path):
    sys.path.insert(0, str(BENCHMARKS))
    try:
        from processor import file_name, processor  # pyright: ignore[reportMissingImports]
    finally:
        sys.path.remove(str(BENCHMARKS))
    path = tmp_path / f"{file_name(processor())}.json"
    path.write_text('{"other": 1}', encoding="utf-8")
    done = start("collect.py", "--results", str(tmp_path), "--only", "nothing")
    assert done.status == 2
    assert "known are pretraining-small" in done.stderr
    assert path.read_text(encoding="utf-8") == '{"other": 1}'


def test_ordinary_use(tmp_path: Path):
    nlp = spacy.blank("es")
    ruler: Any = nlp.add_pipe("entity_ruler")
    ruler.add_patterns(
        [
            {"label": "PER", "pattern": "Jaime"},
            {"label": "ORG", "pattern": "Lugo"},
            {"label": "LOC", "pattern": "martes"},
            {"label": "DATE", "pattern": "jueves"},
        ]
    )
    nlp.to_disk(tmp_path)
    found = record(run("ordinary_use.py", str(tmp_path)))[str(tmp_path)]
    everything = found["names"].pop("all")
    assert everything["names"] == sum(row["names"] for row in found["names"].values()) > 100
    assert everything["right"] == everything["other_type"] == everything["superfluous"] == 1
    assert found["names"]["mail"]["right"] == 1
    assert "absurd" not in found


def test_disjoint(tmp_path: Path):
    columns = "El O\nniño O\ncomió O\npan O\ndel O\nhorno O\n\nAna PER\n\nUno O\n"
    (tmp_path / "test.tsv").write_text(columns, encoding="utf-8")
    parts = [("1", "El"), ("2", "niño"), ("3", "comió"), ("4", "pan"), ("5-6", "del"), ("5", "de")]
    parts += [("6", "el"), ("7", "horno")]
    lines = ["\t".join([place, word, *["_"] * 8]) for place, word in parts]
    (tmp_path / "train.conllu").write_text("# text\n" + "\n".join(lines) + "\n", encoding="utf-8")
    files = [str(tmp_path / name) for name in ("test.tsv", "out/rest.tsv")]
    printed = run("disjoint.py", *files, "--without", str(tmp_path / "train.conllu"))
    assert "2 of 3 sentences" in printed
    rest = (tmp_path / "out" / "rest.tsv").read_text(encoding="utf-8")
    assert rest == "Ana PER\n\nUno O\n\n"


def test_spellings(tmp_path: Path):
    encoder = write_encoder(tmp_path / "encoder")
    nlp = spacy.blank("es")
    model = {"@architectures": "spacy-selectra.SelectraModel.v1", "name": str(encoder)}
    nlp.add_pipe("transformer", config={"model": {**model, "get_spans": None}})
    nlp.add_pipe("selectra_ner", name="ner")
    test = tmp_path / "test.tsv"
    test.write_text("Ana\tB-PER\ntambién\tO\nvive\tO\nen\tO\nCádiz\tB-LOC\n", encoding="utf-8")
    reader = conll_reader(str(test))
    nlp.initialize(lambda: list(reader(nlp)))
    nlp.to_disk(tmp_path / "nlp")
    found = record(run("spellings.py", str(tmp_path / "nlp"), "--test", str(test)))["f1"]
    assert set(found) == {"as it is", "capitals", "no accents", "both"}
    # all four are the same text once they are restored
    assert len({row["restored"] for row in found.values()}) == 1
    assert found["as it is"]["restored"] == found["as it is"]["as it stands"]
