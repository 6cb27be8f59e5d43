"""A small encoder out of a multilingual one computes the same for the language it keeps."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    ElectraForPreTraining,
    PreTrainedTokenizerFast,
)
from typer.testing import CliRunner

from spacy_selectra.cli.app import app
from spacy_selectra.corpus.audit import unreachable_entries
from spacy_selectra.encoder.checkpoint import load_discriminator
from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.initialization.trimming import trim_encoder
from spacy_selectra.text.tokenizer import (
    load_backend,
    make_tokenizer,
    read_vocabulary,
    save_tokenizer,
)

# As SentencePiece has them: "▁" begins a word, and punctuation continues it.
PIECES = [
    *("▁", "▁la", "▁casa", "▁casas", "▁de", "▁una", "▁perso", "na", "s", "▁El", "▁mayo", "▁mil"),
    *("▁Qué", "▁no", "▁1", "o", "a", "...", ",", ".", "?", "▁¿", "▁schön", "er", "▁weg", "ö", "ü"),
]
WORDS = "la casa de una persona"
SPANISH = [WORDS, "El 1º de mayo… mil casas.", "Qué, no ¿a?"] * 3
DEPTH = 3
ROLES = {
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "cls_token": "<s>",
    "sep_token": "</s>",
    "mask_token": "<mask>",
}


def save_bert(directory: Path, entries: int, pad: int) -> Path:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=entries,
        hidden_size=32,
        num_hidden_layers=DEPTH,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=96,
        pad_token_id=pad,
        initializer_range=0.2,
    )
    BertModel(config).save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def multilingual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a tokenizer as that of XLM-R: NFKC, and special tokens of its own."""
    directory = tmp_path_factory.mktemp("multilingual")
    entries = [*ROLES.values(), *PIECES]
    scored = [(name, -float(len(entries)) / len(name)) for name in entries]
    made: Any = Tokenizer(models.Unigram(scored, unk_id=entries.index("<unk>")))
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        special_tokens=[(name, entries.index(name)) for name in ("<s>", "</s>")],
    )
    PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=64, **ROLES).save_pretrained(
        directory
    )
    return save_bert(directory, len(entries), entries.index("<pad>"))


@pytest.fixture(scope="module")
def trimmed(multilingual: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trimmed") / "encoder"
    result = trim_encoder(multilingual, SPANISH, out, layers=2)
    assert result.layers == 2
    assert result.old_entries == len(ROLES) + len(PIECES)
    assert result.kept == 1.0
    return out


def test_the_lower_layers_compute_the_same(multilingual: Path, trimmed: Path):
    old, new = load_backend(multilingual), load_backend(trimmed)
    before, after = old.encode(WORDS), new.encode(WORDS)
    assert [name.lstrip("▁") for name in before.tokens[1:-1]] == [
        name.removeprefix("##") for name in after.tokens[1:-1]
    ]
    bert = BertModel.from_pretrained(multilingual).eval()
    model = load_discriminator(trimmed)
    with torch.no_grad():
        states = bert(torch.tensor([before.ids]), output_hidden_states=True).hidden_states
        found = model.encoder(torch.tensor(after.ids), [len(after.ids)])
    torch.testing.assert_close(found, states[2][0], rtol=0, atol=1e-5)
    assert not torch.allclose(found, states[DEPTH][0], atol=1e-2)


def test_what_the_language_does_not_use_is_gone(multilingual: Path, trimmed: Path):
    vocabulary = read_vocabulary(trimmed)
    assert {"casas", "##s", "##na"} <= set(vocabulary.pieces)
    assert not {"schön", "##er", "weg", "##ö", "ü"} & set(vocabulary.pieces)
    assert unreachable_entries(load_backend(trimmed)) == []
    assert json.loads((trimmed / "tokenizer_config.json").read_text())["model_max_length"] == 64
    assert ElectraForPreTraining.from_pretrained(trimmed).config.num_hidden_layers == 2


def test_characters_that_sentencepiece_writes_in_another_way(multilingual: Path, trimmed: Path):
    new = load_backend(trimmed)
    assert "[UNK]" not in new.encode(" ".join(SPANISH)).tokens
    rows = load_discriminator(trimmed).encoder.embeddings.word_embeddings.weight
    old = load_backend(multilingual)
    weight = BertModel.from_pretrained(multilingual).embeddings.word_embeddings.weight
    assert "##º" in new.get_vocab()
    written = old.encode("º")
    pairs = zip(written.ids, written.tokens, strict=True)
    spelled = [number for number, name in pairs if name not in ("▁", "<s>", "</s>")]
    assert [old.id_to_token(number) for number in spelled] == ["o"]
    torch.testing.assert_close(rows[new.token_to_id("##º")], weight[spelled].mean(dim=0))
    for new_name, old_name in ((",", ","), ("¿", "▁¿"), ("…", "..."), ("casas", "▁casas")):
        expected = weight[old.token_to_id(old_name)]
        torch.testing.assert_close(rows[new.token_to_id(new_name)], expected)


def test_wordpiece_vocabularies_keep_their_entries(tmp_path: Path):
    entries = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "casa", "##s", "weg", "a", "s", "##a"]
    tokenizer = make_tokenizer(entries)
    save_tokenizer(tokenizer, tmp_path / "bert")
    save_bert(tmp_path / "bert", len(entries), 0)
    trim_encoder(tmp_path / "bert", ["casas casa casas"], tmp_path / "out", min_count=1)
    assert set(read_vocabulary(tmp_path / "out").pieces[5:]) == {"casa", "##s", "a", "##a", "s"}
    model = load_discriminator(tmp_path / "out")
    assert model.config.num_hidden_layers == DEPTH
    bert = BertModel.from_pretrained(tmp_path / "bert").eval()
    ids = load_backend(tmp_path / "out").encode("casas").ids
    with torch.no_grad():
        expected = bert(torch.tensor([tokenizer.encode("casas").ids])).last_hidden_state[0]
        torch.testing.assert_close(model.encoder(torch.tensor(ids), [len(ids)]), expected)


