"""torch's default type, which another library in the process may have changed, changes nothing."""

from __future__ import annotations

import pytest
import spacy
import torch
from spacy.training import Example

TEXTS = ["Íñigo García vive en Málaga.", "", "El gato come."]


@pytest.mark.parametrize("default", [torch.float64, torch.float16, torch.bfloat16])
def test_results_and_training_are_the_same(make_nlp, default: torch.dtype):
    spacy.util.fix_random_seed(0)
    nlp = make_nlp()
    nlp.add_pipe("selectra_ner")
    gold = Example.from_dict(nlp.make_doc(TEXTS[0]), {"entities": [(0, 12, "PER")]})
    nlp.initialize(lambda: [gold])
    expected = [doc._.trf_data.tensors for doc in nlp.pipe(TEXTS)]
    torch.set_default_dtype(default)
    try:
        found = [doc._.trf_data.tensors for doc in nlp.pipe(TEXTS)]
        losses: dict[str, float] = {}
        nlp.update([gold], losses=losses)
    finally:
        torch.set_default_dtype(torch.float32)
    assert losses["selectra_ner"] > 0
    for own, other in zip(found, expected, strict=True):
        assert len(own) == len(other)
        for one, two in zip(own, other, strict=True):
            assert one.dtype == two.dtype == "float32"
            assert one == pytest.approx(two, abs=1e-5)
