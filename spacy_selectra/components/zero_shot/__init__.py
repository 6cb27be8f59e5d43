"""`selectra_zero_shot`: zero-shot text classification. Read component.py first."""

from spacy_selectra.components.zero_shot.component import (
    DEFAULT_TEMPLATE,
    ZeroShotClassifier,
    make_zero_shot,
)

__all__ = ["DEFAULT_TEMPLATE", "ZeroShotClassifier", "make_zero_shot"]
