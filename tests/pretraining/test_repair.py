"""Repairing under-trained entries: planned, written, trained, and a planted mistake undone."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from spacy_selectra.cli.app import app
from spacy_selectra.corpus.packed.builder import PackSettings, pack_corpus
from spacy_selectra.encoder.checkpoint import load_discriminator, save_model
from spacy_selectra.encoder.config import EncoderConfig, generator_config
from spacy_selectra.encoder.heads import Discriminator, Generator, tie_embeddings
from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.config import PretrainingSettings
from spacy_selectra.pretraining.evaluation.evaluate import evaluate_discriminator
from spacy_selectra.pretraining.initialization.accent_repair import (
    REPAIR_FILE,
    RepairedEntry,
    apply_repair,
    plan_repair,
    read_rows,
    repair_checkpoint,
)
from spacy_selectra.pretraining.initialization.undertrained import Statistics, Undertrained
from spacy_selectra.pretraining.pretrain import build_model, pretrain
from spacy_selectra.text.normalization import strip_accents
from spacy_selectra.text.tokenizer import (
    SPECIAL_TOKENS,
    make_tokenizer,
    read_vocabulary,
    save_tokenizer,
)
from spacy_selectra.util.files import read_json, write_json
from spacy_selectra.util.settings import parse_settings

WORDS = "electra.embeddings.word_embeddings.weight"
TOPICS, TOPIC_WORDS = 12, 12


def words() -> list[list[str]]:
    """Made-up words by topic; every second one has an accent somewhere."""
    rng = np.random.default_rng(1)
    seen: set[str] = set()
    topics: list[list[str]] = []
    while len(topics) < TOPICS:
        topic: list[str] = []
        while len(topic) < TOPIC_WORDS:
            syllables = ["".join(rng.choice(list(part)) for part in ("bcdlmnprst", "aeiou"))]
            syllables += ["".join(rng.choice(list(p)) for p in ("bcdlmnprst", "aeiou", "lnrs"))]
            word = "".join(syllables)
            if word in seen:
                continue
            seen.add(word)
            accent = dict(zip("aeiou", "áéíóú", strict=True))
            topic.append(word if len(topic) % 2 else word[:-2] + accent[word[-2]] + word[-1])
        topics.append(topic)
    return topics


def entries() -> list[str]:
    """A vocabulary with every word and its unaccented twin."""
    accented = [word for topic in words() for word in topic]
    return [*SPECIAL_TOKENS, *dict.fromkeys([*accented, *map(strip_accents, accented)])]


def settings(root: Path, corpus: str, steps: int, **encoder: Any) -> PretrainingSettings:
    return PretrainingSettings.model_validate(
        {
            "paths": {"corpus": root / corpus, "tokenizer": root / "tokenizer"},
            "encoder": encoder,
            "generator": {"scale": 1.0},
            "objective": {"mask_prob": 0.25, "rtd_weight": 10.0},
            "optimizer": {"learning_rate": 8e-3, "beta2": 0.98},
            "schedule": {"warmup_steps": 10},
            "training": {
                "max_steps": steps,
                "batch_size": 32,
                "precision": "fp32",
                "device": "cpu",
                "threads": 1,
                "checkpoint_every": steps,
                "log_every": steps,
            },
        }
    )


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pair pretrained on text without accents, by a vocabulary that has them.

    A text is about one topic, and its words say which: little training learns that.
    """
    root = tmp_path_factory.mktemp("planted")
    save_tokenizer(make_tokenizer(entries()), root / "tokenizer", 24)
    rng = np.random.default_rng(0)
    topics = words()
    texts = [" ".join(rng.choice(topics[i % TOPICS], size=22)) for i in range(600)]
    for kind, changed in (("accented", texts), ("stripped", [strip_accents(t) for t in texts])):
        (root / f"{kind}.txt").write_text("\n\n".join(changed[:500]), encoding="utf-8")
        (root / f"{kind}-heldout.txt").write_text("\n\n".join(changed[500:]), encoding="utf-8")
        pack_corpus(
            root / f"{kind}.txt",
            root / kind,
            root / "tokenizer",
            PackSettings(length=24, heldout=0.0),
            [root / f"{kind}-heldout.txt"],
        )
    encoder = {
        "preset": "tiny",
        "embedding_size": 32,
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 24,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }
    pretrain(settings(root, "stripped", 150, **encoder), root / "run", quiet=True)
    repair_checkpoint(root / "run", root / "repaired")
    return root


