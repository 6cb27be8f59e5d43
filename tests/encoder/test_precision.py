"""The precision modes: how exact each is, and that nothing stays switched afterwards."""

from __future__ import annotations

import threading

import pytest
import torch

from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.electra import SelectraEncoder
from spacy_selectra.encoder.precision import precision


@torch.no_grad()
@pytest.mark.parametrize(("mode", "tolerance"), [("fp32", 0.0), ("fast", 1e-4), ("bf16", 0.2)])
def test_modes_agree(mode: str, tolerance: float, tiny_config: EncoderConfig):
    torch.manual_seed(0)
    encoder = SelectraEncoder(tiny_config).eval()
    ids = torch.randint(5, 100, (60,))
    exact = encoder(ids, [30, 20, 10])
    with precision(mode):
        result = encoder(ids, [30, 20, 10])
    assert result.dtype == torch.float32
    assert (result - exact).abs().max() <= tolerance


def test_nothing_stays_switched():
    before = torch.backends.mkldnn.matmul.fp32_precision
    with pytest.raises(RuntimeError, match="inside"), precision("fast"):
        raise RuntimeError("inside")
    assert torch.backends.mkldnn.matmul.fp32_precision == before


@pytest.mark.parametrize("outside", ["none", "ieee", "tf32"])
def test_gpu_products_whatever_was_set_for_them(outside: str):
    backend = torch.backends.cuda.matmul
    if not hasattr(backend, "fp32_precision"):
        pytest.skip("this torch has the older switch only")
    before = backend.fp32_precision
    backend.fp32_precision = outside
    try:
        with precision("fast"), precision("fast", "cuda"), precision("fast", "cuda"):
            assert backend.fp32_precision == "tf32"
        assert backend.fp32_precision == outside
    finally:
        backend.fp32_precision = before


def test_unknown_mode():
    with pytest.raises(ValueError, match="'half' is not one of"), precision("half"):
        pass


def test_threads_that_overlap_leave_the_process_as_it_was():
    backend = getattr(torch.backends.mkldnn, "matmul", None)
    if backend is None:
        pytest.skip("this torch has no setting for oneDNN alone")
    before = backend.fp32_precision
    first_in, second_in, first_out = (threading.Event() for _ in range(3))

    def first() -> None:
        with precision("fast"):
            first_in.set()
            second_in.wait(10)
        first_out.set()

    thread = threading.Thread(target=first)
    thread.start()
    first_in.wait(10)
    with precision("fast"):
        within = backend.fp32_precision
        second_in.set()
        first_out.wait(10)
        assert backend.fp32_precision == within
    thread.join()
    assert backend.fp32_precision == before
