"""How much of what the device can compute the training does compute."""

from __future__ import annotations

import time

import torch

from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.precision import precision

_PROBE_SECONDS = 0.2
_PROBE_SIZE = {"cpu": 768, "cuda": 8192}


def encoder_flops(config: EncoderConfig, length: float) -> float:
    """Multiplications and additions of a forward pass, for a piece in a sequence of `length`.

    Products only: 2 for each weight a piece is multiplied with, and 4 * length * width a layer
    for attention (Kaplan et al. 2020, section 2.1).
    """
    width = config.hidden_size
    weights = 4 * width * width + 2 * width * config.intermediate_size
    project = width * config.embedding_size if width != config.embedding_size else 0
    layers = config.num_hidden_layers * (2 * weights + 4 * length * width)
    return layers + 2 * project


def step_flops(
    large: EncoderConfig,
    small: EncoderConfig,
    pieces: float,
    masked: float,
    length: float,
    corrected: bool = False,
) -> float:
    """Useful work of a training step: forward, and twice as much backward.

    Args:
        large: shape of the discriminator.
        small: shape of the generator.
        pieces: real pieces of the batch.
        masked: pieces that are predicted.
        length: mean length of a sequence.
        corrected: whether the discriminator names the originals too.
    """
    a_piece = encoder_flops(small, length) + encoder_flops(large, length)
    a_piece += 2 * large.hidden_size * (large.hidden_size + 1)
    heads = [small, large] if corrected else [small]
    a_mask = sum(
        2 * config.embedding_size * (config.hidden_size + config.vocab_size) for config in heads
    )
    return 3 * (pieces * a_piece + masked * a_mask)


def matmul_peak(device: torch.device, mode: str) -> float:
    """FLOP/s of a large product in the given precision, measured for a moment."""
    size = _PROBE_SIZE.get(device.type, 768)
    best = 0.0
    with torch.no_grad(), precision(mode, device):
        left = torch.ones(size, size, device=device)
        if torch.is_autocast_enabled(device.type):
            left = left.to(torch.get_autocast_dtype(device.type))
        until = time.monotonic() + _PROBE_SECONDS
        while time.monotonic() < until or not best:
            _wait(device)
            start = time.perf_counter()
            torch.mm(left, left)
            _wait(device)
            best = max(best, 2 * size**3 / (time.perf_counter() - start))
    return best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
