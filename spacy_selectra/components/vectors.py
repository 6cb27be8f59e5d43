"""`selectra_vectors`: `vector` and `similarity` of documents, spans and tokens from the encoder.

spaCy imports this module with its first pipeline: no heavy imports at module level.
"""

from typing import Any

import numpy as np
from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokens import Doc, Span, Token

from spacy_selectra.errors import SelectraError

# Cache for a document's token vectors, in its transformer data: not saved with the document.
_KEPT = "_selectra_token_vectors"


@Language.factory("selectra_vectors", requires=["doc._.trf_data"])
def make_vectors(nlp: Language, name: str) -> "EncoderVectors":
    """Make the component; see `EncoderVectors`."""
    return EncoderVectors(name)


class EncoderVectors(Pipe):
    """Hooks for `doc.vector`, `span.vector`, `token.vector` and `similarity`, from the encoder.

    A token's vector is the mean of the last hidden states of its pieces, or zeros without pieces.
    Vectors of spans and documents are the means over their tokens. Similarity is the cosine, or 0
    if a vector is zero or empty. Vectors are computed lazily, once per document, from the output of
    the transformer component.

    The component has no settings or weights.

    Args:
        name: name in the pipeline.
    """

    def __init__(self, name: str = "selectra_vectors") -> None:
        self.name = name

    def __call__(self, doc: Doc) -> Doc:
        """Set the hooks of one document.

        Raises:
            SelectraError: the document has no transformer output.
        """
        try:
            _transformer_data(doc)
        except SelectraError as error:  # for spaCy's error handler
            handle: Any = self.get_error_handler()
            handle(self.name, self, [doc], error)
            return doc
        hooks = {"has_vector": has_vector, "similarity": similarity}
        doc.user_hooks.update({"vector": document_vector, **hooks})
        doc.user_span_hooks.update({"vector": span_vector, **hooks})
        doc.user_token_hooks.update({"vector": token_vector, **hooks})
        return doc

    def to_disk(self, path: Any, *, exclude: Any = ()) -> None:
        """Nothing to save."""

    def from_disk(self, path: Any, *, exclude: Any = ()) -> "EncoderVectors":
        """Nothing to load."""
        return self

    def to_bytes(self, *, exclude: Any = ()) -> bytes:
        """Nothing to save."""
        return b""

    def from_bytes(self, data: bytes, *, exclude: Any = ()) -> "EncoderVectors":
        """Nothing to load."""
        return self


def token_vectors(doc: Doc) -> Any:
    """(tokens, H) vectors of a document's tokens, numpy or cupy; cached, so do not modify them.

    Raises:
        SelectraError: no transformer output, or output for other tokens.
    """
    from thinc.api import reduce_mean

    from spacy_selectra.components.transformer.listener import pooled_tokens

    data = _transformer_data(doc)
    if len(data.align.lengths) != len(doc):
        raise SelectraError(
            f"the document has {len(doc)} tokens, but its transformer data "
            f"{len(data.align.lengths)}: use vectors before tokens are merged or split, and "
            "run the pipeline again on documents created from a part of another"
        )
    if _KEPT not in vars(data):
        vars(data)[_KEPT] = pooled_tokens(reduce_mean(), data)
    return vars(data)[_KEPT]


def document_vector(doc: Doc) -> Any:
    """(H,) mean of the tokens' vectors; (0,) for a document without tokens."""
    return _mean(token_vectors(doc))


def span_vector(span: Span) -> Any:
    """(H,) mean of the tokens' vectors, zeros for an empty span."""
    return _mean(token_vectors(span.doc)[span.start : span.end])


def token_vector(token: Token) -> Any:
    """(H,) mean of the pieces' vectors, zeros if there are none."""
    return token_vectors(token.doc)[token.i]


def has_vector(item: Doc | Span | Token) -> bool:
    """Whether the vector is not zero."""
    return bool(item.vector.any())


def similarity(item: Doc | Span | Token, other: Any) -> float:
    """Cosine of the two vectors, in [-1, 1]; 0 if a vector is zero or there are no tokens.

    Raises:
        SelectraError: vectors of different widths.
    """
    if _is_empty(item) or _is_empty(other):
        return 0.0
    left: Any = item.vector
    right: Any = other.vector
    if left.shape != right.shape:
        raise SelectraError(
            f"vectors of widths {left.size} and {right.size} cannot be compared: process both "
            "with the same pipeline, including selectra_vectors"
        )
    norms = float(np.sqrt((left**2).sum()) * np.sqrt((right**2).sum()))
    return float((left * right).sum()) / norms if norms else 0.0


def _is_empty(item: Any) -> bool:
    return isinstance(item, Doc | Span) and len(item) == 0


def _transformer_data(doc: Doc) -> Any:
    data = doc._.trf_data if Doc.has_extension("trf_data") else None
    if data is None:
        raise SelectraError(
            "selectra_vectors found no transformer data: put it after a transformer component, "
            "and remove doc._.trf_data only when vectors are no longer needed"
        )
    return data


def _mean(vectors: Any) -> Any:
    """(n, H) to (H,), zeros if n = 0."""
    # float64, since sums over long documents would lose precision
    return (vectors.sum(axis=0, dtype="float64") / max(1, len(vectors))).astype("float32")