def test_a_planted_mistake_is_found_repaired_and_trained_away(planted: Path):
    truth = {index for index, piece in enumerate(entries()) if piece != strip_accents(piece)}
    report = read_json(planted / "repaired" / REPAIR_FILE)
    found = {entry["id"] for entry in report["entries"]}
    assert len(truth & found) / len(found) > 0.95
    assert len(truth & found) / len(truth) > 0.95
    assert all(e["method"] == "twin" for e in report["entries"] if e["id"] in truth)
    rows = planted / "repaired" / REPAIR_FILE
    again = settings(planted, "accented", 60, init_from=str(planted / "repaired"), train_rows=rows)
    pretrain(again, planted / "trained", quiet=True)

    def measure(pair: str, text: str = "accented") -> tuple[float, float]:
        own = evaluate_discriminator(planted / pair, planted / text)
        # one generator for all, or the areas would not compare
        common = evaluate_discriminator(
            planted / pair / "discriminator", planted / text, planted / "run" / "generator"
        )
        return own["mlm_loss"], common["auc"]

    without, _ = measure("run", "stripped")
    lost, lost_auc = measure("run")
    repaired, repaired_auc = measure("repaired")
    trained, trained_auc = measure("trained")
    assert lost > without + 1
    assert repaired < lost - 0.5
    assert trained < repaired - 0.15
    assert lost_auc + 0.05 < repaired_auc
    assert repaired_auc < trained_auc


def test_training_rows_leaves_every_other_weight_alone(planted: Path):
    rows = planted / "repaired" / REPAIR_FILE
    chosen = [entry["id"] for entry in read_json(rows)["entries"]]
    output = planted / "few-steps"
    start = settings(planted, "accented", 3, init_from=str(planted / "repaired"), train_rows=rows)
    pretrain(start, output, quiet=True)
    for name in ("discriminator", "generator"):
        before = load_file(planted / "repaired" / name / "model.safetensors")
        after = load_file(output / name / "model.safetensors")
        changed = (before[WORDS] != after[WORDS]).any(dim=1).nonzero().flatten().tolist()
        assert changed == chosen
        for key in before.keys() - {WORDS}:
            assert torch.equal(before[key], after[key]), key


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("objective", "corrective_lm_weight", 1.0, "leave the corrective LM head untrained"),
        ("encoder", "init_from", "{root}/repaired/discriminator", "needs the generator"),
        ("paths", "tokenizer", "{root}/other", "not so in the tokenizer"),
        ("encoder", "train_rows", "{root}/run/run.json", "is not a repair.json"),
    ],
)
def test_rows_that_cannot_be_trained(planted: Path, section, key, value, message):
    changed = [*entries()[:-1], "otra"]
    save_tokenizer(make_tokenizer([*changed[:5], *changed[:4:-1]]), planted / "other")
    rows = planted / "repaired" / REPAIR_FILE
    start = settings(planted, "accented", 3, init_from=str(planted / "repaired"), train_rows=rows)
    values = start.model_dump()
    values[section][key] = value.format(root=planted) if isinstance(value, str) else value
    values["encoder"]["vocabulary"] = "replace"
    with pytest.raises(SelectraError, match=message):
        changed_settings = parse_settings(PretrainingSettings, values, "test")
        build_model(changed_settings, read_vocabulary(changed_settings.paths.tokenizer))


def test_where_embeddings_come_from(tmp_path: Path):
    vocabulary = [*SPECIAL_TOKENS, "nino", "niño", "can", "##cion", "##ción", "canción"]
    vocabulary += ["##a", "##á", "á", "Zoë", "[unused1]", "ж", "mas", "más", "cansada"]
    save_tokenizer(make_tokenizer(vocabulary), tmp_path)
    untrained = ("niño", "##ción", "canción", "##á", "á", "Zoë", "[unused1]", "ж", "mas", "más")
    ids = [vocabulary.index(piece) for piece in untrained]
    found = Undertrained(tuple(ids), (0.9,) * len(ids), Statistics("", 1))
    plan = {entry.piece: entry for entry in plan_repair(read_vocabulary(tmp_path), found)}
    assert {piece: (entry.method, entry.sources) for piece, entry in plan.items()} == {
        "niño": ("twin", ("nino",)),
        "##ción": ("twin", ("##cion",)),
        "canción": ("pieces", ("can", "##cion")),
        "##á": ("twin", ("##a",)),
        "á": ("left", ()),  # no "a" that begins a word
        "Zoë": ("left", ()),
        "[unused1]": ("left", ()),
        "ж": ("left", ()),
        # neither twin was trained, and neither can be spelt by others
        "mas": ("left", ()),
        "más": ("left", ()),
    }


