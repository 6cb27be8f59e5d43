"""The ELECTRA encoder over packed sequences (Clark et al. 2020; a BERT encoder with factorised
embeddings). Read this first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.cpu.dropout import dropout
from spacy_selectra.encoder.cpu.inference import forget, inference_layer
from spacy_selectra.encoder.cpu.linear import few_sizes_pay, pad_rows
from spacy_selectra.encoder.cpu.training import LayerOptions, layer_function
from spacy_selectra.encoder.layout import PackedLayout
from spacy_selectra.encoder.packed_attention import (
    LayerOutputs,
    attention_with_weights,
    first_piece_attention,
    packed_attention,
    padding_cleared,
)
from spacy_selectra.errors import SelectraError


class Dropout(nn.Module):
    """Zeroes elements in training, each with `probability`, and scales the others up."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, values: Tensor) -> Tensor:
        """Any shape in, the same shape out."""
        on = self.training and self.probability > 0
        return dropout(values, self.probability) if on else values

    def extra_repr(self) -> str:
        """Shown by `print(module)`."""
        return f"p={self.probability}"


class Embeddings(nn.Module):
    """Sum of token, position and segment embeddings, normalised: (R,) ids to (R, E)."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width = config.embedding_size
        self.word_embeddings = nn.Embedding(
            config.vocab_size, width, padding_idx=config.pad_token_id
        )
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, width)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, width)
        self.layer_norm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.dropout = Dropout(config.hidden_dropout_prob)
        # optional lookup of token embeddings; pretraining installs `TiedEmbeddings`
        self.lookup: Callable[[Tensor], Tensor] | None = None

    def forward(self, input_ids: Tensor, layout: PackedLayout, type_ids: Tensor | None) -> Tensor:
        """Embed all rows of `layout`; without `type_ids` all belong to the first segment."""
        if type_ids is None:
            types = self.token_type_embeddings.weight[0]
        else:
            types = self.token_type_embeddings(type_ids)
        lookup = self.lookup or self.word_embeddings
        summed = types + lookup(input_ids)
        summed = summed + self.position_embeddings(layout.positions)
        return self.dropout(self.layer_norm(summed))


class Layer(nn.Module):
    """Attention and feed-forward, each with dropout, residual and LayerNorm: (R, H) to (R, H).

    Queries, keys and values are computed in one product.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.heads = config.num_attention_heads
        self.attention_dropout = config.attention_probs_dropout_prob
        self.qkv = nn.Linear(width, 3 * width)
        self.attention_output = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.intermediate = nn.Linear(width, config.intermediate_size)
        self.output = nn.Linear(config.intermediate_size, width)
        self.output_norm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.dropout = Dropout(config.hidden_dropout_prob)
        self.activation = activation(config.hidden_act)
        self.activation_name = config.hidden_act

    def train(self, mode: bool = True) -> Layer:
        """Turn dropout on or off; training deletes the weights cached for inference."""
        if mode:
            forget(self)
        return super().train(mode)

    def forward(self, hidden: Tensor, layout: PackedLayout) -> Tensor:
        """Transform all rows of `layout`."""
        if hidden.device.type == "cpu" and not torch.compiler.is_compiling():
            autocast = torch.is_autocast_enabled("cpu")
            dtype = torch.get_autocast_dtype("cpu") if autocast else hidden.dtype
            if not self.training and not torch.is_grad_enabled():
                return inference_layer(self, hidden, layout, dtype)
            options = self._options(dtype)
            return layer_function(hidden, layout, self.heads, options, self.weights())
        probability = self.attention_dropout if self.training else 0.0
        attended = packed_attention(self.qkv(hidden), layout, self.heads, probability)
        return self._after_attention(hidden, attended)

    def with_weights(self, hidden: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward`, slower, for (B, L, H) padded on the right; also returns attention weights.

        `present` is (B, L) bool, False for padding. See `attention_with_weights`.
        """
        probability = self.attention_dropout if self.training else 0.0
        attended, weights = attention_with_weights(
            self.qkv(hidden), present, self.heads, probability
        )
        return self._after_attention(hidden, attended), weights

    def _after_attention(self, hidden: Tensor, attended: Tensor) -> Tensor:
        attended = self.dropout(self.attention_output(attended))
        hidden = self.attention_norm(hidden + attended)
        expanded = self.activation(self.intermediate(hidden))
        return self.output_norm(hidden + self.dropout(self.output(expanded)))

    def first_pieces(self, hidden: Tensor, layout: PackedLayout) -> Tensor:
        """(R, H) to (B, H): `forward` for the rows `layout.first` only, without dropout.

        For other rows only keys and values are computed.
        """
        count, width = len(layout.first), hidden.shape[1]
        first = pad_rows(hidden[layout.first])
        weight, bias = self.qkv.weight, self.qkv.bias
        queries = F.linear(first, weight[:width], bias[:width])[:count]
        keys_values = F.linear(hidden, weight[width:], bias[width:])
        attended = pad_rows(first_piece_attention(queries, keys_values, layout, self.heads))
        middle = self.attention_norm(first + self.attention_output(attended))
        expanded = self.activation(self.intermediate(middle))
        return self.output_norm(middle + self.output(expanded))[:count]

    def weights(self) -> list[Tensor]:
        """Weight and bias of qkv (3H, H), attention output (H, H), its LayerNorm (H), intermediate
        (I, H), output (H, I) and its LayerNorm (H)."""
        first = (self.qkv, self.attention_output, self.attention_norm)
        parts = (*first, self.intermediate, self.output, self.output_norm)
        return [tensor for part in parts for tensor in (part.weight, part.bias)]

    def _options(self, dtype: torch.dtype) -> LayerOptions:
        return LayerOptions(
            dtype=dtype,
            activation=self.activation_name,
            eps=self.output_norm.eps,
            hidden_dropout=self.dropout.probability if self.training else 0.0,
            attention_dropout=self.attention_dropout if self.training else 0.0,
        )


class SelectraEncoder(nn.Module):
    """ELECTRA's encoder: piece ids to one vector per piece.

    Weights are initialised as in BERT and ELECTRA: normal with `initializer_range`, zero biases,
    LayerNorm as identity, the embedding of [PAD] zero.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        # a copy, because output options can be changed
        self.config = replace(config)
        self.embeddings = Embeddings(config)
        self.embeddings_project: nn.Linear | None = None
        if config.embedding_size != config.hidden_size:
            self.embeddings_project = nn.Linear(config.embedding_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.gradient_checkpointing = False
        initialise(self, config.initializer_range)

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.embeddings.word_embeddings.weight.device

    def layout(
        self, input_ids: Tensor, lengths: Sequence[int] | Tensor | PackedLayout
    ) -> PackedLayout:
        """Check `lengths` and return the layout of the batch.

        Raises:
            SelectraError: a sequence is longer than `max_position_embeddings`.
            ValueError: the sum of lengths is not the number of pieces, or a length is 0.
        """
        if not isinstance(lengths, PackedLayout):
            device = input_ids.device
            few_sizes = device.type == "cpu" and few_sizes_pay()
            lengths = PackedLayout.from_lengths(lengths, device, few_sizes)
        if lengths.total != input_ids.shape[0]:
            raise ValueError(
                f"lengths add up to {lengths.total}, but there are {input_ids.shape[0]} pieces"
            )
        longest = lengths.max_seqlen
        if longest > self.config.max_position_embeddings:
            raise SelectraError(
                f"a sequence of {longest} pieces is longer than this encoder's "
                f"{self.config.max_position_embeddings} positions; truncate or split it"
            )
        return lengths

    def forward(
        self,
        input_ids: Tensor,
        lengths: Sequence[int] | Tensor | PackedLayout,
        type_ids: Tensor | None = None,
        *,
        cls_only: bool = False,
    ) -> Tensor:
        """Encode a packed batch.

        Args:
            input_ids: (T,) int64, the concatenated pieces of all sequences.
            lengths: pieces of each of the B sequences, or their layout.
            type_ids: (T,) int64 segment of each piece; None for 0 everywhere.
            cls_only: return only the vectors of the first pieces ([CLS]), which saves most of the
                last layer's work if no gradient is needed.

        Returns:
            (T, H) or (B, H) float32, also under bf16 autocast, because the residual stream is in
            float32.

        Raises:
            SelectraError: a sequence is longer than `max_position_embeddings`.
            ValueError: the lengths do not fit the batch.
        """
        layout = self.layout(input_ids, lengths)
        if layout.total == 0:
            return self.embeddings.word_embeddings.weight.new_zeros((0, self.config.hidden_size))
        hidden = self._embedded(input_ids, layout, type_ids)
        spare = cls_only and not self.training and not torch.is_grad_enabled()
        for layer in self.layers[:-1] if spare else self.layers:
            if self.gradient_checkpointing and torch.is_grad_enabled():
                hidden = checkpoint(layer, hidden, layout, use_reentrant=False)
            else:
                hidden = layer(hidden, layout)
        if spare:
            last = self.layers[-1]
            assert isinstance(last, Layer)
            return last.first_pieces(hidden, layout)
        if cls_only:
            return hidden[layout.first]
        return hidden[: layout.total] if layout.rows > layout.total else hidden

    def layer_outputs(
        self, input_ids: Tensor, lengths: Sequence[int] | Tensor | PackedLayout
    ) -> LayerOutputs:
        """Encode a packed batch and return hidden states and attention weights of all layers.

        Slower than `forward`, which never stores attention weights. Arguments and errors are those
        of `forward`; the batch must not be empty.
        """
        layout = self.layout(input_ids, lengths)
        present = layout.present
        embedded = self._embedded(input_ids, layout, None)[: layout.total]
        hidden = embedded.new_zeros((*present.shape, embedded.shape[1]))
        hidden[present] = embedded
        hidden_states, attentions = [embedded], []
        for layer in self.layers:
            assert isinstance(layer, Layer)
            hidden, weights = layer.with_weights(hidden, present)
            hidden_states.append(hidden[present])
            attentions.append(padding_cleared(weights, present))
        return LayerOutputs(hidden_states[-1], hidden_states, attentions)

    def _embedded(self, input_ids: Tensor, layout: PackedLayout, type_ids: Tensor | None) -> Tensor:
        """(T,) to (R, H), the input of the first layer."""
        input_ids = _padded(input_ids, layout, self.config.pad_token_id)
        if type_ids is not None:
            type_ids = _padded(type_ids, layout, 0)
        hidden = self.embeddings(input_ids, layout, type_ids)
        if self.embeddings_project is not None:
            # autocast would make the residual stream bf16
            hidden = self.embeddings_project(hidden).to(hidden.dtype)
        return hidden

    def forward_padded(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> Tensor:
        """Encode a padded batch, with the arguments of transformers' models.

        Args:
            input_ids: (B, L) int64.
            attention_mask: (B, L), zero for padding, which must be on the right.
            token_type_ids: (B, L) int64 or None.

        Returns:
            (B, L, H), zeros for padding.

        Raises:
            ValueError: padding is not on the right.
        """
        present = attention_mask != 0
        lengths = present.sum(dim=1)
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        if not torch.equal(present, places[None, :] < lengths[:, None]):
            raise ValueError("forward_padded needs batches padded on the right")
        types = None if token_type_ids is None else token_type_ids[present]
        nonempty = lengths[lengths > 0]
        packed = self(input_ids[present], nonempty, types)
        padded = packed.new_zeros((*input_ids.shape, packed.shape[-1]))
        padded[present] = packed
        return padded


def _padded(values: Tensor, layout: PackedLayout, filling: int) -> Tensor:
    """(T,) to (R,)."""
    missing = layout.rows - layout.total
    return F.pad(values, (0, missing), value=filling) if missing else values


def activation(name: str) -> nn.Module:
    """The activation function of `EncoderConfig.hidden_act`."""
    if name == "gelu_new":
        return nn.GELU(approximate="tanh")
    return nn.ReLU() if name == "relu" else nn.GELU()


def initialise(module: nn.Module, deviation: float) -> None:
    """Initialise the weights of `module` as in BERT: normal, zero biases, identity LayerNorm."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, std=deviation)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.Embedding):
            nn.init.normal_(part.weight, std=deviation)
            if part.padding_idx is not None:
                with torch.no_grad():
                    part.weight[part.padding_idx].zero_()
        elif isinstance(part, nn.LayerNorm):
            nn.init.ones_(part.weight)
            nn.init.zeros_(part.bias)


__all__ = ["Dropout", "Embeddings", "Layer", "SelectraEncoder", "activation", "initialise"]
