"""Replaced-token probabilities: by a whole discriminator, or by its head on given vectors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from spacy_selectra.encoder.checkpoint import CONFIG_FILE, read_checkpoint, write_weights
from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.electra import SelectraEncoder
from spacy_selectra.encoder.heads import Discriminator, DiscriminatorHead
from spacy_selectra.encoder.predict import inference, predict
from spacy_selectra.encoder.serialization import encoder_from_tensors, encoder_tensors
from spacy_selectra.encoder.transformers_models import TransformersEncoder
from spacy_selectra.errors import SelectraError
from spacy_selectra.text.encode import TypedPieces
from spacy_selectra.util.files import atomic_directory, read_json, write_json

# Pieces computed at once. On a CPU, more are not faster and exceed its caches.
MAX_PIECES = 4096

# The mean of normalised vectors of the right encoder is within about 1e-7 of zero. One step of
# fine-tuning at a learning rate of 1e-4 changes that of some pieces by about 1e-5.
_MEAN_TOLERANCE = 1e-5
_FLOAT32_ROUNDING = 2.0**-23
_PIECES_CHECKED = 256


class DetectionHead(nn.Module):
    """A discriminator's head without its encoder, which it can recognise.

    Args:
        config: of the encoder.
        fingerprint: `encoder_fingerprint` of the encoder.

    Attributes:
        head: the head.
        norm: a copy of the last LayerNorm of the encoder.
    """

    def __init__(self, config: EncoderConfig, fingerprint: str) -> None:
        super().__init__()
        self.config = config
        self.fingerprint = fingerprint
        self.head = DiscriminatorHead(config)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, hidden: Tensor) -> Tensor:
        """(P, H) vectors of the encoder to (P,) logits; positive means replaced."""
        return self.head(hidden)

    def fits(self, hidden: Tensor) -> bool:
        """Whether (P, H) vectors can be from the encoder with which this head was trained.

        The last layer of an encoder is a LayerNorm, h = γ x̂ + β, where x̂ has mean 0 (Ba et al.
        2016, equation 4). So the mean of (h - β) / γ is 0 up to rounding for the γ and β of the
        encoder that computed h, and not for others, because fine-tuning changes both. Checks some
        of the vectors only, in float64.
        """
        if hidden.shape[-1] != self.config.hidden_size:
            return False
        step = max(1, len(hidden) // _PIECES_CHECKED)
        some = hidden[::step].detach().double()
        gain, shift = self.norm.weight.double(), self.norm.bias.double()
        means = ((some - shift) / gain).mean(-1).abs()
        # rounding errors of h are larger for a small γ; with γ = 0 the dimension is of no use
        rounding = _FLOAT32_ROUNDING * (some.abs() / gain.abs()).mean(-1)
        return not bool((means > _MEAN_TOLERANCE + rounding).any())


def piece_probabilities(
    model: Discriminator,
    sequences: Sequence[np.ndarray],
    prefix: Sequence[int] = (),
    suffix: Sequence[int] = (),
) -> list[np.ndarray]:
    """Probability that each piece of each sequence was replaced.

    Args:
        model: the discriminator.
        sequences: (n,) int64 ids of each sequence, without special pieces.
        prefix: special pieces before each sequence.
        suffix: special pieces after it.

    Returns:
        (n,) float32 for each sequence, without the special pieces.
    """
    framed = [np.concatenate([prefix, ids, suffix]).astype(np.int64) for ids in sequences]
    typed = [TypedPieces(ids, np.zeros_like(ids)) for ids in framed]
    logits = predict(model, typed, per_piece=True, max_pieces=MAX_PIECES)
    probabilities = [torch.sigmoid(torch.from_numpy(part)).numpy() for part in logits]
    return [part[len(prefix) : len(part) - len(suffix)] for part in probabilities]


def head_probabilities(head: DetectionHead, hidden: Tensor) -> np.ndarray:
    """Probability that each of P pieces was replaced: (P, H) vectors to (P,) float32."""
    parts = [np.empty(0, dtype=np.float32)]
    with inference("fast", head) as device:
        for rows in hidden.split(MAX_PIECES):
            logits = head(rows.to(device, torch.float32))
            parts.append(torch.sigmoid(logits).float().cpu().numpy())
    return np.concatenate(parts)


# Saving and loading a discriminator's head without its encoder.
#
# Such a directory is in transformers' ELECTRA format, but has only the tensors of the head and of
# the encoder's last LayerNorm. Its `config.json` also has the fingerprint of the missing encoder.


FINGERPRINT = "encoder_fingerprint"
_HEAD = "discriminator_predictions."


def encoder_fingerprint(encoder: SelectraEncoder | TransformersEncoder) -> str:
    """Hex SHA-256 of all weights in float32, by transformers' names.

    It does not depend on the type in which weights were stored, nor on settings such as dropout.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(encoder_tensors(encoder).items()):
        values = tensor.detach().float().cpu().contiguous()
        digest.update(json.dumps([name, list(values.shape)]).encode())
        digest.update(values.numpy().data)
    return digest.hexdigest()


def holds_only_head(directory: str | Path) -> bool:
    """Whether a model directory was written by `save_head`."""
    return FINGERPRINT in read_json(Path(directory) / CONFIG_FILE)


def load_head(directory: str | Path) -> DetectionHead:
    """Read the head of a discriminator, from its directory or from one of `save_head`.

    Raises:
        SelectraError: no such model, or a weight is missing or has the wrong shape.
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


__all__ = [
    "DetectionHead",
    "encoder_fingerprint",
    "head_probabilities",
    "holds_only_head",
    "load_head",
    "piece_probabilities",
    "save_head",
]
