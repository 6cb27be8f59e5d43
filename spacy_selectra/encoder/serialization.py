"""A transformer's weights, configuration and tokenizer as one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import safetensors.torch
from torch import Tensor

from spacy_selectra.encoder.checkpoint import encoder_from_tensors, encoder_tensors
from spacy_selectra.encoder.hf_format import exact_type, stored_tensor
from spacy_selectra.errors import SelectraError
from spacy_selectra.util.files import refuse_pointer

FORMAT = "spacy-selectra encoder 1"


def packed_encoder(encoder: Any, tokenizer: Mapping[str, Any]) -> bytes:
    """Weights in transformers' names (in half precision where that is exact), and configuration
    and tokenizer as JSON in the file's metadata.

    Args:
        encoder: the torch module.
        tokenizer: what describes its tokenizer.
    """
    tensors = encoder_tensors(encoder)
    dtype = exact_type(tensors.values())
    stored: dict[str, Tensor] = {
        name: stored_tensor(tensor, dtype) for name, tensor in tensors.items()
    }
    about = {"format": FORMAT, "config": stored_config(encoder), "tokenizer": dict(tokenizer)}
    # one entry: safetensors writes several in an order that changes from run to run
    return safetensors.torch.save(stored, {"selectra": json.dumps(about, sort_keys=True)})


def unpacked_encoder(data: bytes) -> tuple[Any, dict[str, Any]]:
    """The encoder, on the CPU, and what describes its tokenizer.

    Raises:
        SelectraError: data that `packed_encoder` did not write, or damaged.
    """
    about = read_metadata(data)
    try:
        tensors = safetensors.torch.load(data)
    except Exception as error:  # safetensors raises types of its own
        raise SelectraError(f"damaged transformer weights ({error})") from error
    return encoder_from_tensors(about["config"], tensors), about["tokenizer"]


def read_metadata(data: bytes) -> dict[str, Any]:
    """Configuration and tokenizer in a safetensors payload of ours.

    Raises:
        SelectraError: data that is none.
    """
    refuse_pointer("transformer/model", data)
    # the format: 8 bytes of header length, little-endian, then the header as JSON
    size = int.from_bytes(data[:8], "little")
    try:
        about = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["selectra"])
    except (ValueError, KeyError, TypeError) as error:
        raise SelectraError(
            "these are not the weights of a SelectraModel; was the pipeline saved with "
            "another transformer architecture?"
        ) from error
    if about.get("format") != FORMAT:
        raise SelectraError(
            f"transformer weights of format '{about.get('format')}', this version reads "
            f"'{FORMAT}'; update spacy-selectra"
        )
    return about


def stored_config(encoder: Any) -> dict[str, Any]:
    """The encoder's configuration without the place it came from."""
    config = dict(encoder.config.to_dict())
    config.setdefault("model_type", "electra")
    config.pop("_name_or_path", None)
    # what JSON cannot hold, such as a torch type, is of no use here either
    return json.loads(json.dumps(config, default=str))
