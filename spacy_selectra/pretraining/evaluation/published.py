"""Published measures of Spanish discriminators, to stand beside measured ones.

They come from the model cards on the Hugging Face Hub, which do not say on which text, with
which generator or at which share of masks they were measured. The names of the measures are
those of the original ELECTRA code, whose AUC counts padding among the pieces that were
rightly found original. So they give an order of magnitude, not a rank.
"""

from __future__ import annotations

from typing import NamedTuple


class PublishedDiscriminator(NamedTuple):
    """Measures of one discriminator in [0, 1]; a measure the card does not give is left out."""

    model: str
    hub_id: str
    measures: dict[str, float]


PUBLISHED: tuple[PublishedDiscriminator, ...] = (
    PublishedDiscriminator(
        "ELECTRICIDAD base",
        "mrm8488/electricidad-base-discriminator",
        {"accuracy": 0.985, "precision": 0.726, "auc": 0.922},
    ),
    PublishedDiscriminator(
        "ELECTRICIDAD small",
        "mrm8488/electricidad-small-discriminator",
        {"accuracy": 0.94, "precision": 0.76, "auc": 0.92},
    ),
)
