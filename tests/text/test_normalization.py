"""What is done to text before it is cut, against tokenizers and plain loops."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import normalizers

from spacy_selectra.text.normalization import (
    CONTINUATION,
    has_accent,
    is_reserved,
    split_entry,
    strip_accents,
)

BERT = normalizers.BertNormalizer(
    clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False
)
# Latin, Greek, Cyrillic, Hebrew and Arabic, composed or with combining marks
SCRIPTS = st.text(st.characters(max_codepoint=0x06FF, exclude_categories=["Cs", "Cn"]))


@given(SCRIPTS)
def test_accents_are_stripped_as_berts_tokenizer_does(text: str):
    assert strip_accents(text) == BERT.normalize_str(text)


@given(SCRIPTS)
def test_a_word_has_an_accent_if_stripping_changes_it(word: str):
    assert has_accent(word) == (strip_accents(word) != unicodedata.normalize("NFD", word))


@given(
    st.text("ab", min_size=1, max_size=8),
    st.booleans(),
    st.sets(st.tuples(st.booleans(), st.text("ab", min_size=1, max_size=3)), max_size=12),
)
def test_entries_are_cut_at_the_longest_match(
    body: str, continues: bool, parts: set[tuple[bool, str]]
):
    known = {CONTINUATION * inside + part for inside, part in parts}
    expected, rest, inside = [], body, continues
    while matching := [p for within, p in parts if within == inside and rest.startswith(p)]:
        longest = max(matching, key=len)
        expected.append(CONTINUATION * inside + longest)
        rest, inside = rest[len(longest) :], True
    assert split_entry(CONTINUATION * continues + body, known) == ([] if rest else expected)


@pytest.mark.parametrize(
    ("entry", "reserved"),
    [("[unused1]", True), ("[UNK]", False), ("unused", False), ("[", False), ("[unused", False)],
)
def test_entries_that_stand_for_no_text(entry: str, reserved: bool):
    assert is_reserved(entry) == reserved
