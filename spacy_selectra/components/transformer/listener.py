"""`spacy-selectra.TransformerListener.v1`: token vectors for spaCy's components with less memory;
and `spacy-selectra.reduce_first.v1`: a word's vector is that of its first piece.
"""
# No postponed annotations: confection reads those of registered functions at run time.

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from spacy.tokens import Doc
from spacy_transformers.align import apply_alignment
from spacy_transformers.data_classes import TransformerData
from spacy_transformers.layers import TransformerListener, trfs2arrays
from thinc.api import Model, chain
from thinc.types import Floats2d, Ragged

from spacy_selectra.components.checked import own_extension
from spacy_selectra.errors import SelectraError

# Pieces copied from the encoder's output at a time: 16 MB at width 256 and float32.
PIECES_AT_ONCE = 1 << 14


def selectra_listener(
    pooling: Model[Ragged, Floats2d], grad_factor: float = 1.0, upstream: str = "*"
) -> Model[list[Doc], list[Floats2d]]:
    """A drop-in replacement for `spacy-transformers.TransformerListener.v1`.

    Results and weights are the same, and pipelines saved with one can be loaded with the other.
    Documents without transformer output are an error here, see `Listener`. For inference, the
    original copies all pieces of a batch twice before it reduces them to tokens. For a long
    document this takes several times the memory of the result. This one copies `PIECES_AT_ONCE`.

    Args:
        pooling: reduces the pieces of each token to one vector, such as `reduce_mean.v1`.
        grad_factor: factor for the gradients of the encoder.
        upstream: name of the transformer component to listen to; "*" for any.

    Returns:
        A layer from documents to one (tokens, H) array each.
    """
    listener = Listener(upstream)
    model: Model = chain(listener, token_arrays(pooling, grad_factor))
    model.set_ref("listener", listener)
    return model


class Listener(TransformerListener):
    """spacy-transformers' listener, but documents without transformer output are an error instead
    of zeros.

    Args:
        upstream_name: name of the transformer component to listen to; "*" for any.
    """

    def __init__(self, upstream_name: str) -> None:
        super().__init__(upstream_name)
        self._func = _listen
        # documents for shape inference, and those of the last update, on which `spacy debug model`
        # predicts without the transformer: zeros are correct here
        self._samples: list[Doc] = []

    def initialize(self, X: Any = None, Y: Any = None) -> "Listener":  # noqa: N803 - thinc's names
        """Store the documents for shape inference; there are no weights."""
        self._samples = list(X or [])
        super().initialize(X, Y)
        return self

    def outputs(self, docs: list[Doc], is_train: bool) -> list[TransformerData]:
        """The transformer output of these documents.

        Raises:
            SelectraError: a document without output, or with output for other tokens.
        """
        found = []
        for doc in docs:
            data: Any = doc._.get("trf_data") if Doc.has_extension("trf_data") else None
            if data is None and (not len(doc) or any(doc is one for one in self._samples)):
                width = self.get_dim("nO") if self.has_dim("nO") else 0
                data = TransformerData.zeros(len(doc), width, xp=self.ops.xp)
            elif data is None:
                own_extension(Doc, "trf_data", None)  # a getter may hide existing data
                raise SelectraError(self._why_missing(is_train))
            else:
                self._samples = []
            if len(data.align.lengths) != len(doc):
                raise SelectraError(
                    f"a component got {len(doc)} tokens, but the transformer component "
                    f"{self._name_of_upstream} read {len(data.align.lengths)}: put it before the "
                    "component that merges or splits tokens"
                )
            found.append(data)
        return found

    def _why_missing(self, is_train: bool) -> str:
        missing = (
            f"a component needs the vectors of the transformer component {self._name_of_upstream}, "
            "which did not process this document: "
        )
        if is_train:
            return missing + (
                "list it in training.annotating_components if it is frozen; nlp.rehearse cannot "
                "train a component that shares a transformer (nlp.replace_listeners gives it its "
                "own)"
            )
        return missing + (
            "leave the transformer in the pipeline and enabled, before the component "
            "(nlp.replace_listeners gives a component a transformer of its own)"
        )

    @property
    def _name_of_upstream(self) -> str:
        return "before it" if self.upstream_name == "*" else f"'{self.upstream_name}'"


