"""Reading what a transformer component left with documents, for components after it."""

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
    """Where the vectors of one document's T tokens lie.

    Attributes:
        rows: (P,) int64, places in the document's windows laid end to end, token after token.
        counts: (T,) int64, how many of these each token has.
        width: places of each window, padding included.
    """

    rows: np.ndarray
    counts: np.ndarray
    width: int


def word_rows(
    docs: list[Doc], component: str, upstream: str | None, width: int
) -> tuple[Tensor, list[WordRows]]:
    """The vectors of all pieces that belong to tokens, and whose they are.

    Args:
        docs: documents a transformer has seen.
        component: who asks, for the error.
        upstream: the transformer's name, for the error.
        width: H if there is no vector at all.

    Returns:
        (P, H) vectors of all documents, and a `WordRows` for each.

    Raises:
        SelectraError: a document no transformer has seen, or not with these tokens.
    """
    vectors: list[Tensor] = []
    words: list[WordRows] = []
    for doc in docs:
        data: Any = doc._.get("trf_data") if Doc.has_extension("trf_data") else None
        if data is None:
            raise SelectraError(
                f"component '{component}' reads doc._.trf_data, which this document does not "
                f"have: put it after transformer '{upstream}', and leave that one enabled"
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
                f"'{upstream}' read them; put '{component}' before the component that does that"
            )
        flat = xp2torch(hidden).reshape(-1, hidden.shape[-1])
        vectors.append(flat[torch.from_numpy(rows).to(flat.device)])
        words.append(WordRows(rows, counts, hidden.shape[1]))
    return torch.cat(vectors) if vectors else torch.zeros(0, width, dtype=torch.float32), words


def upstream_encoder(
    nlp: Language, upstream: str | None
) -> SelectraEncoder | TransformersEncoder | None:
    """The encoder of the transformer component of that name; None if it is not one of ours."""
    from spacy_selectra.components.transformer.architecture import SelectraModel

    if upstream not in nlp.component_names:
        return None
    model = getattr(nlp.get_pipe(upstream), "model", None)
    return model.shim.encoder if isinstance(model, SelectraModel) else None


__all__ = ["WordRows", "upstream_encoder", "word_rows"]
