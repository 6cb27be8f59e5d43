from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.normalizers import BertNormalizer

from spacy_selectra.corpus.audit import audit_tokenizer, text_fit
from spacy_selectra.errors import SelectraError
from spacy_selectra.text.normalization import has_accent
from spacy_selectra.text.tokenizer import (
    SPECIAL_TOKENS,
    entries,
    load_backend,
    make_tokenizer,
    save_tokenizer,
)


def stripping_copy(source: Path, target: Path) -> Path:
    """The famous mistake: accents in the vocabulary, stripped from the text."""
    save_tokenizer(load_backend(source), target)
    wrong = Tokenizer.from_file(str(target / "tokenizer.json"))
    wrong.normalizer = BertNormalizer(strip_accents=True, lowercase=False)  # type: ignore[assignment]
    wrong.save(str(target / "tokenizer.json"))
    config = target / "tokenizer_config.json"
    config.write_text(config.read_text().replace('"strip_accents": false', '"strip_accents": true'))
    return target


def test_own_vocabularies_pass(tokenizer_dir: Path, texts: list[str]) -> None:
    audit = audit_tokenizer(tokenizer_dir, texts)
    assert audit.unreachable == []
    assert audit.accented == sum(map(has_accent, entries(load_backend(tokenizer_dir)))) > 10
    assert audit.fit is not None
    assert audit.fit.unknown_pieces == 0.0
    assert audit.fit.documents == len(texts)


def test_stripped_accents_are_found(tokenizer_dir: Path, tmp_path: Path) -> None:
    audit = audit_tokenizer(stripping_copy(tokenizer_dir, tmp_path / "wrong"))
    words = entries(load_backend(tokenizer_dir))
    assert audit.unreachable == [word for word in words if has_accent(word)]
    assert audit.repaired_unreachable == 0


def test_lower_casing_is_found(tmp_path: Path) -> None:
    words = [*SPECIAL_TOKENS, "El", "el"]
    (tmp_path / "vocab.txt").write_text("\n".join(words) + "\n")
    (tmp_path / "config.json").write_text('{"model_type": "electra"}')
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    audit = audit_tokenizer(tmp_path)
    assert audit.unreachable == ["El"]
    assert audit.repaired_unreachable == 0


def test_fit_of_a_text_counted_by_hand() -> None:
    tokenizer = make_tokenizer([*SPECIAL_TOKENS, "pan", "ni", "##ño", ".", "-"])
    fit = text_fit(tokenizer, ["pan niño. pan-pan", "[SEP] pan zz."])
    assert fit.documents == 2
    assert fit.words == 7  # pan niño pan pan SEP pan zz
    assert fit.pieces == 8
    assert fit.pieces_per_word == pytest.approx(8 / 7)
    assert fit.whole_words == pytest.approx(4 / 7)
    assert fit.unknown_pieces == pytest.approx(4 / 13)  # SEP, zz and the two brackets
    assert fit.entries_seen == 6
    assert set(fit.most_frequent_unknown) == {"[", "SEP", "]", "zz"}


def test_text_without_words(tokenizer_dir: Path) -> None:
    with pytest.raises(SelectraError, match="no words"):
        audit_tokenizer(tokenizer_dir, ["... --"])
