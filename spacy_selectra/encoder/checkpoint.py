"""Saving and loading models in transformers' ELECTRA format, with safetensors weights only."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.heads import (
    Discriminator,
    Generator,
    SequenceClassifier,
    SpanClassifier,
    TokenClassifier,
)
from spacy_selectra.encoder.serialization import (
    assign,
    encoder_state,
    encoder_to_transformers,
    exact_type,
    in_full_precision,
    stored_tensor,
)
from spacy_selectra.errors import SelectraError
from spacy_selectra.util.files import atomic_directory, read_json, refuse_pointer, write_json

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
# Key in `config.json`: a directory with the same parent that has the missing weights.
SHARED_WITH = "weights_shared_with"

# Heads: our names, transformers' names. The generator's output layer is the tied token
# embedding; transformers stores it under a second name or not at all.
_HEADS: dict[type[nn.Module], dict[str, str]] = {
    Discriminator: {"head.": "discriminator_predictions."},
    Generator: {
        "head.layer_norm.": "generator_predictions.LayerNorm.",
        "head.dense.": "generator_predictions.dense.",
        "head.bias": "generator_lm_head.bias",
    },
    SequenceClassifier: {"head.": "classifier."},
    TokenClassifier: {"head.": "classifier."},
    SpanClassifier: {"head.": "qa_outputs."},
}
_ARCHITECTURES = {
    Discriminator: "ElectraForPreTraining",
    Generator: "ElectraForMaskedLM",
    SequenceClassifier: "ElectraForSequenceClassification",
    TokenClassifier: "ElectraForTokenClassification",
    SpanClassifier: "ElectraForQuestionAnswering",
}
Classifier = SequenceClassifier | TokenClassifier | SpanClassifier
Model = Discriminator | Generator | Classifier
ClassifierT = TypeVar("ClassifierT", SequenceClassifier, TokenClassifier, SpanClassifier)


def save_model(
    model: Model,
    directory: str | Path,
    tokenizer: str | Path | None = None,
    dtype: torch.dtype | None = None,
) -> None:
    """Write `config.json` and `model.safetensors` (and the tokenizer), replacing the directory.

    Args:
        model: discriminator, generator or classifier.
        directory: output, written atomically.
        tokenizer: tokenizer directory whose files are copied as well.
        dtype: type of the stored weights; None keeps their type, or uses float16 if that is exact.

    Raises:
        SelectraError: the directory cannot be written.
    """
    tensors = model_tensors(model)
    dtype = dtype or exact_type(tensors.values())
    with atomic_directory(directory) as temporary:
        if tokenizer is not None:
            for path in sorted(Path(tokenizer).iterdir()):
                if path.is_file() and path.name not in (CONFIG_FILE, WEIGHTS_FILE):
                    shutil.copyfile(path, temporary / path.name)
        write_json(temporary / CONFIG_FILE, transformers_config(model, dtype))
        write_weights(tensors, temporary, directory, dtype)


def write_weights(
    tensors: Mapping[str, Tensor],
    temporary: Path,
    directory: str | Path,
    dtype: torch.dtype | None = None,
) -> None:
    """Write `model.safetensors`.

    Args:
        tensors: weights by transformers' names, on any device.
        temporary: directory to write to.
        directory: final path, for error messages.
        dtype: type of the stored weights; None keeps their type.

    Raises:
        SelectraError: the file cannot be written.
    """
    stored = {name: stored_tensor(tensor, dtype) for name, tensor in tensors.items()}
    try:
        save_file(stored, temporary / WEIGHTS_FILE, metadata={"format": "pt"})
    except SafetensorError as error:
        raise SelectraError(f"{directory}: could not be written ({error})") from error


def transformers_config(model: Model, dtype: torch.dtype | None = None) -> dict[str, Any]:
    """Content of the model's `config.json`."""
    stored = dtype or next(model.parameters()).dtype
    config: dict[str, Any] = {
        "architectures": [_ARCHITECTURES[type(model)]],
        "model_type": "electra",
        **model.config.to_dict(),
        "torch_dtype": str(stored).removeprefix("torch."),
    }
    if isinstance(model, (SequenceClassifier, TokenClassifier)):
        config["id2label"] = {str(index): label for index, label in enumerate(model.labels)}
        config["label2id"] = {label: index for index, label in enumerate(model.labels)}
    return config