def test_rows_and_biases_of_a_repair():
    torch.manual_seed(0)
    config = EncoderConfig(
        vocab_size=6,
        embedding_size=4,
        hidden_size=4,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=4,
    )
    generator = Generator(config)
    torch.nn.init.normal_(generator.head.bias)
    weight = generator.encoder.embeddings.word_embeddings.weight
    rows, bias = weight.detach().clone(), generator.head.bias.detach().clone()
    ids = {piece: index for index, piece in enumerate("abcdef")}
    entries = [
        RepairedEntry(3, "d", 0.9, "twin", ("a",)),
        RepairedEntry(4, "e", 0.9, "pieces", ("a", "b")),
        RepairedEntry(5, "f", 0.9, "left", ()),
    ]
    apply_repair(generator, entries, ids)
    assert torch.equal(weight[[0, 1, 2, 5]], rows[[0, 1, 2, 5]])
    assert torch.equal(weight[3], rows[0])
    torch.testing.assert_close(weight[4], (rows[0] + rows[1]) / 2)
    # "a" is shared by three entries now, "b" by two
    assert torch.equal(generator.head.bias[[0, 1, 2, 5]], bias[[0, 1, 2, 5]])
    torch.testing.assert_close(generator.head.bias[3], bias[0] - math.log(3))
    expected = (bias[0] - math.log(3) + bias[1] - math.log(2)) / 2
    torch.testing.assert_close(generator.head.bias[4], expected)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pair whose rows are made, not trained; its tokenizer says nothing of accents, and keeps
    them."""
    root = tmp_path_factory.mktemp("made") / "pair"
    pieces = entries()
    torch.manual_seed(0)
    config = EncoderConfig(
        vocab_size=len(pieces),
        embedding_size=32,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=48,
    )
    discriminator, generator = Discriminator(config), Generator(generator_config(config, 0.5))
    tie_embeddings(generator, discriminator)
    torch.nn.init.normal_(generator.head.bias)
    weight = discriminator.encoder.embeddings.word_embeddings.weight
    accented = torch.tensor([strip_accents(piece) != piece for piece in pieces])
    with torch.no_grad():
        weight[~accented] *= 4
        weight[accented] += 0.05 * torch.randn(32)
    for name, network in (("discriminator", discriminator), ("generator", generator)):
        save_model(network, root / name)
        text = "".join(piece + "\n" for piece in pieces)
        (root / name / "vocab.txt").write_text(text, encoding="utf-8")
        write_json(root / name / "tokenizer_config.json", {"do_lower_case": False})
    return root


def test_what_is_written(checkpoint: Path, tmp_path: Path):
    from transformers import AutoTokenizer, ElectraForMaskedLM, ElectraForPreTraining

    repair = repair_checkpoint(checkpoint, tmp_path / "out")
    assert repair.written == tmp_path / "out"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "discriminator",
        "generator",
        REPAIR_FILE,
    ]
    report = read_json(tmp_path / "out" / REPAIR_FILE)
    accented = [i for i, piece in enumerate(entries()) if piece != strip_accents(piece)]
    assert [entry["id"] for entry in report["entries"]] == accented
    assert report["methods"] == {"twin": len(accented), "pieces": 0, "left": 0}
    assert report["format_version"] == 1
    assert report["statistics"]["accented_found"] == len(accented)
    assert read_rows(tmp_path / "out" / REPAIR_FILE, entries()) == accented
    place = {piece: index for index, piece in enumerate(entries())}
    for name, kind in (("discriminator", ElectraForPreTraining), ("generator", ElectraForMaskedLM)):
        directory = tmp_path / "out" / name
        before = load_file(checkpoint / name / "model.safetensors")
        after = load_file(directory / "model.safetensors")
        changed = (before[WORDS] != after[WORDS]).any(dim=1).nonzero().flatten().tolist()
        assert changed == accented
        for index in accented[:10]:
            twin = place[strip_accents(entries()[index])]
            assert torch.equal(after[WORDS][index], before[WORDS][twin])
        rest = before.keys() - {WORDS, "generator_lm_head.bias"}
        assert all(torch.equal(before[key], after[key]) for key in rest)
        assert kind.from_pretrained(directory).config.vocab_size == len(entries())
        declared = read_json(directory / "tokenizer_config.json")
        assert declared["strip_accents"] is False
        assert declared["do_lower_case"] is False
        assert declared["model_max_length"] == 48
        text = " ".join(words()[0])
        assert AutoTokenizer.from_pretrained(directory).tokenize(text) == words()[0]
    # once more into the same place, as after a change of mind
    repair_checkpoint(checkpoint / "discriminator", tmp_path / "out", checkpoint / "generator")
    assert read_json(tmp_path / "out" / REPAIR_FILE)["entries"] == report["entries"]


def test_a_tokenizer_that_strips_accents_is_believed(checkpoint: Path, tmp_path: Path):
    """As SELECTRA's published ones: stripped when transformers loads them, and in pretraining."""
    published = tmp_path / "published"
    discriminator = load_discriminator(checkpoint / "discriminator")
    with torch.no_grad():  # of weights alone nothing could be told
        discriminator.encoder.embeddings.word_embeddings.weight.normal_()
    save_model(discriminator, published)
    shutil.copy(checkpoint / "discriminator" / "vocab.txt", published)
    repair = repair_checkpoint(published, tmp_path / "out")
    assert [e.piece for e in repair.entries] == [e for e in entries() if e != strip_accents(e)]
    assert "which the tokenizer strips from every text" in repair.statistics.verdict
    report = read_json(tmp_path / "out" / REPAIR_FILE)
    assert {entry["cosine"] for entry in report["entries"]} == {None}
    declared = read_json(tmp_path / "out" / "discriminator" / "tokenizer_config.json")
    assert declared["strip_accents"] is False
    assert repair_checkpoint(tmp_path / "out", None).entries == ()


