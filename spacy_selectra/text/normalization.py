"""Normalisation of text before tokenization, and its repair.

If a vocabulary has case and accents, normalisation must keep them. Otherwise entries with upper
case or accents would never be produced or trained.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Container, Iterable, Mapping
from typing import Any

from tokenizers import Tokenizer, normalizers

CONTINUATION = "##"  # prefix of entries that continue a word


def normalizer(
    *, lowercase: bool = False, strip_accents: bool = False, isolate_chinese: bool = True
) -> normalizers.Normalizer:
    """BERT's normalizer; by default without visible changes to the text."""
    # The type stubs of tokenizers lack arguments and setters of several classes.
    sequence: Any = normalizers.Sequence
    return sequence(
        [
            normalizers.BertNormalizer(
                clean_text=True,
                handle_chinese_chars=isolate_chinese,
                strip_accents=strip_accents,
                lowercase=lowercase,
            ),
            normalizers.NFC(),
        ]
    )


def repair_normalizer(
    backend: Any, declared: Mapping[str, Any], special: Iterable[str]
) -> dict[str, Any] | None:
    """Set the normalisation of a tokenizer to what its vocabulary requires.

    Args:
        backend: a tokenizer; changed only if it is a BERT WordPiece tokenizer.
        declared: settings of its directory, with the names of tokenizer_config.json.
        special: entries to ignore.

    Returns:
        The new settings, by the same names; None for another kind of tokenizer.
    """
    state = _bert_state(backend)
    if state is None:
        return None
    lowercase = bool(declared.get("do_lower_case", state["lowercase"]))
    strip = declared.get("strip_accents", state["strip_accents"])
    words = set(backend.get_vocab(with_added_tokens=False)).difference(special)
    if any(map(_has_upper_case, words)):
        lowercase = False
    if any(map(has_accent, words)):
        strip = False
    strip = lowercase if strip is None else bool(strip)
    chinese = bool(declared.get("tokenize_chinese_chars", state["handle_chinese_chars"]))
    backend.normalizer = normalizer(
        lowercase=lowercase, strip_accents=strip, isolate_chinese=chinese
    )
    return {
        "do_lower_case": lowercase,
        "strip_accents": strip,
        "tokenize_chinese_chars": chinese,
    }


def _bert_state(backend: Tokenizer) -> dict[str, Any] | None:
    definition = json.loads(backend.to_str())
    rules = definition["normalizer"] or {}
    for part in rules.get("normalizers", [rules]):
        if part.get("type") == "BertNormalizer" and definition["model"]["type"] == "WordPiece":
            return part
    return None


def _has_upper_case(word: str) -> bool:
    name = word.startswith("[") and word.endswith("]")  # a special or reserved token
    return word != word.lower() and not name


def has_accent(word: str) -> bool:
    """Whether stripping accents (removing the combining marks of NFD) would change the word."""
    return not word.isascii() and any(
        unicodedata.category(char) == "Mn" for char in unicodedata.normalize("NFD", word)
    )


def strip_accents(text: str) -> str:
    """Strip accents like BERT's tokenizer, by removing combining marks: "ñ" becomes "n"."""
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(char for char in decomposed if unicodedata.category(char) != "Mn")


def is_reserved(entry: str) -> bool:
    """Whether an entry is reserved, such as BERT's [unused1]."""
    return entry.startswith("[unused") and entry.endswith("]")


# Splitting an entry of a vocabulary into other entries.


def split_entry(entry: str, known: Container[str]) -> list[str]:
    """The pieces into which WordPiece would split `entry` with the vocabulary `known`.

    Longest match first, as in Wu et al. 2016. An entry with ## continues a word, so all its pieces
    do, too.

    Returns:
        Empty if `entry` cannot be split.
    """
    body = entry.removeprefix(CONTINUATION)
    prefix = CONTINUATION if len(body) < len(entry) else ""
    pieces: list[str] = []
    while body:
        for end in range(len(body), 0, -1):
            piece = prefix + body[:end]
            if piece in known:
                break
        else:
            return []
        pieces.append(piece)
        body, prefix = body[end:], CONTINUATION
    return pieces
