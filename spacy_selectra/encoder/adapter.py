"""Any transformers encoder behind the two calls of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spacy_selectra.encoder.packing import PackedLayout
from spacy_selectra.errors import SelectraError


class AdaptedEncoder(nn.Module):
    """A transformers model (BERT, RoBERTa, ALBERT, DistilBERT, ...) over packed batches.

    These models compute on padded rectangles, so a packed batch is unfolded and folded
    again; sort by length to keep the padding small.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.config = model.config

    @classmethod
    def from_directory(cls, directory: str | Path) -> AdaptedEncoder:
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
    ) -> AdaptedEncoder:
        """Build from the contents of `config.json` and weights, without random ones first.

        Raises:
            SelectraError: an unknown model type, or weights that do not fit.
        """
        from transformers import MODEL_MAPPING, AutoConfig

        values = dict(config)
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
            return torch.zeros((0, self.config.hidden_size), device=input_ids.device)
        ids, present, types = unpack(input_ids, layout, self.config.pad_token_id, type_ids)
        return self.forward_padded(ids, present.long(), types)[present]

    def forward_padded(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> Tensor:
        """(B, L) padded ids to (B, L, H), zeros where there is padding."""
        inputs = model_inputs(self.config, input_ids, attention_mask, token_type_ids)
        hidden = self.model(**inputs).last_hidden_state
        return hidden * (attention_mask != 0).unsqueeze(-1).to(hidden.dtype)


def unpack(
    input_ids: Tensor, layout: PackedLayout, pad_id: int | None, type_ids: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """A packed batch as a rectangle padded on the right.

    Args:
        input_ids: (T,).
        layout: of B sequences, the longest of L pieces.
        pad_id: what fills the rectangle, 0 if None.
        type_ids: (T,) or None.

    Returns:
        (B, L) ids, (B, L) bool of where there is a piece, and (B, L) segments or None.
    """
    sizes = torch.tensor(layout.lengths, device=input_ids.device)
    present = torch.arange(layout.longest, device=input_ids.device)[None, :] < sizes[:, None]
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
    """Arguments of a transformers model; segments only where it knows more than one."""
    inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
    if token_type_ids is not None and getattr(config, "type_vocab_size", 0) > 1:
        inputs["token_type_ids"] = token_type_ids
    return inputs