def test_a_discriminator_alone(checkpoint: Path, tmp_path: Path):
    repair_checkpoint(checkpoint / "discriminator", tmp_path / "out")
    assert not (tmp_path / "out" / "generator").exists()
    assert (tmp_path / "out" / "discriminator" / "model.safetensors").is_file()


def test_a_repaired_checkpoint_has_nothing_to_repair(checkpoint: Path, tmp_path: Path):
    repair_checkpoint(checkpoint, tmp_path / "out")
    again = repair_checkpoint(tmp_path / "out", tmp_path / "again")
    assert again.entries == ()
    assert again.written is None
    assert not (tmp_path / "again").exists()


def test_another_directory_is_not_overwritten(checkpoint: Path, tmp_path: Path):
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(SelectraError, match="holds no repair"):
        repair_checkpoint(checkpoint, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_command(checkpoint: Path, tmp_path: Path):
    run = CliRunner()
    arguments = ["vocab", "repair", str(checkpoint), str(tmp_path / "out")]
    result = run.invoke(app, [*arguments, "--dry-run"])
    assert result.exit_code == 0, result.output
    assert f"{checkpoint}: 72 of" in result.stdout
    assert "dry run, nothing written" in result.stdout
    assert not (tmp_path / "out").exists()
    result = run.invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == read_json(tmp_path / "out" / REPAIR_FILE)
    again = ["vocab", "repair", str(tmp_path / "out"), str(tmp_path / "again")]
    result = run.invoke(app, again)
    assert result.exit_code == 0
    assert "nothing to repair" in result.stdout
    assert json.loads(run.invoke(app, [*again, "--json"]).stdout)["statistics"]["cosine"] is None
    assert run.invoke(app, [*arguments, "--quiet"]).stdout == ""
    result = run.invoke(app, ["vocab", "repair", str(tmp_path / "nothing"), str(tmp_path / "o")])
    assert result.exit_code == 1
    assert "no such model directory" in result.stderr
    assert "Example:" in run.invoke(app, ["vocab", "repair", "--help"]).stdout


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 2}, "format version 2"),
        ({"format": "something"}, "is not a repair.json"),
        ({"entries": [{"id": 5, "piece": "otra"}]}, "entry 5 is 'otra'"),
        ({"entries": [{"id": 9999, "piece": "otra"}]}, "entry 9999"),
    ],
)
def test_a_report_that_cannot_be_used(checkpoint: Path, tmp_path: Path, change, message):
    report = repair_checkpoint(checkpoint, None).to_dict()
    write_json(tmp_path / REPAIR_FILE, report | change)
    with pytest.raises(SelectraError, match=message):
        read_rows(tmp_path / REPAIR_FILE, entries())
