"""Cutting an entry of a vocabulary into other entries."""

from __future__ import annotations

from collections.abc import Container

from spacy_selectra.corpus.tokenizer import CONTINUATION


def split_entry(entry: str, known: Container[str]) -> list[str]:
    """The pieces WordPiece would cut `entry` into if its vocabulary were `known`.

    Longest match first, as in Wu et al. 2016. An entry that begins with ## is the rest of a word,
    so all its pieces are, too.

    Returns:
        Empty if `known` does not cover the entry.
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
