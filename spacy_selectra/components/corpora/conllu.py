"""`spacy-selectra.Conllu.v1`: treebanks for `spacy train`, with documents of several sentences."""

# No postponed annotations here: confection reads those of registered functions at run time.

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from spacy.language import Language
from spacy.parts_of_speech import IDS as POS_IDS
from spacy.tokens import Doc
from spacy.training import Example
from spacy.training.converters import conllu_to_docs

from spacy_selectra.corpus.lines import numbered_lines
from spacy_selectra.errors import SelectraError
from spacy_selectra.util.files import expanded

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

    Words are those of the file, so that scores compare with published ones. What it splits and
    spaCy's Spanish tokenizer does not ("del", "dárselo") is one word, with the part of speech of
    its first part, the features of all and the lemmas of all ("dar él él"), as spaCy's own
    converter has it. Tags are those of the column XPOS, parts of speech where it is empty.

    Args:
        path: CoNLL-U file, also compressed.
        sentences_per_doc: successive sentences joined to a document. One sentence alone teaches
            nothing of where the next one begins.
        annotations: which of "tag", "pos", "morph", "lemma" and "sents" to keep; None keeps all.
            Treebanks differ in features and lemmas more than in parts of speech.
        limit: most documents to read; 0 for all.

    Raises:
        SelectraError: no path, or an unknown annotation; when read: missing, empty or malformed
            file, with the line.
    """
    if not path:
        raise SelectraError("a corpus reader has no path: set it, e.g. --paths.train FILE")
    source = expanded(path)
    if sentences_per_doc < 1:
        raise SelectraError(f"sentences_per_doc = {sentences_per_doc} is not positive")
    kept = set(ANNOTATIONS if annotations is None else annotations)
    if unknown := sorted(kept - set(ANNOTATIONS)):
        raise SelectraError(f"annotations: '{unknown[0]}' is not one of {', '.join(ANNOTATIONS)}")

    def read(nlp: Language) -> Iterator[Example]:
        # not joined by the converter, which takes every word without a head for a sentence
        sentences = conllu_to_docs(
            _checked_text(source), n_sents=1, merge_subtokens=True, no_print=True
        )
        groups = iter(lambda: list(islice(sentences, sentences_per_doc)), [])
        for group in islice(groups, limit or None):
            reference = _reference(nlp, group, kept)
            yield Example(_words_only(nlp, reference), reference)

    return read


def _checked_text(source: Path) -> str:
    """The file's text, whose lines are seen to have ten fields: spaCy's converter would fail
    without saying where."""
    lines = []
    words = 0
    for number, line in numbered_lines(source):
        lines.append(line)
        if not line.strip() or line.startswith("#"):
            continue
        words += 1
        if (fields := line.count("\t") + 1) != _FIELDS:
            raise SelectraError(
                f"{source}, line {number}: {fields} fields separated by tabs, not {_FIELDS} as "
                "CoNLL-U has them"
            )
    if not words:
        raise SelectraError(f"{source}: not one word in it (empty file)")
    return "\n".join(lines)


def _reference(nlp: Language, sentences: list[Doc], kept: set[str]) -> Doc:
    """One document in the pipeline's vocabulary, with the annotations asked for."""
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
        # a sentence's last word is followed by the next one
        spaces=[bool(token.whitespace_) or token.i == len(token.doc) - 1 for token in tokens],
        **parts,
    )


def _first_part(tag: str, other: str | None = None) -> str:
    """ADP for ADP_DET, as the converter calls "del" where a treebank has no tags of its own;
    `other` (the tag itself if None) for all other tags."""
    parts = tag.split("_")
    if len(parts) > 1 and all(part in _PARTS_OF_SPEECH for part in parts):
        return parts[0]
    return tag if other is None else other


def _words_only(nlp: Language, doc: Doc) -> Doc:
    words = [token.text for token in doc]
    return Doc(nlp.vocab, words=words, spaces=[bool(token.whitespace_) for token in doc])


__all__ = ["ANNOTATIONS", "conllu_reader"]