def uncased(directory: Path) -> None:
    definition = json.loads((directory / "tokenizer.json").read_text())
    definition["normalizer"] = {"type": "Lowercase"}
    (directory / "tokenizer.json").write_text(json.dumps(definition))


def other_type(directory: Path) -> None:
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps({**config, "model_type": "roberta"}))


def without_mask(directory: Path) -> None:
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        values = json.loads((directory / name).read_text())
        values.pop("mask_token")
        (directory / name).write_text(json.dumps(values))


def bytes_instead(directory: Path) -> None:
    made: Any = Tokenizer(models.BPE({"<unk>": 0, "a": 1, "b": 2, "ab": 3}, [("a", "b")]))
    PreTrainedTokenizerFast(tokenizer_object=made, **dict.fromkeys(ROLES, "<unk>")).save_pretrained(
        directory
    )


@pytest.mark.parametrize(
    ("damage", "options", "message"),
    [
        (uncased, {}, "its tokenizer drops case or accents"),
        (other_type, {}, "is of type 'roberta', but must be bert or electra"),
        (without_mask, {}, "its tokenizer has no mask_token"),
        (bytes_instead, {}, "its vocabulary is of type BPE, but must be WordPiece or"),
        (None, {"layers": 4}, "has 3 layers, so 1 to 3 can be kept"),
        (None, {"min_count": 10_000}, "occurs 10000 times in the texts"),
    ],
)
def test_errors(damage, options, message, multilingual: Path, tmp_path: Path):
    directory = tmp_path / "bert"
    shutil.copytree(multilingual, directory)
    if damage is not None:
        damage(directory)
    with pytest.raises(SelectraError, match=message):
        trim_encoder(directory, SPANISH, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_command(multilingual: Path, tmp_path: Path):
    text = tmp_path / "text.txt"
    text.write_text("\n\n".join(SPANISH), encoding="utf-8")
    arguments = ["vocab", "trim", str(multilingual), str(text), str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*arguments, "--layers", "1", "--json", "--quiet"])
    assert result.exit_code == 0, result.output
    values = json.loads(result.stdout)
    assert values["layers"] == 1
    assert values["entries"] == read_vocabulary(tmp_path / "out").size
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code == 1
    assert "exists; the last argument is the output" in again.stderr
    more = CliRunner().invoke(app, [*arguments, "--replace", "--max-documents", "20"])
    assert f"{DEPTH} layers" in more.stdout
