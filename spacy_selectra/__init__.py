"""SELECTRA: compact Spanish ELECTRA encoders for spaCy.

Importing this package does not import torch or spaCy; public names are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "load_encoder": "spacy_selectra.encoder.hub",
    "SelectraEncoder": "spacy_selectra.encoder.electra",
    "EncoderConfig": "spacy_selectra.encoder.config",
    "Discriminator": "spacy_selectra.encoder.heads",
    "Generator": "spacy_selectra.encoder.heads",
    "SequenceClassifier": "spacy_selectra.encoder.heads",
    "SelectraError": "spacy_selectra.errors",
}

__all__ = [
    "Discriminator",
    "EncoderConfig",
    "Generator",
    "SelectraEncoder",
    "SelectraError",
    "SequenceClassifier",
    "load_encoder",
]

if TYPE_CHECKING:
    from spacy_selectra.encoder.config import EncoderConfig
    from spacy_selectra.encoder.electra import SelectraEncoder
    from spacy_selectra.encoder.heads import Discriminator, Generator, SequenceClassifier
    from spacy_selectra.encoder.hub import load_encoder
    from spacy_selectra.errors import SelectraError


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
