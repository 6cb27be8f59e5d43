"""`spacy-selectra.SelectraModel.v1`: our encoder for spaCy's `transformer` component."""
# No postponed annotations: confection reads those of registered functions at run time.

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spacy.tokens import Doc
from spacy.util import SimpleFrozenDict
from spacy_transformers.data_classes import FullTransformerBatch, HFObjects
from spacy_transformers.layers import split_trf_batch
from spacy_transformers.util import maybe_flush_pytorch_cache
from thinc.api import Model, chain, torch2xp
from thinc.types import Floats2d, Ragged

from spacy_selectra.components.transformer.batch import LayerArrays, SelectraBatch, cell_gradient
from spacy_selectra.components.transformer.listener import token_arrays
from spacy_selectra.components.transformer.shim import EncoderOptions, SelectraShim
from spacy_selectra.components.transformer.windows import (
    PackedWindows,
    SpanGetter,
    document_windows,
    span_windows,
)
from spacy_selectra.encoder.precision import PRECISIONS
from spacy_selectra.encoder.transformers_models import TransformersEncoder
from spacy_selectra.errors import SelectraError
from spacy_selectra.text.spellings import load_spellings
from spacy_selectra.util.files import atomic_file


def selectra_model(
    name: str | None = None,
    get_spans: Callable | None = None,
    tokenizer_config: dict[str, Any] | None = None,
    transformer_config: dict[str, Any] | None = None,
    mixed_precision: bool = False,
    grad_scaler_config: dict[str, Any] | None = None,
    window: int | None = None,
    stride: int | None = None,
    precision: str = "fast",
    max_batch_pieces: int = 2048,
    pooling: Model[Ragged, Floats2d] | None = None,
    grad_factor: float = 1.0,
    restore_case: bool = True,
    restore_accents: bool = True,
    spellings: str | None = None,
) -> Model:
    """A drop-in replacement for `spacy-transformers.TransformerModel.v3`.

    ELECTRA checkpoints run in our packed encoder, other models in an adapter. The first six
    settings are those of spacy-transformers.

    Args:
        name: model directory or hub id to start from. Only needed for `nlp.initialize`: trained
            pipelines contain weights and tokenizer.
        get_spans: span getter such as `spacy-transformers.strided_spans.v1`; spans above the
            encoder's maximum length are truncated, with a warning. If None, longer documents are
            split evenly instead, without truncation.
        tokenizer_config: settings for transformers' tokenizer. If empty, the normalisation that the
            vocabulary requires is used.
        transformer_config: replaces entries of the model's configuration, such as
            `hidden_dropout_prob`. With `output_attentions` or `output_hidden_states`, here or in
            a trained pipeline, they are added to `model_output`, which takes time and memory.
        mixed_precision: compute in bf16; the same as `precision = "bf16"`.
        grad_scaler_config: accepted for compatibility. bf16 has the exponents of float32,
            so gradients need no scaling.
        window: without `get_spans`, maximum pieces per window, special ones included.
        stride: without `get_spans`, maximum new pieces per window, the others overlap with the
            previous window; None for no overlap.
        precision: "fp32", "fast" (float32 with the faster library), "bf16", "auto", or "int8"
            for inference on CPUs ("fast" in training); see `encoder.precision`.
        max_batch_pieces: maximum pieces per forward pass; bounds memory for any documents.
        pooling: reduces pieces to tokens. With it, this is the token-vector layer of a single
            component, as created by `nlp.replace_listeners`.
        grad_factor: with `pooling`, factor for the gradients of the encoder.
        restore_case: restore the usual case of text in capitals, such as headlines, in the input of
            the encoder; documents do not change (see `spacy_selectra.text.spellings`).
        restore_accents: restore accents in texts written without accents, likewise.
        spellings: file of `vocab spell` for this, loaded by `nlp.initialize` and saved with the
            pipeline; the library's list for Spanish if None.

    Returns:
        A layer from documents to a `FullTransformerBatch`, or with `pooling` to one (tokens, H)
        array per document.

    Raises:
        SelectraError: a setting out of range.
    """
    if precision not in PRECISIONS:
        raise SelectraError(f"precision '{precision}' is not one of {', '.join(PRECISIONS)}")
    if max_batch_pieces < 1:
        raise SelectraError(f"max_batch_pieces = {max_batch_pieces} is not positive")
    if grad_scaler_config and grad_scaler_config.get("enabled"):
        warnings.warn(
            "grad_scaler_config has no effect: mixed precision is bf16 here, whose gradients "
            "need no scaling",
            UserWarning,
            stacklevel=2,
        )
    options = EncoderOptions(
        tokenizer_config=dict(tokenizer_config or {}),
        transformer_config=dict(transformer_config or {}),
        precision="bf16" if mixed_precision else precision,
        max_batch_pieces=max_batch_pieces,
    )
    attrs = {
        "name": name,
        "get_spans": get_spans,
        "window": window,
        "stride": stride,
        "restore_case": restore_case,
        "restore_accents": restore_accents,
        "spellings": spellings,
        "has_transformer": False,
        "set_transformer": set_transformer,
        "flush_cache_chance": 0.0,
        "replace_listener": _replace_listener,
        "replace_listener_cfg": _replace_listener_config,
    }
    model = SelectraModel(SelectraShim(options), attrs)
    if pooling is None:
        return model
    # nested chain, as expected from replaced listeners
    return chain(chain(model, split_trf_batch()), token_arrays(pooling, grad_factor))


