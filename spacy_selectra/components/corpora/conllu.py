"""`spacy-selectra.Conllu.v1`: treebanks for `spacy train`, with several sentences per document."""
# No postponed annotations: confection reads those of registered functions at run time.

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from spacy.language import Language
from spacy.parts_of_speech import IDS as POS_IDS
from spacy.tokens import Doc
from spacy.training import Example
from spacy.training.converters import conllu_to_docs

from spacy_selectra.components.corpora.given import (
    check_sentences_per_doc,
    given_path,
    without_annotation,
)
from spacy_selectra.corpus.lines import numbered_lines
from spacy_selectra.errors import SelectraError

ANNOTATIONS = ("tag", "pos", "morph", "lemma", "sents")
_FIELDS = 10
_PARTS_OF_SPEECH = frozenset(POS_IDS)


def conllu_reader(
    path: str | Path | None,
    sentences_per_doc: int = 1,
    annotations: list[str] | None = None,
    limit: int = 0,
) -> Callable[[Language], Iterable[Example]]:
    """`spacy-selectra.Conllu.v1`: tags, parts of speech, features, lemmas and sentence starts.

    Words are those of the file, so that scores are comparable with published ones. Multiword tokens
    ("del", "dárselo") are one word, as for spaCy's Spanish tokenizer. As in spaCy's converter, they
    have the part of speech of the first part, and the features and lemmas of all ("dar él él").
    Tags are from the column XPOS, or parts of speech if it is empty.

    Args:
        path: CoNLL-U file, also compressed.
        sentences_per_doc: consecutive sentences per document. Documents of one sentence do not
            teach sentence boundaries.
        annotations: which of "tag", "pos", "morph", "lemma" and "sents" to keep; None keeps all.
            Treebanks differ in features and lemmas more than in parts of speech.
        limit: maximum number of documents; 0 for all.

    Raises:
        SelectraError: no path, or an unknown annotation; when read: missing, empty or malformed
            file, with the line.
    """
    source = given_path(path)
    check_sentences_per_doc(sentences_per_doc)
    kept = set(ANNOTATIONS if annotations is None else annotations)
    if unknown := sorted(kept - set(ANNOTATIONS)):
        raise SelectraError(f"annotations: '{unknown[0]}' is not one of {', '.join(ANNOTATIONS)}")

    def read(nlp: Language) -> Iterator[Example]:
        # not joined by the converter, which starts a sentence at every word without a head
        sentences = conllu_to_docs(
            _checked_text(source), n_sents=1, merge_subtokens=True, no_print=True
        )
        groups = iter(lambda: list(islice(sentences, sentences_per_doc)), [])
        for group in islice(groups, limit or None):
            reference = _reference(nlp, group, kept)
            yield Example(without_annotation(nlp, reference), reference)

    return read


def _checked_text(source: Path) -> str:
    """The file's text, with a check for ten fields per line, since spaCy's converter would fail
    without naming the line."""
    lines = []
    words = 0
    for number, line in numbered_lines(source):
        lines.append(line)
        if not line.strip() or line.startswith("#"):
            continue
        words += 1
        if (fields := line.count("\t") + 1) != _FIELDS:
            raise SelectraError(
                f"{source}, line {number}: {fields} fields separated by tabs, but CoNLL-U has "
                f"{_FIELDS}"
            )
    if not words:
        raise SelectraError(f"{source}: contains no words (empty file)")
    return "\n".join(lines)


def _reference(nlp: Language, sentences: list[Doc], kept: set[str]) -> Doc:
    """One document with the pipeline's vocabulary and the selected annotations."""
    tokens = [token for sentence in sentences for token in sentence]
    parts = {
        "tags": [_first_part(token.tag_) for token in tokens] if "tag" in kept else None,
        "pos": [_first_part(token.tag_, token.pos_) for token in tokens] if "pos" in kept else None,
        "morphs": [str(token.morph) for token in tokens] if "morph" in kept else None,
        "lemmas": [token.lemma_ for token in tokens] if "lemma" in kept else None,
        "sent_starts": [token.i == 0 for token in tokens] if "sents" in kept else None,
    }
    return Doc(
        nlp.vocab,
        words=[token.text for token in tokens],
        # a space between sentences
        spaces=[bool(token.whitespace_) or token.i == len(token.doc) - 1 for token in tokens],
        **parts,
    )


def _first_part(tag: str, other: str | None = None) -> str:
    """ADP for ADP_DET, the converter's tag of "del" if a treebank has no XPOS tags; `other` (the
    tag itself if None) for all other tags."""
    parts = tag.split("_")
    if len(parts) > 1 and all(part in _PARTS_OF_SPEECH for part in parts):
        return parts[0]
    return tag if other is None else other


__all__ = ["ANNOTATIONS", "conllu_reader"]
