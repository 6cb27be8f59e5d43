"""thinc shim of the torch encoder: forward, backward, update and serialisation."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from thinc.api import Optimizer, get_torch_default_device, torch2xp, xp2torch
from thinc.shims import Shim
from torch import Tensor

from spacy_selectra.components.model_component import use_one_thread_if_forked
from spacy_selectra.components.optimizer import LayerwiseAdam
from spacy_selectra.components.transformer.batch import LayerArrays
from spacy_selectra.components.transformer.windows import PackedWindows
from spacy_selectra.encoder.config import OUTPUTS
from spacy_selectra.encoder.cpu.inference import forget
from spacy_selectra.encoder.cpu.memory import return_freed_memory
from spacy_selectra.encoder.hub import load_encoder, resolve_model
from spacy_selectra.encoder.precision import precision
from spacy_selectra.encoder.predict import packed_batches
from spacy_selectra.encoder.serialization import (
    as_encoder,
    encoder_from_tensors,
    encoder_tensors,
    packed_encoder,
    stored_config,
    unpacked_encoder,
)
from spacy_selectra.errors import SelectraError
from spacy_selectra.text.encode import (
    PieceTokenizer,
    load_pieces,
    pieces_like,
    transformers_tokenizer,
)
from spacy_selectra.text.spellings import Spellings, spanish_spellings

# Number of encoded pieces after which freed memory is returned to the system. To encode these takes
# a second or more, to return memory milliseconds.
_PIECES_BETWEEN_RETURNS = 1 << 14
# Settings that change how transformers' models are called or computed, without effect here.
_WITHOUT_EFFECT = ("return_dict", "torchscript", "use_cache", "chunk_size_feed_forward")


@dataclass
class EncoderOptions:
    """Settings of an encoder.

    Attributes:
        tokenizer_config: passed to `AutoTokenizer.from_pretrained`.
        transformer_config: replaces entries of the model's configuration.
        precision: "fp32", "fast", "bf16", "auto" or "int8", see `encoder.precision`.
        max_batch_pieces: maximum pieces per forward pass.
    """

    tokenizer_config: Mapping[str, Any]
    transformer_config: Mapping[str, Any]
    precision: str
    max_batch_pieces: int


class SelectraShim(Shim):
    """Encoder and tokenizer; both None until `load` or `from_bytes`."""

    def __init__(self, options: EncoderOptions) -> None:
        super().__init__(None)
        self.options = options
        self.tokenizer: PieceTokenizer | None = None
        self._for_transformers: Any = None
        self.own_spellings: Spellings | None = None
        self.truncation_announced = False
        self.restored = False  # loaded by `from_bytes`, not from a model directory
        self._since_return = 0

    @property
    def loaded(self) -> bool:
        """Whether weights are loaded."""
        return self._model is not None

    @property
    def encoder(self) -> Any:
        """The torch module.

        Raises:
            SelectraError: nothing is loaded.
        """
        if self._model is None:
            raise SelectraError(
                "the transformer has no weights yet: call nlp.initialize(), or load a "
                "trained pipeline from disk"
            )
        return self._model

    @property
    def pieces(self) -> PieceTokenizer:
        """The tokenizer; raises as `encoder`."""
        if self.tokenizer is None:
            _ = self.encoder
        assert self.tokenizer is not None
        if self._for_transformers is not None:  # users may change its limit at any time
            self.tokenizer.max_length = self._for_transformers.model_max_length
        return self.tokenizer

    @property
    def for_transformers(self) -> Any:
        """The tokenizer as one of transformers; raises as `encoder`. Of its settings, only changes
        of `model_max_length` apply here."""
        if self._for_transformers is None:
            self._for_transformers = transformers_tokenizer(self.pieces)
        return self._for_transformers

    @property
    def spellings(self) -> Spellings:
        """Usual spellings of words: the pipeline's list, or the library's."""
        return self.own_spellings or spanish_spellings()

    @property
    def width(self) -> int:
        """H, the hidden size."""
        return int(self.encoder.config.hidden_size)

    def load(self, name: str | None) -> None:
        """Load encoder and tokenizer from a directory or the hub.

        Raises:
            SelectraError: no name, no such model, or settings that do not apply.
        """
        if not name:
            raise SelectraError(
                "the transformer has no encoder to start from: set "
                "[components.transformer.model] name to a model directory or hub id"
            )
        source = resolve_model(name)
        encoder = load_encoder(source)
        encoder = _with_config(encoder, self.options.transformer_config)
        self._for_transformers = None
        self.tokenizer = load_pieces(source, self.options.tokenizer_config, encoder.config)
        self._model = encoder.to(get_torch_default_device())

    def take(self, network: Any, tokenizer: Any) -> None:
        """Use a network and a tokenizer of transformers, or our encoder.

        Raises:
            SelectraError: a tokenizer without a fast backend, or an unsupported variant of ELECTRA.
        """
        encoder = as_encoder(network)
        self._for_transformers = None
        self.tokenizer = pieces_like(tokenizer, encoder.config)
        self._model = encoder.to(get_torch_default_device())

    def __call__(
        self, windows: PackedWindows, is_train: bool, layers: LayerArrays | None = None
    ) -> tuple[Tensor, Callable[[Tensor], None]]:
        """Encode windows to (cells, H), and return a callback for its gradient.

        `layers` stores hidden states and attention weights, if requested.
        """
        use_one_thread_if_forked()
        layers = layers or LayerArrays(windows)
        encoder = self.encoder
        encoder.train(is_train)
        if is_train:
            return self._forward_with_gradient(windows, layers)
        # not `inference_mode`, since callers may train on top of the output
        with torch.no_grad(), precision(self.options.precision, encoder.device):
            return self._gather(windows, self._outputs(windows, layers)), _no_gradient

    def _forward_with_gradient(
        self, windows: PackedWindows, layers: LayerArrays
    ) -> tuple[Tensor, Callable[[Tensor], None]]:
        device = self.encoder.device
        with torch.enable_grad(), precision(self.options.precision, device):
            outputs = list(self._outputs(windows, layers))
        hidden = self._gather(windows, ((cells, out.detach()) for cells, out in outputs))

        def backprop(gradient: Tensor) -> None:
            gradient = gradient.to(device)
            tensors = [out for _, out in outputs]
            with precision(self.options.precision, device):
                torch.autograd.backward(tensors, [gradient[cells] for cells, _ in outputs])

        return hidden, backprop

    def _outputs(
        self, windows: PackedWindows, layers: LayerArrays
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Cells and vectors of batches of windows with similar length."""
        encoder = self.encoder
        begins = np.cumsum(windows.lengths) - windows.lengths
        for batch in packed_batches(
            begins[:, None], windows.lengths[:, None], self.options.max_batch_pieces
        ):
            ids = torch.from_numpy(windows.ids[batch.rows]).to(encoder.device)
            cells = torch.from_numpy(windows.cells[batch.rows]).to(encoder.device)
            if layers.wanted:
                outputs = encoder.layer_outputs(ids, batch.lengths)
                layers.add(outputs, batch.members, batch.rows)
                yield cells, outputs.last
            else:
                yield cells, encoder(ids, batch.lengths)

    def _gather(self, windows: PackedWindows, outputs: Any) -> Tensor:
        padded = windows.n_cells > len(windows.ids)
        allocate = torch.zeros if padded else torch.empty
        shape = (windows.n_cells, self.width)
        # thinc works in float32, independent of torch's default
        hidden = allocate(shape, dtype=torch.float32, device=self.encoder.device)
        for cells, vectors in outputs:
            hidden[cells] = vectors.float()
            self._since_return += len(cells)
            if self._since_return >= _PIECES_BETWEEN_RETURNS and not torch.is_grad_enabled():
                del cells, vectors
                return_freed_memory()
                self._since_return = 0
        return hidden

    def finish_update(self, optimizer: Optimizer) -> None:
        """Update the weights with the accumulated gradients, and clear these."""
        if self._model is None:
            return
        forget(self._model)
        if isinstance(optimizer, LayerwiseAdam):
            optimizer.step_module(self.id, self._model)
            return
        for name, parameter in self._model.named_parameters():
            if parameter.grad is None:
                continue
            data: Any = torch2xp(parameter.data)
            gradient: Any = torch2xp(parameter.grad)
            stepped, _ = optimizer((self.id, name), data, gradient)
            # thinc works in place on CPU, but optimizers may return a new array
            _overwrite(parameter, xp2torch(stepped, device=parameter.device))
            parameter.grad = None

    @contextmanager
    def use_params(self, params: Mapping[Any, Any]) -> Iterator[None]:
        """Context with the averaged weights that an optimizer stores under our keys."""
        if self._model is None:
            yield
            return
        replaced = [
            (parameter, params[self.id, name])
            for name, parameter in self._model.named_parameters()
            if (self.id, name) in params
        ]
        backup = [parameter.data.clone() for parameter, _ in replaced]
        forget(self._model)
        for parameter, average in replaced:
            _overwrite(parameter, xp2torch(average, device=parameter.device))
        try:
            yield
        finally:
            for (parameter, _), weights in zip(replaced, backup, strict=True):
                _overwrite(parameter, weights)
            forget(self._model)

    def copy(self) -> SelectraShim:
        """An independent copy with a new id, so that optimizers distinguish them."""
        copied = SelectraShim(copy.deepcopy(self.options))
        copied.tokenizer = None if self.tokenizer is None else copy.copy(self.pieces)
        copied.own_spellings = self.own_spellings
        copied._model = copy.deepcopy(self._model)
        copied.truncation_announced = self.truncation_announced
        copied.restored = self.restored
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> SelectraShim:
        return self.copy()

    def to_device(self, device_type: str, device_id: int) -> None:
        """Move to "cpu" or "gpu" with this index."""
        device = "cpu" if device_type == "cpu" else f"cuda:{device_id}"
        if self._model is not None:
            self._model.to(device)

    def to_bytes(self) -> bytes:
        """A safetensors file of weights, configuration and tokenizer (see `packed_encoder`);
        empty if nothing is loaded."""
        if self._model is None:
            return b""
        about = self.pieces.to_dict()
        if self.own_spellings is not None:
            about["spellings"] = self.own_spellings.words
        return packed_encoder(self._model, about)

    def from_bytes(self, data: bytes) -> SelectraShim:
        """Load the result of `to_bytes`.

        Raises:
            SelectraError: invalid or damaged data.
        """
        if not data:
            return self
        encoder, tokenizer = unpacked_encoder(data)
        # requested outputs do not depend on training, so the configuration may add some
        changes = self.options.transformer_config
        encoder = _with_config(encoder, {key: True for key in OUTPUTS if changes.get(key)})
        self._for_transformers = None
        self.tokenizer = PieceTokenizer.from_dict(tokenizer)
        words = tokenizer.get("spellings")
        self.own_spellings = None if words is None else Spellings(words)
        self._model = encoder.to(get_torch_default_device())
        self.restored = True
        return self


def _with_config(encoder: Any, changes: Mapping[str, Any]) -> Any:
    """The same weights with a changed configuration, such as dropout."""
    changes = {key: value for key, value in changes.items() if key not in _WITHOUT_EFFECT}
    if not changes:
        return encoder
    config = stored_config(encoder)
    if unknown := sorted(set(changes) - set(config) - set(OUTPUTS)):
        raise SelectraError(f"transformer_config: this encoder does not know {', '.join(unknown)}")
    return encoder_from_tensors({**config, **changes}, encoder_tensors(encoder))


def _overwrite(parameter: Tensor, values: Tensor) -> None:
    # through `.data`, which does not change the version counter: `nlp.update(sgd=...)` updates the
    # transformer between forward and backward pass, which autograd would refuse
    parameter.data.copy_(values)


def _no_gradient(gradient: Tensor) -> None:
    """No backpropagation after inference."""
