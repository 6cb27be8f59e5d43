"""`selectra_zero_shot`: document labels without training. Read component.py first."""

from spacy_selectra.components.zero_shot.component import (
    DEFAULT_TEMPLATE,
    ZeroShotClassifier,
    make_zero_shot,
)

__all__ = ["DEFAULT_TEMPLATE", "ZeroShotClassifier", "make_zero_shot"]