def _listen(
    model: Listener, docs: list[Doc], is_train: bool
) -> tuple[list[TransformerData], Callable]:
    if is_train and model._batch_id is not None:
        model.verify_inputs(docs)
        model._samples = docs
        return cast(Any, model._outputs), model.backprop_and_clear
    return model.outputs(docs, is_train), _no_gradient


def token_arrays(
    pooling: Model[Ragged, Floats2d], grad_factor: float
) -> Model[list[TransformerData], list[Floats2d]]:
    """The layer `trfs2arrays` of spacy-transformers, with less memory for inference."""
    return Model(
        # saved pipelines contain this name
        "trfs2arrays",
        _forward,
        layers=[pooling],
        attrs={"grad_factor": grad_factor},
    )


def pooled_tokens(pooling: Model[Ragged, Floats2d], data: TransformerData) -> Floats2d:
    """(tokens, H) vectors of one document; (0, 0) if it was not encoded.

    Args:
        pooling: reduces the pieces of each token to one vector.
        data: the encoder's output.
    """
    hidden: Any = data.model_output.get("last_hidden_state")
    if hidden is None or hidden.size == 0:
        return pooling.ops.alloc2f(0, 0)
    flat = hidden.reshape(-1, hidden.shape[-1])
    lengths = _writeable(data.align.lengths)
    rows: Any = data.align.dataXd
    ends = np.cumsum(lengths)
    tokens: Any = None
    begin = 0
    while begin < len(lengths):
        first = ends[begin] - lengths[begin]
        # at least one token, with any number of pieces
        end = max(begin + 1, int(np.searchsorted(ends, first + PIECES_AT_ONCE, side="right")))
        align = Ragged(rows[first : ends[end - 1]], lengths[begin:end])
        pieces, _ = apply_alignment(pooling.ops, align, flat)
        part = pooling.predict(pieces)
        if end - begin == len(lengths):
            return part
        if tokens is None:
            tokens = pooling.ops.alloc2f(len(lengths), part.shape[1], zeros=False)
        tokens[begin:end] = part
        begin = end
    return pooling.ops.alloc2f(0, flat.shape[1]) if tokens is None else tokens


def _writeable(lengths: Any) -> Any:
    """A writeable copy, required by thinc; arrays of deserialised documents are read-only."""
    frozen = isinstance(lengths, np.ndarray) and not lengths.flags.writeable
    return lengths.copy() if frozen else lengths


def _forward(
    model: Model, datas: list[TransformerData], is_train: bool
) -> tuple[list[Floats2d], Callable]:
    pooling = cast(Model[Ragged, Floats2d], model.layers[0])
    if is_train:
        return trfs2arrays(pooling, model.attrs["grad_factor"])(datas, is_train)
    return [pooled_tokens(pooling, data) for data in datas], _no_gradient


def _no_gradient(gradient: list[Floats2d]) -> list[TransformerData]:
    """No backpropagation after inference."""
    return []


# `spacy-selectra.reduce_first.v1`: a word's vector is that of its first piece.


def reduce_first() -> Model[Ragged, Floats2d]:
    """The first row of each sequence (Devlin et al. 2019, section 5.3); zeros for empty sequences.

    thinc's `reduce_first.v1` fails for empty sequences, but white space and control characters are
    tokens without pieces.
    """
    return Model("reduce_first", _reduce)


def _reduce(
    model: Model[Ragged, Floats2d], pieces: Ragged, is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], Ragged]]:
    xp = model.ops.xp
    lengths: Any = pieces.lengths
    some = lengths > 0
    rows = (xp.cumsum(lengths) - lengths)[some]
    data = cast(Floats2d, pieces.data)
    first = model.ops.alloc2f(len(lengths), data.shape[1])
    first[some] = data[rows]

    def backprop(gradient: Floats2d) -> Ragged:
        spread = model.ops.alloc2f(*data.shape)
        spread[rows] = gradient[some]
        return Ragged(spread, lengths)

    return first, backprop
