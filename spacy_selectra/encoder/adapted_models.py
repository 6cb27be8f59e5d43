"""transformers' own models with a head (BERT, RoBERTa, ALBERT, DistilBERT, ...) over packed
batches, so that each encoder is fine-tuned with the head it is always compared with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from spacy_selectra.encoder.adapter import model_inputs, unpack
from spacy_selectra.encoder.config import DROPOUTS
from spacy_selectra.encoder.models import Lengths
from spacy_selectra.encoder.packing import PackedLayout
from spacy_selectra.errors import SelectraError
from spacy_selectra.files import atomic_directory, read_json

Kind = Literal["sequence", "token", "span"]


class AdaptedModel(nn.Module):
    """A transformers model for sequences, tokens or spans, called as ours are.

    Args:
        model: the transformers model.
        kind: what it classifies.
        labels: names of the classes, in the order of the logits.
    """

    def __init__(self, model: Any, kind: Kind, labels: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        self.kind: Kind = kind
        self.labels = list(labels)
        self.config = model.config

    @classmethod
    def from_directory(
        cls,
        directory: str | Path,
        kind: Kind,
        labels: Sequence[str],
        dropout: float | None = None,
    ) -> AdaptedModel:
        """Read a model with safetensors weights; a head it lacks is drawn at random.

        Args:
            directory: of the model.
            kind: what is classified.
            labels: names of the classes, in the order of the logits.
            dropout: on hidden states and attention in training; None leaves it as stored.

        Raises:
            SelectraError: transformers cannot read the directory, or has no such head for it.
        """
        import transformers

        auto: Any = {
            "sequence": transformers.AutoModelForSequenceClassification,
            "token": transformers.AutoModelForTokenClassification,
            "span": transformers.AutoModelForQuestionAnswering,
        }[kind]
        changes: dict[str, Any] = {} if kind == "span" else _names(labels)
        if dropout is not None:
            changes |= dict.fromkeys(_dropouts(Path(directory)), dropout)
        try:
            with _silenced():
                # a head of another task is replaced, whatever its size
                model = auto.from_pretrained(
                    str(directory), use_safetensors=True, ignore_mismatched_sizes=True, **changes
                )
        except (OSError, ValueError, KeyError) as error:
            raise SelectraError(f"{directory}: {error}") from error
        return cls(model.float(), kind, labels)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    def forward(
        self, input_ids: Tensor, lengths: Lengths, type_ids: Tensor | None = None
    ) -> Tensor:
        """(T,) packed ids to (B, labels) logits of sequences, (T, labels) of tokens or (T, 2)
        of spans."""
        layout = lengths
        if not isinstance(layout, PackedLayout):
            layout = PackedLayout.from_lengths(layout, input_ids.device)
        ids, present, types = unpack(input_ids, layout, self.config.pad_token_id, type_ids)
        output = self.model(**model_inputs(self.config, ids, present.long(), types))
        if self.kind == "sequence":
            return output.logits
        if self.kind == "token":
            return output.logits[present]
        return torch.stack([output.start_logits[present], output.end_logits[present]], dim=1)

    def save(self, directory: str | Path) -> None:
        """Write the model in transformers' format, safetensors only."""
        with atomic_directory(directory) as temporary:
            self.model.save_pretrained(str(temporary), safe_serialization=True)


def _names(labels: Sequence[str]) -> dict[str, dict[Any, Any]]:
    return {
        "id2label": dict(enumerate(labels)),
        "label2id": {label: number for number, label in enumerate(labels)},
    }


def _dropouts(directory: Path) -> tuple[str, ...]:
    """What a model's configuration calls its dropouts."""
    if read_json(directory / "config.json").get("model_type") == "distilbert":
        return ("dropout", "attention_dropout", "seq_classif_dropout", "qa_dropout")
    return DROPOUTS


@contextmanager
def _silenced() -> Iterator[None]:
    """No warning that a head is new: that is the point."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


__all__ = ["AdaptedModel", "Kind"]
