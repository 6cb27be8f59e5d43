"""Smaller pipelines on disk: half precision, and common weights of two components stored once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from spacy_selectra.encoder.checkpoint import CONFIG_FILE, SHARED_WITH, WEIGHTS_FILE
from spacy_selectra.encoder.serialization import HALF_BITS, round_to_half
from spacy_selectra.util.files import read_json, write_json

if TYPE_CHECKING:
    from spacy.language import Language

# If fewer of a component's bytes are common, its files stay complete.
WORTH_SHARING = 0.1


def round_pipeline_to_half(nlp: Language, bits: int = HALF_BITS) -> None:
    """Round the weights of all encoders to half precision, in which they are then stored.

    The precision of computation does not change.

    Args:
        nlp: changed in place.
        bits: bits of each fraction that are kept; fewer than 10 make a wheel smaller.

    Raises:
        SelectraError: a weight is too large for half precision.
    """
    from spacy_selectra.components.model_component import ModelComponent
    from spacy_selectra.components.transformer.shim import SelectraShim

    for _, component in nlp.pipeline:
        if isinstance(component, ModelComponent):
            component.round_to_half(bits)
            continue
        model: Any = getattr(component, "model", None)
        for layer in model.walk() if hasattr(model, "walk") else ():
            for shim in layer.shims:
                if isinstance(shim, SelectraShim):
                    round_to_half(shim.encoder, bits)


def store_common_weights_once(pipeline: str | Path) -> None:
    """Remove weights from components if an earlier one (by name) has the same.

    This affects components that are directories in transformers' format. The `config.json` of a
    component without some weights names the component that has them and is needed to load it.

    Args:
        pipeline: directory of a saved pipeline, changed in place.
    """
    whole: dict[str, dict[str, Tensor]] = {}
    for weights in sorted(Path(pipeline).glob(f"*/{WEIGHTS_FILE}")):
        directory, tensors = weights.parent, load_file(weights)
        common = {name: _common(tensors, others) for name, others in whole.items()}
        best = max(common, key=lambda name: _size(common[name])) if common else None
        if best is None or _size(common[best]) < WORTH_SHARING * _size(tensors):
            whole[directory.name] = tensors
            continue
        rest = {name: tensor for name, tensor in tensors.items() if name not in common[best]}
        save_file(rest, weights, metadata={"format": "pt"})
        config = read_json(directory / CONFIG_FILE)
        write_json(directory / CONFIG_FILE, {**config, SHARED_WITH: best})


def _common(tensors: dict[str, Tensor], others: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: tensor
        for name, tensor in tensors.items()
        if name in others
        and tensor.dtype == others[name].dtype
        and torch.equal(tensor, others[name])
    }


def _size(tensors: dict[str, Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors.values())
