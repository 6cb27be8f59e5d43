"""What the readers of corpora share: their common arguments, and documents without annotation."""

from __future__ import annotations

from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc

from spacy_selectra.errors import SelectraError
from spacy_selectra.util.files import expanded


def given_path(path: str | Path | None) -> Path:
    """The path of a corpus.

    Raises:
        SelectraError: None or empty, or a home directory that does not exist.
    """
    if not path:
        raise SelectraError("a corpus reader has no path: set it, e.g. --paths.train FILE")
    return expanded(path)


def check_sentences_per_doc(number: int) -> None:
    """Check a number of sentences per document.

    Raises:
        SelectraError: it is not positive.
    """
    if number < 1:
        raise SelectraError(f"sentences_per_doc = {number} is not positive")


def without_annotation(nlp: Language, doc: Doc) -> Doc:
    """A document with the same words and spaces, in the vocabulary of the pipeline."""
    return Doc(
        nlp.vocab,
        words=[token.text for token in doc],
        spaces=[bool(token.whitespace_) for token in doc],
    )
