from __future__ import annotations

import json
import shutil
import unicodedata
from pathlib import Path

import pytest
import transformers
from transformers import AutoTokenizer, ElectraTokenizer, ElectraTokenizerFast

from spacy_selectra.errors import SelectraError
from spacy_selectra.text.encode import CachedEncoder
from spacy_selectra.text.tokenizer import (
    SPECIAL_TOKENS,
    entries,
    fingerprint,
    fingerprint_of,
    load_backend,
    load_declared,
    load_tokenizer,
    make_tokenizer,
    save_tokenizer,
)
from tests.corpus.conftest import SENTENCE

ODD_TEXTS = [
    SENTENCE,
    unicodedata.normalize("NFD", SENTENCE),
    "n\u200b\u0303o ca\u00adfé\u0085a\u2028b\tc\u00a0d",
    "中文豈 «¿qué?» 😀 3,5€ [MASK] a[SEP]b",
    "x" * 101 + " " + "x" * 100,
    "",
]


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A directory as SELECTRA's on the Hub: accents in vocab.txt, strip_accents not declared."""
    directory = tmp_path / "published"
    directory.mkdir()
    words = [*SPECIAL_TOKENS, *["El", "niño", "comió", "ni", "##ño", "Cádiz"]]
    (directory / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    (directory / "tokenizer_config.json").write_text('{"strip_accents": true}')
    (directory / "config.json").write_text(
        '{"model_type": "electra", "max_position_embeddings": 384}'
    )
    return directory


def test_nothing_is_lost(tokenizer_dir: Path) -> None:
    tokenizer = load_tokenizer(tokenizer_dir)
    ids = tokenizer(SENTENCE).input_ids
    assert tokenizer.decode(ids, skip_special_tokens=True) == SENTENCE
    assert tokenizer.unk_token_id not in ids


def test_every_way_of_loading_gives_the_same_ids(tokenizer_dir: Path, texts: list[str]) -> None:
    backend = load_backend(tokenizer_dir)
    loaded = [
        load_tokenizer(tokenizer_dir),
        AutoTokenizer.from_pretrained(tokenizer_dir),
        ElectraTokenizerFast.from_pretrained(tokenizer_dir),
        ElectraTokenizer.from_pretrained(tokenizer_dir),
    ]
    for text in ODD_TEXTS + texts[:20]:
        ids = backend.encode(text).ids
        assert loaded[0].encode(text) == ids
        if transformers.__version__ >= "5" and text in ODD_TEXTS[1:]:
            continue  # its own classes set up normalisation anew, without NFC
        assert [tokenizer.encode(text) for tokenizer in loaded] == [ids] * len(loaded)


def test_settings_are_explicit(tokenizer_dir: Path) -> None:
    assert {path.name for path in tokenizer_dir.iterdir()} == {
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "vocab.txt",
    }
    config = json.loads((tokenizer_dir / "tokenizer_config.json").read_text())
    assert config["do_lower_case"] is False
    assert config["strip_accents"] is False
    assert config["model_max_length"] == 64
    tokenizer = load_tokenizer(tokenizer_dir)
    assert tokenizer.model_max_length == 64
    assert len(tokenizer("pan " * 200, truncation=True).input_ids) == 64
    assert tokenizer.convert_tokens_to_ids(list(SPECIAL_TOKENS)) == [0, 1, 2, 3, 4]
    words = (tokenizer_dir / "vocab.txt").read_text(encoding="utf-8").splitlines()
    assert words == entries(load_backend(tokenizer_dir))


def test_pairs_have_type_ids(tokenizer_dir: Path) -> None:
    pair = load_tokenizer(tokenizer_dir)("pan", "café")
    first_end = pair.input_ids.index(3)
    assert pair.input_ids[0] == 2
    assert pair.input_ids[-1] == 3
    assert pair.token_type_ids == [0] * (first_end + 1) + [1] * (
        len(pair.input_ids) - first_end - 1
    )


def test_fingerprint_survives_saving_and_use(tokenizer_dir: Path, tmp_path: Path) -> None:
    expected = fingerprint(tokenizer_dir)
    used = load_tokenizer(tokenizer_dir)
    used(["pan", "un café con pan"], padding=True, truncation=True)
    used.save_pretrained(tmp_path / "a")
    AutoTokenizer.from_pretrained(tmp_path / "a").save_pretrained(tmp_path / "b")
    assert fingerprint(tmp_path / "a") == fingerprint(tmp_path / "b") == expected
    assert load_backend(tmp_path / "a").padding is None
    backend = load_backend(tokenizer_dir)
    save_tokenizer(make_tokenizer(entries(backend)), tmp_path / "c")
    assert fingerprint(tmp_path / "c") == fingerprint_of(backend) == expected


def test_fingerprint_sees_a_change_of_vocabulary(tokenizer_dir: Path, tmp_path: Path) -> None:
    words = entries(load_backend(tokenizer_dir))
    words[10], words[11] = words[11], words[10]
    save_tokenizer(make_tokenizer(words), tmp_path)
    assert fingerprint(tmp_path) != fingerprint(tokenizer_dir)


def test_the_published_mistake_is_repaired(published: Path, tmp_path: Path) -> None:
    # transformers lower-cases and strips accents here, so that not one word is left.
    assert load_declared(published).encode("El niño").tokens[1:-1] == ["[UNK]", "[UNK]"]
    for again in (published, tmp_path / "saved"):
        tokenizer = load_tokenizer(again)
        assert tokenizer.tokenize(SENTENCE)[:3] == ["El", "niño", "comió"]
        assert tokenizer.model_max_length == 384
        assert tokenizer.do_lower_case is False
        assert tokenizer.init_kwargs["strip_accents"] is False
        assert load_backend(again).encode("El niño").tokens[1:-1] == ["El", "niño"]
        tokenizer.save_pretrained(tmp_path / "saved")
    assert AutoTokenizer.from_pretrained(tmp_path / "saved").tokenize("niño") == ["niño"]
    assert fingerprint(published) == fingerprint(tmp_path / "saved")


def test_a_truly_uncased_vocabulary_stays_uncased(published: Path) -> None:
    words = [*SPECIAL_TOKENS, "el", "nino"]
    (published / "vocab.txt").write_text("\n".join(words) + "\n")
    (published / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    assert load_tokenizer(published).tokenize("El NIÑO") == ["el", "nino"]
    assert load_backend(published).encode("El NIÑO").tokens[1:-1] == ["el", "nino"]


def test_errors(tmp_path: Path, tokenizer_dir: Path) -> None:
    with pytest.raises(SelectraError, match="no such tokenizer directory"):
        load_backend(tmp_path / "nada")
    with pytest.raises(SelectraError, match=r"neither tokenizer.json nor vocab.txt"):
        load_backend(tmp_path)
    with pytest.raises(SelectraError, match="no tokenizer can be loaded"):
        load_tokenizer(tmp_path)
    shutil.copytree(tokenizer_dir, tmp_path / "broken")
    (tmp_path / "broken" / "tokenizer.json").write_text("{")
    with pytest.raises(SelectraError, match=r"tokenizer.json"):
        load_backend(tmp_path / "broken")
    with pytest.raises(SelectraError, match="must start with"):
        make_tokenizer(["a", "b"])
    with pytest.raises(SelectraError, match="twice"):
        make_tokenizer([*SPECIAL_TOKENS, "a", "a"])


def test_cached_pieces_are_the_tokenizers_own(tokenizer_dir: Path, texts: list[str]) -> None:
    backend = load_backend(tokenizer_dir)
    backend.encode_special_tokens = True  # type: ignore[assignment]
    encoder = CachedEncoder(load_backend(tokenizer_dir))
    everything = ODD_TEXTS + texts
    for _ in range(2):
        for text, ids in zip(everything, encoder.encode(everything), strict=True):
            assert ids.tolist() == backend.encode(text, add_special_tokens=False).ids


def test_names_of_special_tokens_in_text_stay_text(tokenizer_dir: Path) -> None:
    ids = CachedEncoder(load_backend(tokenizer_dir)).encode(["pan [SEP] [MASK] pan"])[0]
    assert not {0, 2, 3, 4} & set(ids.tolist())
