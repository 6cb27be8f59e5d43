"""The longest sequence a model was made for, as its tokenizer declares it.

A table of positions may have rows that no text has ever reached: sequences of that length can be
computed, and come out wrong. `model_max_length` in tokenizer_config.json says how far a model
may be trusted, and transformers cuts there as well.
"""

from __future__ import annotations

from pathlib import Path

from spacy_selectra.files import read_json, write_json

TOKENIZER_CONFIG = "tokenizer_config.json"


def longest_sequence(directory: str | Path, positions: int) -> int:
    """Most pieces of a sequence: what the tokenizer declares, but no more than `positions`."""
    path = Path(directory) / TOKENIZER_CONFIG
    declared = read_json(path).get("model_max_length") if path.is_file() else None
    return positions if declared is None else min(positions, int(declared))


def declare_longest_sequence(directory: str | Path, length: int) -> None:
    """Have a tokenizer directory declare `length`, unless it declares less or nothing at all."""
    path = Path(directory) / TOKENIZER_CONFIG
    if path.is_file():
        longest = longest_sequence(directory, length)
        write_json(path, {**read_json(path), "model_max_length": longest})
