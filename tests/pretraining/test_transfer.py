"""Continuing from a checkpoint: where it is found, and with which vocabulary."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from transformers import ElectraForMaskedLM, ElectraForPreTraining

from spacy_selectra.encoder.checkpoint import load_discriminator, load_generator, save_model
from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.heads import Generator
from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.initialization.vocabulary_transfer import (
    embedding_sources,
    transfer_vocabulary,
)
from spacy_selectra.pretraining.pretrain import build_model, pretrain
from spacy_selectra.text.normalization import split_entry
from spacy_selectra.text.tokenizer import (
    SPECIAL_TOKENS,
    declare_longest_sequence,
    longest_sequence,
    read_vocabulary,
)
from tests.pretraining.conftest import Published, tokenizer

WORDS = "embeddings.word_embeddings.weight"
OLD = [*SPECIAL_TOKENS, "cami", "##ón", "##a", "##r", "mesa", "me", "##s", "x"]
NEW = [*SPECIAL_TOKENS, "mesas", "mesa", "camión", "##as", "##ón", "##sa", "ж", "##ж", "[unused1]"]


def assert_same_weights(model: Any, reference: Any, inputs: list[int]) -> None:
    ids = torch.tensor(inputs)
    with torch.no_grad():
        expected = reference.eval()(ids[None]).logits[0]
        torch.testing.assert_close(model.eval()(ids, [len(ids)]), expected, rtol=0, atol=1e-5)


def test_directories_of_transformers(published: Published, start, data):
    settings = start(
        encoder={"init_from": str(published.discriminator)},
        generator={"init_from": str(published.generator)},
    )
    model = build_model(settings, read_vocabulary(data.tokenizer))
    ids = [2, 7, 9, 4, 12, 3]
    assert_same_weights(
        model.discriminator, ElectraForPreTraining.from_pretrained(published.discriminator), ids
    )
    assert_same_weights(
        model.generator, ElectraForMaskedLM.from_pretrained(published.generator), ids
    )


def test_hub_ids(published: Published, start, data, monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []

    def download(name: str, allow_patterns: list[str]) -> str:
        asked.append(name)
        assert not any(pattern.endswith("bin") for pattern in allow_patterns)
        return str(getattr(published, name.split("-")[-1]))

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    settings = start(
        encoder={"init_from": "someone/electra-discriminator"},
        generator={"init_from": "someone/electra-generator"},
    )
    model = build_model(settings, read_vocabulary(data.tokenizer))
    assert asked == ["someone/electra-discriminator", "someone/electra-generator"]
    ids = [2, 8, 10, 5, 3]
    reference = ElectraForPreTraining.from_pretrained(published.discriminator)
    assert_same_weights(model.discriminator, reference, ids)


def test_without_a_generator_a_random_one_with_shared_embeddings(published, start, data):
    settings = start(encoder={"init_from": str(published.discriminator)}, generator={"scale": 0.5})
    model = build_model(settings, read_vocabulary(data.tokenizer))
    embeddings = model.discriminator.encoder.embeddings
    assert model.generator.encoder.embeddings is embeddings
    assert model.generator.config.hidden_size == 16
    stored = load_file(published.discriminator / "model.safetensors")[f"electra.{WORDS}"]
    assert torch.equal(embeddings.word_embeddings.weight, stored)


def test_pickled_weights_are_refused_with_the_command_that_converts_them(published, start, data):
    (published.discriminator / "model.safetensors").rename(
        published.discriminator / "pytorch_model.bin"
    )
    with pytest.raises(SelectraError, match=r"AutoModelForPreTraining.*save_pretrained"):
        build_model(
            start(encoder={"init_from": str(published.discriminator)}),
            read_vocabulary(data.tokenizer),
        )


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"encoder": {"vocabulary": "replace"}}, r"encoder\.vocabulary needs"),
        ({"encoder": {"train_rows": "repair.json"}}, r"encoder\.train_rows needs"),
        ({"generator": {"init_from": "somewhere"}}, r"generator\.init_from needs"),
        ({"generator": {"copied_layers": 2}}, r"generator\.copied_layers needs"),
        ({"encoder": {"stack": 2}}, r"encoder\.stack needs"),
        ({"encoder": {"init_from": "x", "hidden_size": 8}}, r"remove encoder\.hidden_size"),
        ({"encoder": {"init_from": "x", "init_embeddings": "cooccurrence"}}, "trained embeddings"),
    ],
)
def test_settings_that_contradict_each_other(start, sections, message):
    with pytest.raises(ValidationError, match=message):
        start(**sections)


def test_nothing_to_start_from(start, data):
    with pytest.raises(SelectraError, match="no such model directory"):
        build_model(start(encoder={"init_from": "./not/here"}), read_vocabulary(data.tokenizer))


def test_another_vocabulary_of_the_same_size_is_not_taken_for_the_same(published, start, tmp_path):
    pieces = list(read_vocabulary(published.discriminator).pieces)
    other = tokenizer(tmp_path / "other", [*pieces[:-2], pieces[-1], pieces[-2]])
    sections = {
        "encoder": {"init_from": str(published.discriminator)},
        "paths": {"tokenizer": other},
    }
    with pytest.raises(SelectraError, match=r'set encoder\.vocabulary = "replace"'):
        build_model(start(**sections), read_vocabulary(other))
    sections["encoder"]["vocabulary"] = "replace"
    model = build_model(start(**sections), read_vocabulary(other))
    old = load_file(published.discriminator / "model.safetensors")[f"electra.{WORDS}"]
    rows = model.discriminator.encoder.embeddings.word_embeddings.weight
    assert torch.equal(rows[:-2], old[:-2])
    assert torch.equal(rows[-2:], old[-2:].flip(0))


def test_a_checkpoint_without_tokenizer_is_judged_by_its_size(published, start, data):
    for path in (*published.discriminator.glob("tok*"), published.discriminator / "vocab.txt"):
        path.unlink()
    settings = start(encoder={"init_from": str(published.discriminator)})
    found = read_vocabulary(data.tokenizer)
    assert build_model(settings, found).discriminator.config.vocab_size == found.size
    with pytest.raises(SelectraError, match="no tokenizer"):
        build_model(settings, replace(found, pieces=(*found.pieces, "otra")))


def test_a_run_continues_with_a_new_vocabulary(published, start, data, tmp_path):
    # the checkpoint's vocabulary lacks half of the words of the corpus
    pieces = read_vocabulary(data.tokenizer).pieces
    for directory in published:
        tokenizer(directory, [*pieces[:20], *(f"otra{i}" for i in range(len(pieces) - 20))])
    settings = start(
        encoder={"init_from": str(published.discriminator), "vocabulary": "replace"},
        generator={"init_from": str(published.generator)},
        optimizer={"learning_rate": 1e-9},
    )
    for directory in published:
        declare_longest_sequence(directory, 20)
    assert pretrain(settings, tmp_path / "run", quiet=True).finished
    old = load_file(published.discriminator / "model.safetensors")[f"electra.{WORDS}"]
    for name in ("discriminator", "generator"):
        weights = load_file(tmp_path / "run" / name / "model.safetensors")[f"electra.{WORDS}"]
        torch.testing.assert_close(weights[:20], old[:20], rtol=0, atol=1e-6)
        assert not torch.allclose(weights[20:], old[20:], atol=1e-3)
        assert read_vocabulary(tmp_path / "run" / name).pieces == pieces
        # as many positions as the run had sequences of, which are more than before
        assert longest_sequence(tmp_path / "run" / name, 512) == 32


def test_sources_of_new_entries(tmp_path):
    directory = tokenizer(tmp_path / "old", OLD)
    by_name = dict(zip(NEW, embedding_sources(directory, NEW), strict=True))
    names = {entry: [OLD[index] for index in ids] for entry, ids in by_name.items()}
    assert all(names[token] == [token] for token in SPECIAL_TOKENS)
    assert names["mesa"] == ["mesa"]
    assert names["##ón"] == ["##ón"]
    assert names["mesas"] == ["mesa", "##s"]
    assert names["camión"] == ["cami", "##ón"]
    assert names["##sa"] == ["##s", "##a"]
    assert names["##as"] == ["##a", "##s"]
    assert names["ж"] == names["##ж"] == names["[unused1]"] == []


def test_an_uncased_tokenizer_reads_new_entries_in_its_own_way(tmp_path):
    directory = tmp_path / "old"
    directory.mkdir()
    entries = [*SPECIAL_TOKENS, "avila", "##cion", "can"]
    (directory / "vocab.txt").write_text("\n".join(entries) + "\n", encoding="utf-8")
    sources = embedding_sources(directory, [*SPECIAL_TOKENS, "Ávila", "##ción", "Canción"])
    assert [[entries[i] for i in ids] for ids in sources[5:]] == [
        ["avila"],
        ["##cion"],
        ["can", "##cion"],
    ]


def test_rows_and_biases_of_new_entries(tmp_path):
    torch.manual_seed(0)
    config = EncoderConfig(
        vocab_size=len(OLD),
        embedding_size=512,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
    )
    model = Generator(config)
    torch.nn.init.normal_(model.head.bias)
    weight = model.encoder.embeddings.word_embeddings.weight
    with torch.no_grad():
        weight += 0.3
    old, bias = weight.detach().clone(), model.head.bias.detach().clone()
    transfer_vocabulary(model, embedding_sources(tokenizer(tmp_path / "old", OLD), NEW))
    rows = model.encoder.embeddings.word_embeddings.weight
    place = {entry: index for index, entry in enumerate(NEW)}
    assert torch.equal(rows[:5], old[:5])
    assert torch.equal(rows[place["mesa"]], old[OLD.index("mesa")])
    pair = [OLD.index("cami"), OLD.index("##ón")]
    torch.testing.assert_close(rows[place["camión"]], old[pair].mean(dim=0))
    torch.testing.assert_close(model.head.bias[place["camión"]], bias[pair].mean())
    unknown = rows[place["ж"]].detach()
    assert float(unknown.mean()) == pytest.approx(float(old.mean()), abs=0.02)
    assert float((unknown - old.mean(dim=0)).std()) == pytest.approx(
        float(old.std(dim=0).mean()), rel=0.2
    )
    assert float(model.head.bias[place["ж"]].detach()) == pytest.approx(float(bias.mean()))
    # the changed model can be saved and read again
    save_model(model, tmp_path / "new", tokenizer(tmp_path / "tokenizer", NEW))
    read = load_generator(tmp_path / "new")
    ids = torch.tensor([2, 5, 7, 3])
    with torch.no_grad():
        assert torch.equal(read(ids, [4]), model.eval()(ids, [4]))
    assert model.encoder.embeddings.word_embeddings.weight.requires_grad
    assert model.head.bias.requires_grad


@pytest.mark.parametrize(
    ("entry", "pieces"),
    [
        ("mesas", ["mesa", "##s"]),
        ("##as", ["##a", "##s"]),
        ("mesita", []),
        ("##mesa", []),  # only at the start of a word
    ],
)
def test_splitting_an_entry(entry: str, pieces: list[str]):
    assert split_entry(entry, set(OLD)) == pieces


def test_discriminators_are_transferred_in_place_too(published, tmp_path):
    model = load_discriminator(published.discriminator)
    transfer_vocabulary(model, [[0], [1], [5, 6]], pad_id=1)
    assert model.config.vocab_size == model.encoder.config.vocab_size == 3
    assert model.config.pad_token_id == 1
    assert model(torch.tensor([0, 2]), [2]).shape == (2,)
