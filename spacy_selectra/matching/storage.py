"""Word vectors and matching models in directories: `config.json`, `words.txt`, safetensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from spacy_selectra.errors import SelectraError
from spacy_selectra.matching.model import MatchingModel, WordTables
from spacy_selectra.matching.probabilities import Calibration
from spacy_selectra.matching.word_vectors import TrainedVectors
from spacy_selectra.util.files import (
    atomic_directory,
    read_json,
    refuse_pointer,
    write_json,
    write_text,
)

MODEL_TYPE = "selectra_matching"
VECTORS_TYPE = "selectra_word_vectors"
FORMAT = 1
CONFIG_FILE = "config.json"
WORDS_FILE = "words.txt"
WEIGHTS_FILE = "model.safetensors"
_ARRAYS = tuple(field.name for field in fields(WordTables) if field.name != "floor")


def is_matching_model(directory: str | Path) -> bool:
    """Whether a directory contains a matching model, according to its `config.json`."""
    return _config(directory).get("model_type") == MODEL_TYPE


def save_matching(model: MatchingModel, directory: str | Path) -> None:
    """Write a model atomically, replacing the directory.

    Raises:
        SelectraError: the directory cannot be written.
    """
    config = {
        "model_type": MODEL_TYPE,
        "format": FORMAT,
        "floor": model.tables.floor,
        "calibration": asdict(model.calibration),
        "origin": model.origin,
    }
    arrays = {name: getattr(model.tables, name) for name in _ARRAYS}
    _write(directory, config, model.index.words, arrays)


def load_matching(directory: str | Path) -> MatchingModel:
    """Load a model written by `save_matching`.

    Raises:
        SelectraError: a file is missing or damaged, or has the format of a later version.
    """
    config, words, arrays = _read(directory, MODEL_TYPE, "matching model")
    try:
        tables = WordTables(
            **{name: arrays[name] for name in _ARRAYS}, floor=float(config["floor"])
        )
        calibration = Calibration(**config["calibration"])
    except (KeyError, TypeError, ValueError) as error:
        raise SelectraError(f"{directory}: damaged matching model ({error})") from error
    return MatchingModel(words, tables, calibration, config.get("origin"))


def save_vectors(vectors: TrainedVectors, directory: str | Path) -> None:
    """Write word vectors atomically, replacing the directory.

    Raises:
        SelectraError: the directory cannot be written.
    """
    config = {"model_type": VECTORS_TYPE, "format": FORMAT, "origin": vectors.origin}
    arrays = {"share": vectors.share, "vectors": vectors.vectors}
    _write(directory, config, vectors.words, arrays)


def load_vectors(directory: str | Path) -> TrainedVectors:
    """Load vectors written by `save_vectors`.

    Raises:
        SelectraError: a file is missing or damaged, or has the format of a later version.
    """
    config, words, arrays = _read(directory, VECTORS_TYPE, "word vectors")
    if set(arrays) != {"share", "vectors"} or {len(one) for one in arrays.values()} != {len(words)}:
        raise SelectraError(f"{directory}: damaged word vectors (tables do not fit the words)")
    origin = config.get("origin") or {}
    return TrainedVectors(tuple(words), arrays["share"], arrays["vectors"], origin)


def _config(directory: str | Path) -> dict[str, Any]:
    path = Path(directory) / CONFIG_FILE
    config = read_json(path) if path.is_file() else {}
    return config if isinstance(config, dict) else {}


def _write(
    directory: str | Path,
    config: Mapping[str, Any],
    words: Sequence[str],
    arrays: Mapping[str, np.ndarray],
) -> None:
    with atomic_directory(directory) as temporary:
        write_json(temporary / CONFIG_FILE, config)
        write_text(temporary / WORDS_FILE, "".join(f"{word}\n" for word in words))
        stored = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        try:
            save_file(stored, temporary / WEIGHTS_FILE)
        except SafetensorError as error:
            raise SelectraError(f"{directory}: could not be written ({error})") from error


def _read(
    directory: str | Path, kind: str, what: str
) -> tuple[dict[str, Any], list[str], dict[str, np.ndarray]]:
    """Configuration, words and arrays in a directory of the given type."""
    path = Path(directory)
    config = _config(path)
    if config.get("model_type") != kind:
        raise SelectraError(f"{path}: no {what} found")
    if config.get("format") != FORMAT:
        raise SelectraError(
            f"{path}: {what} of format {config.get('format')}, but this version of spacy-selectra "
            f"reads format {FORMAT}"
        )
    for name in (WORDS_FILE, WEIGHTS_FILE):
        if not (path / name).is_file():
            raise SelectraError(f"{path}: {name} is missing")
        refuse_pointer(path / name)
    try:
        words = (path / WORDS_FILE).read_text(encoding="utf-8").splitlines()
        return config, words, load_file(path / WEIGHTS_FILE)
    except (SafetensorError, ValueError) as error:
        raise SelectraError(f"{path}: damaged {what} ({error})") from error
