"""transformers' models (BERT, RoBERTa, ALBERT, DistilBERT, ...) for packed batches, with or
without a head.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spacy_selectra.encoder.config import DROPOUTS
from spacy_selectra.encoder.heads import Head, Lengths
from spacy_selectra.encoder.layout import PackedLayout
from spacy_selectra.encoder.packed_attention import LayerOutputs, padding_cleared
from spacy_selectra.errors import SelectraError
from spacy_selectra.util.files import atomic_directory, read_json

# Batches of more padded pieces are computed in parts of similar lengths: with one long text among
# many short ones, most of the memory of training would go to padding.
_PADDED_AT_ONCE = 4096
_SHORTEST_IN_PART = 0.5  # of a part's longest sequence


class TransformersEncoder(nn.Module):
    """A transformers model (BERT, RoBERTa, ALBERT, DistilBERT, ...) for packed batches.

    These models need padded batches, so packed batches are padded and unpadded again; sort by
    length to keep the padding small.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.config = model.config

    @classmethod
    def from_directory(cls, directory: str | Path) -> TransformersEncoder:
        """Read a model with safetensors weights through transformers' AutoModel.

        Raises:
            SelectraError: transformers cannot read the directory.
        """
        from transformers import AutoModel

        try:
            model = AutoModel.from_pretrained(str(directory), use_safetensors=True)
        except (OSError, ValueError, KeyError) as error:
            raise SelectraError(f"{directory}: {error}") from error
        return cls(model).eval()

    @classmethod
    def from_tensors(
        cls, config: Mapping[str, Any], tensors: Mapping[str, Tensor]
    ) -> TransformersEncoder:
        """From the content of `config.json` and weights, without initialising random ones.

        Raises:
            SelectraError: an unknown model type, or weights that do not fit.
        """
        from transformers import MODEL_MAPPING, AutoConfig

        values = dict(config)
        if values.get("output_attentions"):
            values["attn_implementation"] = "eager"  # others do not return attention weights
        try:
            parsed = AutoConfig.for_model(values.pop("model_type"), **values)
            kind: Any = MODEL_MAPPING[type(parsed)]
            model, report = kind.from_pretrained(
                None, config=parsed, state_dict=dict(tensors), output_loading_info=True
            )
        except (ValueError, KeyError, RuntimeError) as error:
            raise SelectraError(f"weights do not fit the model's configuration: {error}") from error
        if problems := [*report["missing_keys"], *report["unexpected_keys"]]:
            raise SelectraError(
                f"weights do not fit the model's configuration: {', '.join(problems[:5])}"
            )
        return cls(model).eval()

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    def forward(
        self,
        input_ids: Tensor,
        lengths: Sequence[int] | Tensor | PackedLayout,
        type_ids: Tensor | None = None,
    ) -> Tensor:
        """(T,) packed ids to (T, H), as `SelectraEncoder.forward`."""
        layout = lengths
        if not isinstance(layout, PackedLayout):
            layout = PackedLayout.from_lengths(layout, input_ids.device)
        if layout.total == 0:
            return torch.zeros(
                (0, self.config.hidden_size), dtype=torch.float32, device=input_ids.device
            )
        (hidden,) = in_parts(self._one_part, input_ids, layout, type_ids)
        return hidden

    def _one_part(
        self, input_ids: Tensor, layout: PackedLayout, type_ids: Tensor | None
    ) -> tuple[Tensor]:
        ids, present, types = unpack(input_ids, layout, self.config.pad_token_id, type_ids)
        return (self.forward_padded(ids, present.long(), types)[present],)

    def layer_outputs(
        self, input_ids: Tensor, lengths: Sequence[int] | Tensor | PackedLayout
    ) -> LayerOutputs:
        """As `SelectraEncoder.layer_outputs`, with only the outputs that the model's configuration
        turns on."""
        layout = lengths
        if not isinstance(layout, PackedLayout):
            layout = PackedLayout.from_lengths(layout, input_ids.device)
        ids, present, types = unpack(input_ids, layout, self.config.pad_token_id, None)
        output = self.model(**model_inputs(self.config, ids, present.long(), types))
        return LayerOutputs(
            output.last_hidden_state[present],
            [states[present] for states in output.hidden_states or ()],
            [padding_cleared(weights, present) for weights in output.attentions or ()],
        )

    def forward_padded(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> Tensor:
        """(B, L) padded ids to (B, L, H), zeros for padding."""
        inputs = model_inputs(self.config, input_ids, attention_mask, token_type_ids)
        hidden = self.model(**inputs).last_hidden_state
        return hidden * (attention_mask != 0).unsqueeze(-1).to(hidden.dtype)


def parts_of_similar_length(lengths: Sequence[int]) -> list[list[int]]:
    """The numbers of all sequences, in parts that need little padding; in one if all are short.

    Args:
        lengths: pieces of each sequence.
    """
    if not lengths or len(lengths) * max(lengths) <= _PADDED_AT_ONCE:
        return [list(range(len(lengths)))]
    parts: list[list[int]] = []
    longest = 0
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if not parts or lengths[index] < _SHORTEST_IN_PART * longest:
            parts.append([])
            longest = lengths[index]
        parts[-1].append(index)
    return parts


def in_parts(
    compute: Callable[[Tensor, PackedLayout, Tensor | None], tuple[Tensor, ...]],
    input_ids: Tensor,
    layout: PackedLayout,
    type_ids: Tensor | None,
    *,
    of_sequences: bool = False,
) -> tuple[Tensor, ...]:
    """What `compute` gives for a batch, computed in parts that need little padding.

    Args:
        compute: from (T,) ids, their layout and (T,) segments or None to tensors with a row for
            each piece, or for each sequence.
        input_ids: (T,).
        layout: of the batch.
        type_ids: (T,) or None.
        of_sequences: whether rows are sequences.
    """
    parts = parts_of_similar_length(layout.lengths)
    if len(parts) == 1:
        return compute(input_ids, layout, type_ids)
    pieces = torch.arange(len(input_ids), device=input_ids.device).split(layout.lengths)
    results, rows = [], []
    for part in parts:
        taken = torch.cat([pieces[index] for index in part])
        sizes = [layout.lengths[index] for index in part]
        types = None if type_ids is None else type_ids[taken]
        inner = PackedLayout.from_lengths(sizes, input_ids.device)
        results.append(compute(input_ids[taken], inner, types))
        rows.append(torch.tensor(part, device=taken.device) if of_sequences else taken)
    order = torch.cat(rows).argsort()
    return tuple(torch.cat(each)[order] for each in zip(*results, strict=True))


def unpack(
    input_ids: Tensor, layout: PackedLayout, pad_id: int | None, type_ids: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Pad a packed batch on the right.

    Args:
        input_ids: (T,).
        layout: of B sequences, the longest of L pieces.
        pad_id: id of padding, 0 if None.
        type_ids: (T,) or None.

    Returns:
        (B, L) ids, (B, L) bool (False for padding), and (B, L) segments or None.
    """
    present = layout.present
    ids = input_ids.new_full(present.shape, pad_id or 0)
    ids[present] = input_ids
    types = None
    if type_ids is not None:
        types = torch.zeros_like(ids)
        types[present] = type_ids
    return ids, present, types


def model_inputs(
    config: Any, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None
) -> dict[str, Tensor]:
    """Arguments of a transformers model; segments only if it has more than one type."""
    inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
    if token_type_ids is not None and getattr(config, "type_vocab_size", 0) > 1:
        inputs["token_type_ids"] = token_type_ids
    return inputs


# transformers' models with a head, so that each encoder is fine-tuned with its usual head.


class TransformersTaskModel(nn.Module):
    """A transformers model with a head, with the interface of our models.

    Args:
        model: the transformers model.
        head: what it predicts.
        labels: names of the classes, in the order of the logits.
    """

    def __init__(self, model: Any, head: Head, labels: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        self.head: Head = head
        self.labels = list(labels)
        self.config = model.config

    @classmethod
    def from_directory(
        cls,
        directory: str | Path,
        head: Head,
        labels: Sequence[str],
        dropout: float | None = None,
    ) -> TransformersTaskModel:
        """Read a model with safetensors weights; a missing head gets random weights.

        Args:
            directory: of the model.
            head: kind of the head.
            labels: names of the classes, in the order of the logits.
            dropout: on hidden states and attention in training; None keeps the checkpoint's.

        Raises:
            SelectraError: transformers cannot read the directory, or has no such head for it.
        """
        import transformers

        auto: Any = {
            "classes": transformers.AutoModelForSequenceClassification,
            "value": transformers.AutoModelForSequenceClassification,
            "tags": transformers.AutoModelForTokenClassification,
            "spans": transformers.AutoModelForQuestionAnswering,
        }[head]
        changes: dict[str, Any] = {} if head == "spans" else _names(labels)
        if dropout is not None:
            changes |= dict.fromkeys(_dropouts(Path(directory)), dropout)
        try:
            with _silenced():
                # replace the head of another task, whatever its size
                model = auto.from_pretrained(
                    str(directory), use_safetensors=True, ignore_mismatched_sizes=True, **changes
                )
        except (OSError, ValueError, KeyError) as error:
            raise SelectraError(f"{directory}: {error}") from error
        return cls(model.float(), head, labels)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    def forward(
        self, input_ids: Tensor, lengths: Lengths, type_ids: Tensor | None = None
    ) -> Tensor:
        """(T,) packed ids to (B, labels) logits of sequences, (T, labels) of tokens or (T, 2)
        of spans."""
        return self.with_hidden(input_ids, lengths, type_ids)[0]

    def with_hidden(
        self, input_ids: Tensor, lengths: Lengths, type_ids: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The logits of `forward` and the last hidden states, (B, H) of the first piece of
        sequences or (T, H)."""
        layout = lengths
        if not isinstance(layout, PackedLayout):
            layout = PackedLayout.from_lengths(layout, input_ids.device)
        logits, hidden = in_parts(
            self._one_part, input_ids, layout, type_ids, of_sequences=self._of_sequences
        )
        return logits, hidden

    @property
    def _of_sequences(self) -> bool:
        return self.head in ("classes", "value")

    def _one_part(
        self, input_ids: Tensor, layout: PackedLayout, type_ids: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        ids, present, types = unpack(input_ids, layout, self.config.pad_token_id, type_ids)
        seen: list[Tensor] = []
        hook = self.model.base_model.register_forward_hook(
            lambda module, inputs, output: seen.append(output.last_hidden_state)
        )
        try:
            output = self.model(**model_inputs(self.config, ids, present.long(), types))
        finally:
            hook.remove()
        if self._of_sequences:
            return output.logits, seen[0][:, 0]
        if self.head == "spans":
            logits = torch.stack([output.start_logits[present], output.end_logits[present]], dim=1)
        else:
            logits = output.logits[present]
        return logits, seen[0][present]

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
    """Names of the dropout settings in a model's configuration."""
    if read_json(directory / "config.json").get("model_type") == "distilbert":
        return ("dropout", "attention_dropout", "seq_classif_dropout", "qa_dropout")
    return DROPOUTS


@contextmanager
def _silenced() -> Iterator[None]:
    """Suppress transformers' warning about a new head, which is intended."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)
