"""How products are computed: exact float32, oneDNN's float32, or bfloat16."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal

import torch

Precision = Literal["auto", "fp32", "fast", "bf16"]
PRECISIONS = ("auto", "fp32", "fast", "bf16")

# float32 rounding over a sum of 1024 products of unit normals stays below this by far,
# bfloat16 rounding of the inputs exceeds it a hundred times
_FLOAT32_CLASS = 1e-5


@contextmanager
def precision(mode: str, device: torch.device | str = "cpu") -> Iterator[None]:
    """Compute in the given precision within the block, backward passes included.

    Args:
        mode: "fp32", plain float32; "fast", float32 through oneDNN on CPUs where that
            really computes float32 (checked once against float64; else as "fp32"), TF32 on
            GPUs; "bf16", autocast with the residual stream in float32; "auto", "bf16"
            where the device computes it natively, else "fast".
        device: where the model is.

    Raises:
        ValueError: an unknown mode.
    """
    if mode not in PRECISIONS:
        raise ValueError(f"precision '{mode}' is not one of {', '.join(PRECISIONS)}")
    kind = torch.device(device).type
    mode = resolve_precision(mode, kind)
    if mode == "fp32":
        yield
        return
    with _fast_products(kind):
        if mode == "bf16":
            with torch.autocast(kind, dtype=torch.bfloat16):
                yield
        else:
            yield


def resolve_precision(mode: str, device: torch.device | str) -> str:
    """What "auto" means on this device; other modes as they are."""
    if mode != "auto":
        return mode
    return "bf16" if _native_bfloat16(torch.device(device).type) else "fast"


def _native_bfloat16(kind: str) -> bool:
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return kind == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())


@contextmanager
def _fast_products(kind: str) -> Iterator[None]:
    if kind == "cuda":
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high")
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before)
    elif kind == "cpu" and _onednn_is_float32():
        with _onednn_products():
            yield
    else:
        yield


@contextmanager
def _onednn_products() -> Iterator[None]:
    # On AMD processors torch's default (MKL) reaches half of oneDNN's speed. Allowing
    # bf16 here is what routes products to oneDNN, which without AMX still computes float32.
    backend = _matmul_backend()
    before = backend.fp32_precision
    backend.fp32_precision = "bf16"
    try:
        yield
    finally:
        backend.fp32_precision = before


def _matmul_backend() -> Any:
    # the per-backend switch came with torch 2.9; older versions compute as "fp32"
    return getattr(torch.backends.mkldnn, "matmul", None)


@cache
def _onednn_is_float32() -> bool:
    """Whether oneDNN's "bf16" products keep float32 accuracy on this processor."""
    if not torch.backends.mkldnn.is_available() or _matmul_backend() is None:
        return False
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(256, 1024, generator=generator)
    right = torch.randn(1024, 256, generator=generator)
    exact = left.double() @ right.double()
    with _onednn_products():
        error = (left @ right).double() - exact
    return bool(error.abs().max() < _FLOAT32_CLASS * exact.abs().max())
