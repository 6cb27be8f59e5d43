"""The discriminator's head in and out of directories, without its encoder.

Such a directory has the tensors and names of transformers' ELECTRA format, but only those of
the head and of the encoder's last LayerNorm. Its `config.json` has one more key, the
fingerprint of the encoder that is not there.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from torch import Tensor

from spacy_selectra.encoder.adapter import AdaptedEncoder
from spacy_selectra.encoder.checkpoint import (
    CONFIG_FILE,
    encoder_from_tensors,
    encoder_tensors,
    read_checkpoint,
    write_weights,
)
from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.detection import DetectionHead
from spacy_selectra.encoder.network import SelectraEncoder
from spacy_selectra.errors import SelectraError
from spacy_selectra.files import atomic_directory, read_json, write_json

FINGERPRINT = "encoder_fingerprint"
_HEAD = "discriminator_predictions."


def encoder_fingerprint(encoder: SelectraEncoder | AdaptedEncoder) -> str:
    """Hex SHA-256 of all weights in float32, by transformers' names.

    Equal weights give equal fingerprints whatever they were stored in; settings without
    weights, such as dropout, do not count.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(encoder_tensors(encoder).items()):
        values = tensor.detach().float().cpu().contiguous()
        digest.update(json.dumps([name, list(values.shape)]).encode())
        digest.update(values.numpy().data)
    return digest.hexdigest()


def holds_only_head(directory: str | Path) -> bool:
    """Whether a model directory is one of `save_head`."""
    return FINGERPRINT in read_json(Path(directory) / CONFIG_FILE)


def load_head(directory: str | Path) -> DetectionHead:
    """Read the head of a discriminator, from its directory or from one of `save_head`.

    Raises:
        SelectraError: no such model, no head in it, a weight missing or of a wrong shape.
    """
    config, tensors = read_checkpoint(directory)
    shape = EncoderConfig.from_dict(config)
    fingerprint = config.get(FINGERPRINT)
    if fingerprint is None:
        fingerprint = encoder_fingerprint(encoder_from_tensors(config, tensors))
    with torch.device("meta"):
        model = DetectionHead(shape, fingerprint)
    state: dict[str, Tensor] = {}
    for name in model.state_dict():
        theirs = _stored_name(name, shape)
        if theirs not in tensors:
            raise SelectraError(
                f"{directory}: no weight '{theirs}'; this is not an "
                "ElectraForPreTraining checkpoint"
            )
        state[name] = tensors[theirs].clone()
    try:
        model.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise SelectraError(
            f"{directory}: weights and config.json do not fit together: {error}"
        ) from error
    return model.eval()


def save_head(model: DetectionHead, directory: str | Path) -> None:
    """Write `config.json` and `model.safetensors` for `load_head`, replacing the directory.

    Raises:
        SelectraError: the directory cannot be written.
    """
    with atomic_directory(directory) as temporary:
        about = {"model_type": "electra", **model.config.to_dict(), FINGERPRINT: model.fingerprint}
        write_json(temporary / CONFIG_FILE, about)
        tensors = {
            _stored_name(name, model.config): tensor for name, tensor in model.state_dict().items()
        }
        write_weights(tensors, temporary, directory)


def _stored_name(name: str, config: EncoderConfig) -> str:
    last = f"electra.encoder.layer.{config.num_hidden_layers - 1}.output.LayerNorm."
    if name.startswith("norm."):
        return last + name.removeprefix("norm.")
    return _HEAD + name.removeprefix("head.")


__all__ = ["encoder_fingerprint", "holds_only_head", "load_head", "save_head"]
