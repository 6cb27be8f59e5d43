"""Smaller pipelines on disk: weights in half precision, and what two components have in common
stored once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from spacy_selectra.encoder.checkpoint import CONFIG_FILE, SHARED_WITH, WEIGHTS_FILE
from spacy_selectra.encoder.serialization import round_to_half
from spacy_selectra.util.files import read_json, write_json

if TYPE_CHECKING:
    from spacy.language import Language

# Below this share of a component's bytes its files had better stay complete.
WORTH_SHARING = 0.1


def round_pipeline_to_half(nlp: Language) -> None:
    """Round the weights of all encoders of a pipeline to half precision, in which they are then
    stored; computing goes on in whatever precision their components are set to.

    Raises:
        SelectraError: a weight that half precision cannot hold.
    """
    from spacy_selectra.components.model_component import ModelComponent
    from spacy_selectra.components.transformer.shim import SelectraShim

    for _, component in nlp.pipeline:
        if isinstance(component, ModelComponent):
            component.round_to_half()
            continue
        model: Any = getattr(component, "model", None)
        for layer in model.walk() if hasattr(model, "walk") else ():
            for shim in layer.shims:
                if isinstance(shim, SelectraShim):
                    round_to_half(shim.encoder)


def store_common_weights_once(pipeline: str | Path) -> None:
    """Leave out of each component's weights those that an earlier one (by name) holds as well.

    Only components that are directories in transformers' format take part. One that leaves
    weights out says in its `config.json` whose they are, and cannot be read without that one.

    Args:
        pipeline: directory of a saved pipeline; it is changed.
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
