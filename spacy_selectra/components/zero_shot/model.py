"""The model of `selectra_zero_shot`, of either kind.

spaCy imports this module with its first pipeline: no heavy imports at module level.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from thinc.api import get_torch_default_device

from spacy_selectra.components.checked import one_of
from spacy_selectra.components.model_component import ModelComponent
from spacy_selectra.components.zero_shot.given_labels import GivenLabels, Wordings, check_labels
from spacy_selectra.errors import SelectraError

if TYPE_CHECKING:
    from spacy_selectra.finetuning.entailment import EntailmentScorer
    from spacy_selectra.matching.scorer import MatchingScorer

# As in encoder/precision.py and finetuning/entailment.py, which import torch.
PRECISIONS = ("auto", "fp32", "fast", "bf16", "int8")
LONG_TEXTS = ("cut", "max", "mean")


class ZeroShotModel(ModelComponent):
    """Loads, runs and saves a matching or an entailment model.

    Args:
        name: name in the pipeline.
        model: directory or hub id, None if it comes with the pipeline.
        precision: for entailment models, see `encoder.precision.precision`.
        long_texts: for entailment models, see `ZeroShotClassifier`.
    """

    precision = one_of(PRECISIONS)
    long_texts = one_of(LONG_TEXTS)

    def __init__(self, name: str, model: str | None, precision: str, long_texts: str) -> None:
        super().__init__(name, model)
        self.precision = precision
        self.long_texts = long_texts
        self.truncated = 0

    @property
    def matches(self) -> bool:
        """Whether it is a matching model; loads it if necessary."""
        return hasattr(self.loaded_model, "fit")

    def refused(self, labels: GivenLabels) -> list[str]:
        """Names of labels that the model cannot score.

        For a matching model, labels with a wording without known words; none for an entailment
        model.

        Raises:
            SelectraError: no model, or labels that are empty or not distinct.
        """
        given = check_labels(labels)
        if not self.matches:
            return []
        index = self.loaded_model.model.index
        return [
            name for name, own in given.items() if not all(len(index.places(word)) for word in own)
        ]

    def probabilities(
        self, texts: list[str], wordings: Wordings, template: str, *, alone: bool, nothing: bool
    ) -> np.ndarray:
        """Run the model.

        Args:
            texts: texts with at least one word.
            wordings: wordings by label.
            template: hypothesis of an entailment model.
            alone: score labels independently.
            nothing: include "none of these".

        Returns:
            (texts, labels) in [0, 1].

        Raises:
            SelectraError: `nothing` with an entailment model, or a label without known words.
        """
        scorer = self.loaded_model
        if self.matches:
            return scorer.probabilities(texts, wordings, multi_label=alone, nothing=nothing)
        if nothing:
            raise SelectraError("'none' needs a matching model; this is an entailment model")
        scores, truncated = scorer.probabilities(texts, wordings, template, multi_label=alone)
        self._announce(truncated, len(texts), scorer.max_length)
        return scores

    def too_long(self, texts: list[str], wordings: Wordings, template: str) -> list[bool]:
        """Whether each text would be truncated."""
        if self.matches or self.long_texts != "cut":
            return [False] * len(texts)
        return self.loaded_model.too_long(texts, wordings, template)

    def load(self, directory: Path) -> EntailmentScorer | MatchingScorer:
        """Load a matching model, or an entailment model and its tokenizer."""
        from spacy_selectra.matching.storage import is_matching_model, load_matching

        if is_matching_model(directory):
            from spacy_selectra.matching.scorer import MatchingScorer

            return MatchingScorer(load_matching(directory))
        from spacy_selectra.finetuning.entailment import EntailmentScorer

        device = get_torch_default_device()
        settings = {"mode": self.precision, "long_texts": self.long_texts}
        return EntailmentScorer.of(directory, device, **settings)

    def round_to_half(self, bits: int = 10) -> None:
        """Round an entailment model's weights; a matching model's vectors are already int8."""
        if not self.matches:
            super().round_to_half(bits)

    def _network(self) -> Any:
        return self.loaded_model.model

    def _save(self, directory: Path) -> None:
        if not self.matches:
            super()._save(directory)
            return
        from spacy_selectra.matching.storage import save_matching

        save_matching(self.loaded_model.model, directory)

    def _announce(self, truncated: int, texts: int, limit: int) -> None:
        if truncated and not self.truncated:
            warnings.warn(
                f"{self.name}: {truncated} of {texts} texts are longer than the model's {limit} "
                "pieces and were truncated (shown once; see its attribute 'truncated'; "
                'long_texts = "max" or "mean" uses whole texts)',
                UserWarning,
                stacklevel=4,
            )
        self.truncated += truncated
