"""Precision of matrix products: float32, oneDNN's float32, bfloat16, or 8-bit integers."""

from __future__ import annotations

import platform
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import torch

from spacy_selectra.encoder.cpu.linear import int8_products, laid_out_weights, why_not_int8

PRECISIONS = ("auto", "fp32", "fast", "bf16", "int8")

# Far above the float32 rounding error of a sum of 1024 products of unit normals; the error of
# rounding the inputs to bfloat16 is a hundred times as large as this.
_FLOAT32_CLASS = 1e-5


@contextmanager
def precision(mode: str, device: torch.device | str = "cpu") -> Iterator[None]:
    """Set the precision of forward and backward passes within the block.

    Args:
        mode: "fp32", plain float32; "fast", float32 by the fastest library on CPUs (see
            `_fast_on_cpu`), TF32 on GPUs; "bf16", autocast with the residual stream in float32;
            "auto", "bf16" if the hardware supports it, else "fast"; "int8", products with the
            layers' weights in 8 bits (`cpu/linear.py`) and all others as in "auto".
            "int8" is for inference on CPUs. It means "fast" if gradients are recorded when the
            block is entered, and, with one warning, if the device does not support it.
        device: of the model.

    Raises:
        ValueError: an unknown mode.
    """
    if mode not in PRECISIONS:
        raise ValueError(f"precision '{mode}' is not one of {', '.join(PRECISIONS)}")
    kind = torch.device(device).type
    layers = nullcontext()
    if mode == "int8":
        mode = _float_part_of_int8(kind)
        layers = int8_products() if mode == "auto" else layers
    mode = resolve_precision(mode, kind)
    if mode == "fp32":
        yield
        return
    with _fast_products(kind), layers:
        if mode == "bf16":
            with torch.autocast(kind, dtype=torch.bfloat16):
                yield
        else:
            yield


def resolve_precision(mode: str, device: torch.device | str) -> str:
    """The precision that "auto" means on this device; other modes are returned."""
    if mode != "auto":
        return mode
    return "bf16" if _native_bfloat16(torch.device(device).type) else "fast"


def _float_part_of_int8(kind: str) -> str:
    """Floating-point precision of "int8": "auto", or "fast" if int8 is not supported."""
    if torch.is_grad_enabled():
        return "fast"
    reason = why_not_int8() if kind == "cpu" else f"the encoder is on '{kind}'"
    if reason is None:
        return "auto"
    _announce_no_int8(reason)
    return "fast"


@cache
def _announce_no_int8(reason: str) -> None:
    warnings.warn(
        f"precision 'int8' is for CPUs with VNNI instructions, and {reason}: computing as "
        "'fast'. (Shown once.)",
        UserWarning,
        stacklevel=5,
    )


def _native_bfloat16(kind: str) -> bool:
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    asked = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # not in the oldest torch
    return kind == "cpu" and asked is not None and bool(asked())


def _fast_products(kind: str) -> AbstractContextManager[None]:
    if kind == "cuda":
        return _tf32.on()
    return _fast_on_cpu() if kind == "cpu" else nullcontext()


@contextmanager
def _fast_on_cpu() -> Iterator[None]:
    """Without gradients, weights in oneDNN's layout. On AMD processors, where MKL has half of
    oneDNN's speed, all products by oneDNN."""
    onednn = _onednn.on() if _is_amd() and _onednn_is_float32() else nullcontext()
    with laid_out_weights(), onednn:
        yield


@cache
def _is_amd() -> bool:
    try:
        return "AuthenticAMD" in Path("/proc/cpuinfo").read_text("ascii", "replace")
    except OSError:
        return "AuthenticAMD" in platform.processor()


class _Switch:
    """A setting of the process for float32 products, on as long as a thread needs it.

    Threads enter and leave in any order; the last one to leave restores the original value.

    Args:
        read: returns the setting.
        write: sets it.
        wanted: its value within the block.
    """

    def __init__(self, read: Callable[[], Any], write: Callable[[Any], None], wanted: str) -> None:
        self._read, self._write, self._wanted = read, write, wanted
        self._lock = threading.Lock()
        self._users = 0
        self._before: Any = None

    @contextmanager
    def on(self) -> Iterator[None]:
        """Set it within the block."""
        with self._lock:
            if not self._users:
                self._before = self._read()
                self._write(self._wanted)
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._write(self._before)


def _matmul_backend() -> Any:
    # the setting per backend was added in torch 2.9; older versions compute as "fp32"
    return getattr(torch.backends.mkldnn, "matmul", None)


def _set_onednn(value: Any) -> None:
    _matmul_backend().fp32_precision = value


# Allowing bf16 makes torch use oneDNN, which without AMX still computes in float32.
_onednn = _Switch(lambda: _matmul_backend().fp32_precision, _set_onednn, "bf16")


def _tf32_setting() -> Any:
    # with the settings of torch 2.9, the older one must not be used: torch forbids mixing them
    if hasattr(torch.backends.cuda.matmul, "fp32_precision"):
        return torch.backends.cuda.matmul.fp32_precision
    return torch.backends.cuda.matmul.allow_tf32


def _set_tf32(value: Any) -> None:
    if hasattr(torch.backends.cuda.matmul, "fp32_precision"):
        torch.backends.cuda.matmul.fp32_precision = value
    else:
        torch.backends.cuda.matmul.allow_tf32 = value in (True, "tf32")


_tf32 = _Switch(_tf32_setting, _set_tf32, "tf32")


@cache
def _onednn_is_float32() -> bool:
    """Whether oneDNN's "bf16" products keep float32 accuracy on this processor."""
    if not torch.backends.mkldnn.is_available() or _matmul_backend() is None:
        return False
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(256, 1024, generator=generator)
    right = torch.randn(1024, 256, generator=generator)
    exact = left.double() @ right.double()
    with _onednn.on():
        error = (left @ right).double() - exact
    return bool(error.abs().max() < _FLOAT32_CLASS * exact.abs().max())