def model_tensors(model: Model) -> dict[str, Tensor]:
    """All weights by transformers' names."""
    encoder = encoder_to_transformers(model.encoder.state_dict())
    tensors = {f"electra.{name}": tensor for name, tensor in encoder.items()}
    for name, tensor in model.state_dict().items():
        if name.startswith("head."):
            tensors[_rename_head(type(model), name)] = tensor
    return tensors


def load_discriminator(directory: str | Path) -> Discriminator:
    """Read an ELECTRA discriminator.

    Raises:
        SelectraError: no such model, a missing head or weight, or wrong shapes.
    """
    config, tensors = read_checkpoint(directory)
    with torch.device("meta"):
        model = Discriminator(EncoderConfig.from_dict(config))
    return _fill(model, tensors, directory)


def load_generator(directory: str | Path) -> Generator:
    """Read an ELECTRA generator (masked language model); errors as `load_discriminator`."""
    config, tensors = read_checkpoint(directory)
    with torch.device("meta"):
        model = Generator(EncoderConfig.from_dict(config))
    return _fill(model, tensors, directory)


def load_classifier(
    directory: str | Path, labels: Sequence[str] | None = None
) -> SequenceClassifier:
    """Read an ELECTRA sequence classifier; `labels` replaces the names in `config.json`.

    Raises:
        SelectraError: as `load_discriminator`, or the number of labels does not fit.
    """
    return load_task_model(SequenceClassifier, directory, labels)


def load_task_model(
    kind: type[ClassifierT], directory: str | Path, labels: Sequence[str] | None = None
) -> ClassifierT:
    """Read an ELECTRA classifier of sequences, pieces or spans, as `load_classifier`."""
    config, tensors = read_checkpoint(directory)
    if labels is None:
        named: Mapping[str, str] = config.get("id2label", {})
        labels = [named[index] for index in sorted(named, key=int)] or SpanClassifier.labels
    with torch.device("meta"):
        model = kind(EncoderConfig.from_dict(config), labels)
    return _fill(model, tensors, directory)


def read_checkpoint(directory: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """`config.json` and all tensors (float32, transformers' names) of a model directory.

    Raises:
        SelectraError: a file is missing or damaged, or there are only pickled weights.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise SelectraError(f"{directory}: no such model directory")
    config = read_json(directory / CONFIG_FILE)
    index = directory / f"{WEIGHTS_FILE}.index.json"
    if index.is_file():
        files = sorted(set(read_json(index)["weight_map"].values()))
    else:
        files = [WEIGHTS_FILE]
    tensors: dict[str, Tensor] = {}
    for name in files:
        tensors.update(_read_weights(directory, name))
    if (other := config.pop(SHARED_WITH, None)) is not None:
        if Path(other).name != other or other == "..":
            raise SelectraError(f"{directory}: the directory '{other}' with its weights is missing")
        tensors = {**_read_weights(directory.parent / other, WEIGHTS_FILE), **tensors}
    return config, in_full_precision(tensors)


def _read_weights(directory: Path, name: str) -> dict[str, Tensor]:
    if not (directory / name).is_file():
        raise SelectraError(_missing_weights(directory, name))
    refuse_pointer(directory / name)
    try:
        return load_file(directory / name)
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise SelectraError(f"{directory / name}: damaged weights ({error})") from error


def _fill(model: Any, tensors: Mapping[str, Tensor], source: str | Path) -> Any:
    bare = {name.removeprefix("electra."): tensor for name, tensor in tensors.items()}
    inner = encoder_state(model.encoder, bare, source)
    state = {f"encoder.{name}": tensor for name, tensor in inner.items()}
    for name in model.state_dict():
        if name.startswith("head."):
            theirs = _rename_head(type(model), name)
            if theirs not in tensors:
                raise SelectraError(
                    f"{source}: no weight '{theirs}'; this is not an "
                    f"{_ARCHITECTURES[type(model)]} checkpoint"
                )
            state[name] = tensors[theirs]
    assign(model, state, source)
    return model.eval()


def _rename_head(kind: type[nn.Module], name: str) -> str:
    for ours, theirs in _HEADS[kind].items():
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    raise KeyError(name)


def _missing_weights(directory: Path, name: str) -> str:
    if (directory / "pytorch_model.bin").is_file():
        return (
            f"{directory}: weights only as pytorch_model.bin, a pickle, which is never loaded. "
            'Convert it once if you trust it: python -c "from transformers import AutoModel; '
            f"AutoModel.from_pretrained('{directory}').save_pretrained('OUT')\""
        )
    return f"{directory / name}: no such file"
