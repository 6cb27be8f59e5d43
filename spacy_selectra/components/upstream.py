"""Access to the output of a transformer component, for later components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import to_numpy, xp2torch
from torch import Tensor

from spacy_selectra.errors import SelectraError

if TYPE_CHECKING:
    from spacy_selectra.encoder.electra import SelectraEncoder
    from spacy_selectra.encoder.transformers_models import TransformersEncoder


@dataclass(frozen=True)
class WordRows:
    """Alignment of one document's T tokens with rows of the transformer output.

    Attributes:
        rows: (P,) int64, rows of the flattened (windows * width, H) output, by token.
        counts: (T,) int64, number of rows per token.
        width: length of each window, with padding.
    """

    rows: np.ndarray
    counts: np.ndarray
    width: int


def word_rows(
    docs: list[Doc], component: str, upstream: str | None, width: int
) -> tuple[Tensor, list[WordRows]]:
    """Vectors of all pieces that are aligned with tokens.

    Args:
        docs: documents with transformer output.
        component: name of the calling component, for the error.
        upstream: name of the transformer, for the error.
        width: H if there are no vectors.

    Returns:
        (P, H) vectors of all documents, and a `WordRows` for each.

    Raises:
        SelectraError: a document without transformer output, or with output for other tokens.
    """
    vectors: list[Tensor] = []
    words: list[WordRows] = []
    for doc in docs:
        data: Any = doc._.get("trf_data") if Doc.has_extension("trf_data") else None
        if data is None:
            raise SelectraError(
                f"component '{component}' reads doc._.trf_data, which this document does not "
                f"have: put it after transformer '{upstream}', and do not disable that"
            )
        hidden = data.model_output.get("last_hidden_state")
        if hidden is None:  # a document without tokens
            words.append(WordRows(np.zeros(0, np.int64), np.zeros(len(doc), np.int64), 1))
            continue
        rows = to_numpy(data.align.dataXd).astype(np.int64).reshape(-1)
        counts = to_numpy(data.align.lengths).astype(np.int64)
        if len(counts) != len(doc):
            raise SelectraError(
                f"component '{component}': tokens were merged or split after transformer "
                f"'{upstream}'; put '{component}' before the component that changes tokens"
            )
        flat = xp2torch(hidden).reshape(-1, hidden.shape[-1])
        vectors.append(flat[torch.from_numpy(rows).to(flat.device)])
        words.append(WordRows(rows, counts, hidden.shape[1]))
    return torch.cat(vectors) if vectors else torch.zeros(0, width, dtype=torch.float32), words


def upstream_encoder(
    nlp: Language, upstream: str | None
) -> SelectraEncoder | TransformersEncoder | None:
    """The encoder of a transformer component; None if it is not a SelectraModel."""
    from spacy_selectra.components.transformer.architecture import SelectraModel

    if upstream not in nlp.component_names:
        return None
    model = getattr(nlp.get_pipe(upstream), "model", None)
    return model.shim.encoder if isinstance(model, SelectraModel) else None


__all__ = ["WordRows", "upstream_encoder", "word_rows"]
