from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from spacy_selectra.corpus.audit import unreachable_entries
from spacy_selectra.corpus.holdout import is_heldout
from spacy_selectra.corpus.vocabulary import (
    AlphabetCounter,
    TrainedVocabulary,
    VocabularySettings,
    train_vocabulary,
)
from spacy_selectra.errors import SelectraError
from spacy_selectra.text.tokenizer import (
    SPECIAL_TOKENS,
    entries,
    fingerprint,
    load_backend,
    make_tokenizer,
)
from tests.corpus.conftest import SENTENCE, as_documents


def train(texts: list[str], **settings: float) -> TrainedVocabulary:
    chosen = VocabularySettings(**{"size": 160, "heldout": 0.0, **settings})  # type: ignore[arg-type]
    return train_vocabulary(lambda: iter(as_documents(texts)), chosen)


def test_vocabulary_has_the_size_asked_for_and_keeps_accents(texts: list[str]) -> None:
    result = train(texts)
    words = entries(result.tokenizer)
    assert len(words) == result.size == 160
    assert words[:5] == list(SPECIAL_TOKENS)
    assert "niño" in words
    assert result.tokenizer.encode("El niño", add_special_tokens=False).tokens == ["El", "niño"]
    ids = result.tokenizer.encode(SENTENCE).ids
    assert result.tokenizer.decode(ids) == SENTENCE
    assert result.documents == len(texts)
    assert result.notices == []


def test_equal_in_every_process(texts: list[str], tmp_path: Path) -> None:
    # Hash tables of the trainer are seeded once a process, so one process proves nothing.
    source = tmp_path / "corpus.txt"
    source.write_text("\n\n".join(texts), encoding="utf-8")
    code = (
        "import sys; from spacy_selectra.cli import main;"
        "sys.argv = ['selectra', 'vocab', 'train', *sys.argv[1:], '--size', '200', '--quiet'];"
        "main()"
    )
    for name in ("a", "b"):
        command = [sys.executable, "-c", code, str(source), str(tmp_path / name)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert len({fingerprint(tmp_path / name) for name in ("a", "b")}) == 1


def test_too_little_text_gives_a_smaller_vocabulary_and_a_notice() -> None:
    result = train(["pan con pan y pan con pan"], size=5000)
    assert result.size < 50
    assert result.notices == [
        f"the text is enough for {result.size} entries only, not 5,000",
    ]
    assert unreachable_entries(result.tokenizer) == []


def test_the_alphabet_is_limited_to_the_most_frequent_characters() -> None:
    result = train(["aaa bbb ccc aaa bbb ddz"], limit_alphabet=3, size=30)
    single = [word for word in entries(result.tokenizer) if len(word) == 1]
    assert single == ["a", "b", "c"]
    assert result.dropped_characters == 2


def test_heldout_documents_are_never_looked_at(texts: list[str]) -> None:
    secret = "Ωμέγα κρυφό κείμενο"
    number = next(n for n in range(1000) if is_heldout(f"{secret} {n}", 0.1))
    result = train([*texts, f"{secret} {number}"], heldout=0.1)
    assert not any("Ω" in word or "κ" in word for word in entries(result.tokenizer))
    assert result.documents == sum(not is_heldout(text, 0.1) for text in texts)


def test_a_share_of_the_documents(texts: list[str]) -> None:
    half = train(texts, share=0.5)
    assert 70 < half.documents < 130
    assert train(texts, share=0.5).documents == half.documents
    assert train(texts, share=0.5, seed=44).documents != half.documents


def test_errors(texts: list[str]) -> None:
    with pytest.raises(SelectraError, match=r"is too small for the .* entries of the alphabet"):
        train(texts, size=20)
    with pytest.raises(SelectraError, match="no text to train a vocabulary on"):
        train([""])
    with pytest.raises(SelectraError, match="share must be above 0"):
        train(texts, share=0.0)
    with pytest.raises(SelectraError, match="size must be at least"):
        train(texts, size=3)


def test_characters_are_counted_as_wordpiece_sees_them(tokenizer_dir: Path) -> None:
    texts = ["Una ñu, (año) 中文a", "ñ\u0301 n\u0303 🙂x", "a-b\tc\u200bd"] * 3
    counter = AlphabetCounter(load_backend(tokenizer_dir))
    for text in texts:
        counter.add(text)
    initial: Counter[str] = Counter()
    inside: Counter[str] = Counter()
    tokenizer: Tokenizer = load_backend(tokenizer_dir)
    for text in texts:
        normal = tokenizer.normalizer.normalize_str(text)  # type: ignore[union-attr]
        for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal):  # type: ignore[union-attr]
            initial.update(word[0])
            inside.update(word[1:])
    assert counter.initial() == initial
    assert counter.inside() == inside


def make(*words: str) -> Tokenizer:
    return make_tokenizer([*SPECIAL_TOKENS, *words])


@pytest.mark.parametrize(
    ("words", "unreachable"),
    [
        (["a", "##a", "ab", "b", "##b"], []),
        (["a-b", "a", "b", "-"], ["a-b"]),  # signs are always split off
        (["中a", "##中", "中", "a"], ["中a", "##中"]),  # so are CJK characters
        (["n\u0303", "a"], ["n\u0303"]),  # text is composed
        (["##a"], ["##a"]),  # no word can begin
        (["a", "aa", "##a"], []),  # not out of "aa", but out of "aaa"
        (["-", "(", "##a"], ["##a"]),  # nothing continues a sign
        (["a", "q", "##\u0301"], []),  # "á" is composed, "q́" is not
        (["x" * 101, "x"], ["x" * 101]),  # longer than any word may be
        (["a b", "a", "b"], ["a b"]),
        (["[unused1]", "a"], []),
    ],
)
def test_reachability(words: list[str], unreachable: list[str]) -> None:
    assert unreachable_entries(make(*words)) == unreachable


def test_unreachable_entries_are_replaced(
    monkeypatch: pytest.MonkeyPatch, texts: list[str]
) -> None:
    from spacy_selectra.corpus import vocabulary

    before = entries(train(texts).tokenizer)
    victim = before[-3]
    real = unreachable_entries
    monkeypatch.setattr(
        vocabulary,
        "unreachable_entries",
        lambda t: [*real(t), *([victim] if t.token_to_id(victim) is not None else [])],
    )
    after = entries(train(texts).tokenizer)
    assert len(after) == len(before)
    assert set(before) - set(after) == {victim}
