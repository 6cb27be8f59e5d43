"""Models for fine-tuning: a pretrained encoder of any supported type with a head."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from spacy_selectra.encoder.checkpoint import (
    Classifier,
    load_task_model,
    read_checkpoint,
    save_model,
)
from spacy_selectra.encoder.config import DROPOUTS
from spacy_selectra.encoder.heads import Head, SequenceClassifier, SpanClassifier, TokenClassifier
from spacy_selectra.encoder.serialization import encoder_from_tensors
from spacy_selectra.encoder.transformers_models import TransformersTaskModel
from spacy_selectra.errors import SelectraError
from spacy_selectra.text.tokenizer import load_backend, load_tokenizer, without_batching
from spacy_selectra.util.files import atomic_directory, read_json

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TaskModel = Classifier | TransformersTaskModel

_OURS: dict[Head, Any] = {
    "classes": SequenceClassifier,
    "value": SequenceClassifier,
    "tags": TokenClassifier,
    "spans": SpanClassifier,
}
SUPPORTED = ("albert", "bert", "distilbert", "electra", "roberta")


def new_task_model(
    directory: Path, head: Head, outputs: Sequence[str], dropout: float | None = None
) -> TaskModel:
    """A pretrained encoder with a random head from torch's global generator.

    ELECTRA checkpoints use our network, all others transformers' model and head.

    Args:
        directory: of the encoder.
        head: kind of the head.
        outputs: names of the logits.
        dropout: on hidden states and attention in training; None keeps the checkpoint's.

    Raises:
        SelectraError: the model's type is not supported, or it cannot be read.
    """
    if model_type(directory) != "electra":
        return TransformersTaskModel.from_directory(directory, head, outputs, dropout)
    config, tensors = read_checkpoint(directory)
    if dropout is not None:
        config = {**config, **dict.fromkeys(DROPOUTS, dropout)}
    encoder = encoder_from_tensors(config, tensors)
    model = _OURS[head](encoder.config, outputs)
    model.encoder = encoder
    return model


def trained_task_model(directory: Path, head: Head) -> TaskModel:
    """A fine-tuned model with its head.

    Raises:
        SelectraError: it has no such head, or cannot be read.
    """
    if model_type(directory) == "electra":
        return load_task_model(_OURS[head], directory)
    named = read_json(directory / "config.json").get("id2label", {})
    labels = [named[index] for index in sorted(named, key=int)]
    return TransformersTaskModel.from_directory(directory, head, labels)


def save_task_model(model: TaskModel, directory: Path, tokenizer: Path) -> None:
    """Write a model in transformers' format, with its tokenizer.

    Args:
        model: the model.
        directory: output, written atomically.
        tokenizer: directory of the encoder from which it was trained.
    """
    with atomic_directory(directory) as temporary:
        if isinstance(model, TransformersTaskModel):
            model.save(temporary)
        else:
            save_model(model, temporary)
        load_tokenizer(tokenizer).save_pretrained(str(temporary))


def model_type(directory: Path) -> str:
    """The type in a model's `config.json`.

    Raises:
        SelectraError: there is none, or it is not supported.
    """
    kind = read_json(directory / "config.json").get("model_type")
    if kind not in SUPPORTED:
        raise SelectraError(
            f"{directory}: encoders of type '{kind}' cannot be fine-tuned here "
            f"(supported: {', '.join(SUPPORTED)})"
        )
    return kind


def task_tokenizer(directory: Path) -> Tokenizer:
    """The fast tokenizer of an encoder of any type, padding and truncation off.

    Raises:
        SelectraError: there is no tokenizer.
    """
    if any((directory / name).is_file() for name in ("tokenizer.json", "vocab.txt")):
        return load_backend(directory)
    # transformers converts the files of slow tokenizers
    return without_batching(load_tokenizer(directory).backend_tokenizer)


def forward_with_hidden(
    model: TaskModel, ids: Tensor, lengths: list[int], types: Tensor
) -> tuple[Tensor, Tensor]:
    """Logits of a packed batch, and the last hidden states.

    Returns:
        (R, outputs) and (R, H), with one row per sequence or per piece.
    """
    if isinstance(model, TransformersTaskModel):
        return model.with_hidden(ids, lengths, types)
    seen: list[Any] = []
    hook = model.encoder.register_forward_hook(lambda module, inputs, output: seen.append(output))
    try:
        logits = model(ids, lengths, types)
    finally:
        hook.remove()
    return logits, seen[-1]