class SelectraModel(Model[list[Doc], FullTransformerBatch]):
    """From documents to a `SelectraBatch`; serialised as safetensors.

    It has the properties and attributes of spacy-transformers' `TransformerModel`, and more.
    """

    def __init__(
        self, shim: SelectraShim, attrs: dict[str, Any], dims: dict[str, int | None] | None = None
    ) -> None:
        super().__init__(
            "transformer",
            _forward,
            init=_initialize,
            dims=dims or {"nO": None},
            attrs=attrs,
            shims=[shim],
        )

    @property
    def shim(self) -> SelectraShim:
        """Encoder and tokenizer."""
        shim = self.shims[0]
        assert isinstance(shim, SelectraShim)
        return shim

    @property
    def tokenizer(self) -> Any:
        """The tokenizer as one of transformers; None if nothing is loaded.

        Changes of its `model_max_length` limit windows, and are saved. Other changes have no effect
        on the component.
        """
        return self.shim.for_transformers if self.shim.loaded else None

    @property
    def transformer(self) -> Any:
        """The torch module: ours for ELECTRA, otherwise transformers'; None if not loaded."""
        if not self.shim.loaded:
            return None
        encoder = self.shim.encoder
        return encoder.model if isinstance(encoder, TransformersEncoder) else encoder

    @property
    def _init_tokenizer_config(self) -> dict[str, Any]:
        return self._initial(self.shim.options.tokenizer_config)

    @property
    def _init_transformer_config(self) -> dict[str, Any]:
        return self._initial(self.shim.options.transformer_config)

    def _initial(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Initial settings; empty for a loaded pipeline, as in spacy-transformers."""
        return SimpleFrozenDict() if self.shim.restored else dict(config)

    def note_loaded(self) -> None:
        """Update attributes and dimensions after loading."""
        self.attrs["has_transformer"] = True
        self.set_dim("nO", self.shim.width, force=True)

    def windows(self, docs: list[Doc]) -> PackedWindows:
        """The encoder's input sequences for these documents."""
        get_spans: SpanGetter | None = self.attrs["get_spans"]
        pieces = self.shim.pieces
        if get_spans is None:
            window, stride = self.attrs["window"], self.attrs["stride"]
            return document_windows(docs, pieces, window, stride, self._text_read)
        return span_windows(docs, get_spans, pieces, self._text_read)

    def _text_read(self, text: str) -> str:
        case, accents = self.attrs["restore_case"], self.attrs["restore_accents"]
        return self.shim.spellings.restored(text, case=case, accents=accents)

    def _copy(self, seen: dict[int, Any] | None = None) -> "SelectraModel":
        # thinc's own would return a plain Model; `seen` preserves shared layers
        copied = SelectraModel(self.shim.copy(), dict(self.attrs), dict(self._dims))
        if seen is not None:
            seen[id(self)] = copied
        return copied

    def to_bytes(self) -> bytes:
        """Weights, configuration and tokenizer as a safetensors payload."""
        return self.shim.to_bytes()

    def from_bytes(self, bytes_data: bytes) -> "SelectraModel":
        """Load the result of `to_bytes`, without access to `name`.

        Raises:
            SelectraError: invalid or damaged data.
        """
        self.shim.from_bytes(bytes_data)
        if self.shim.loaded:
            self.note_loaded()
        return self

    def to_disk(self, path: Path | str) -> None:
        """Write the result of `to_bytes` to a file."""
        with atomic_file(path) as temporary:
            temporary.write_bytes(self.to_bytes())

    def from_disk(self, path: Path | str) -> "SelectraModel":
        """Load a file of `to_disk`; raises as `from_bytes`."""
        return self.from_bytes(Path(path).read_bytes())


def set_transformer(model: SelectraModel, hf_model: HFObjects) -> None:
    """Set network and tokenizer of transformers (or our encoder) in an empty model.

    Call it as `model.attrs["set_transformer"](model, hf_model)`, as in spacy-transformers.

    Raises:
        SelectraError: the model already has a network, the tokenizer has no fast backend, or the
            network is an unsupported variant of ELECTRA.
    """
    if model.attrs["has_transformer"]:
        raise SelectraError("the transformer already has weights, which cannot be replaced")
    model.shim.take(hf_model.transformer, hf_model.tokenizer)
    model.note_loaded()


def _initialize(model: SelectraModel, X: Any = None, Y: Any = None) -> None:  # noqa: N803
    if not model.shim.loaded:
        model.shim.load(model.attrs["name"])
    if model.attrs["spellings"]:
        model.shim.own_spellings = load_spellings(model.attrs["spellings"])
    model.note_loaded()
    # fail now for windows out of range, not at the first document
    model.windows([])


def _forward(
    model: SelectraModel, docs: list[Doc], is_train: bool
) -> tuple[SelectraBatch, Callable[[FullTransformerBatch], list[Doc]]]:
    shim = model.shim
    if chance := model.attrs["flush_cache_chance"]:
        maybe_flush_pytorch_cache(chance=chance)
    windows = model.windows(docs)
    _announce_truncation(shim, windows)
    layers = LayerArrays(windows, shim.encoder.config)
    hidden, backprop_hidden = shim(windows, is_train, layers)
    batch = SelectraBatch(docs, windows, torch2xp(hidden), shim.pieces, layers)

    def backprop(d_batch: FullTransformerBatch) -> list[Doc]:
        backprop_hidden(cell_gradient(d_batch, windows))
        return docs

    return batch, backprop


def _announce_truncation(shim: SelectraShim, windows: PackedWindows) -> None:
    if windows.truncated and not shim.truncation_announced:
        shim.truncation_announced = True
        warnings.warn(
            f"{windows.truncated} of {len(windows.lengths)} spans have more than the encoder's "
            f"maximum of {shim.pieces.max_length} pieces; {windows.dropped} pieces at their ends "
            "were truncated, and words without pieces get zero vectors. Use shorter spans, or no "
            "get_spans. (Shown once.)",
            UserWarning,
            stacklevel=3,
        )


def _replace_listener(model: SelectraModel) -> Model:
    return chain(model, split_trf_batch())


def _replace_listener_config(
    transformer: dict[str, Any], listener: dict[str, Any] | None
) -> dict[str, Any]:
    """Configuration of a component with its own copy of the transformer."""
    replaced = dict(transformer)
    for key in ("pooling", "grad_factor"):
        if listener and key in listener:
            replaced[key] = listener[key]
    return replaced


__all__ = ["SelectraModel", "selectra_model"]
