"""`metrics.json` files as `finetune` writes them, without fine-tuning anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spacy_selectra.util.files import write_json

OLD: dict[str, Any] = {
    "data": "xnli",
    "encoder": "ours",
    "parameters": 5_400_000,
    "metric": "accuracy",
    "split": "test",
    "mean": 0.61234,
    "std": 0.01,
    "trials": [{}, {}],
}
NEW: dict[str, Any] = {
    **OLD,
    "trials": [{"collapsed": False}] * 5,
    "examples": {"train": 2490, "dev": 100, "test": 5010},
    "fingerprints": {"data": {"train": "t", "test": "x"}, "encoder": "e"},
    "size_bytes": 21_612_345,
    "words_per_second": 12_345.6,
    "device": "cpu",
}


def write_old(directory: Path, **changes: Any) -> None:
    """The fields of the first versions only, beside the file of a single trial."""
    write_json(directory / "metrics.json", {**OLD, **changes})
    write_json(directory / "trial-1" / "metrics.json", {"trial": 1})


def write_new(directory: Path, **changes: Any) -> None:
    """All fields."""
    write_json(directory / "metrics.json", {**NEW, **changes})


def two_models(root: Path) -> None:
    """Two models with speeds on XNLI and on a data set nobody published on; one dev score."""
    write_new(root / "a")
    write_new(root / "b", data="own", mean=0.8, words_per_second=10_000.0, fingerprints={})
    large = {"encoder": "hub/large", "parameters": 110_000_000, "size_bytes": 440_000_000}
    write_new(root / "c", **large, mean=0.71, words_per_second=1_000.0)
    write_new(root / "d", **large, data="own", mean=0.79, words_per_second=900.0, fingerprints={})
