"""The encoder of a pipeline as a model directory, for fine-tuning and benchmarks."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import safetensors.torch

from spacy_selectra.encoder.checkpoint import CONFIG_FILE, write_weights
from spacy_selectra.encoder.serialization import read_metadata
from spacy_selectra.text.encode import PieceTokenizer, transformers_tokenizer
from spacy_selectra.util.files import atomic_directory, expanded, write_json

_FOLDER = "spacy-selectra"


def extracted_encoder(file: Path) -> Path:
    """Directory in transformers' format with the encoder and tokenizer of a pipeline.

    It is written once to the user's cache (XDG_CACHE_HOME, or ~/.cache), under a name derived from
    the weights.

    Args:
        file: `transformer/model` of the pipeline.

    Raises:
        SelectraError: the file has the weights of another transformer architecture, or the cache
            cannot be written.
    """
    data = file.read_bytes()
    about = read_metadata(data)
    cache = expanded(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    directory = cache / _FOLDER / hashlib.sha256(data).hexdigest()[:16]
    if (directory / CONFIG_FILE).is_file():
        return directory
    directory.parent.mkdir(parents=True, exist_ok=True)
    with atomic_directory(directory) as temporary:
        tokenizer = transformers_tokenizer(PieceTokenizer.from_dict(about["tokenizer"]))
        tokenizer.save_pretrained(str(temporary))
        write_weights(safetensors.torch.load(data), temporary, directory)
        write_json(temporary / CONFIG_FILE, about["config"])
    return directory
