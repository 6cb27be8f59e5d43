"""`spacy-selectra.Replaced.v1`: text with replaced words, to train `selectra_replaced`."""
# No postponed annotations: confection reads those of registered functions at run time.

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup, Token
from spacy.training import Example

from spacy_selectra.components.corpora import docbin
from spacy_selectra.components.corpora.given import given_path, without_annotation
from spacy_selectra.components.replaced_tagger import SPAN_LABEL, SPANS_KEY
from spacy_selectra.corpus.documents import read_documents
from spacy_selectra.errors import SelectraError

# Frequent words are sampled less often than they occur (Mikolov et al. 2013, "Distributed
# representations of words and phrases", section 2.2), since a misplaced "de" is easy to detect.
_FLATTER = 0.75
_FEWEST = 5  # minimum words of a text
# Parts of speech whose words are exchanged among each other. Names are not: nobody can tell that
# one person was exchanged for another.
_CONTENT = ("NOUN", "VERB", "ADJ")


def replaced_reader(
    path: str | Path | None,
    share: float = 0.15,
    single: float = 0.5,
    max_words: int = 60,
    limit: int = 0,
    seed: int = 0,
    alike: float = 0.0,
) -> Callable[[Language], Iterable[Example]]:
    """`spacy-selectra.Replaced.v1`: paragraphs with words replaced by others of the same corpus.

    Replaced words are marked in `doc.spans["replaced"]`, the training data of `selectra_replaced`.
    Only words of letters are replaced, by words sampled according to frequency.

    Random words rarely fit the grammar of a sentence, which is what a model then looks for. To
    learn that nobody eats stairs, it needs words that fit the grammar but not the meaning
    (`alike`). They are found by parts of speech and features, so the text must be annotated.

    Args:
        path: text, a file or a folder in any format of the `corpus` commands; or what a pipeline
            annotated (`selectra annotate PIPELINE TEXT FILE.spacy`).
        share: share of replaced words per paragraph; 15% as in ELECTRA (Clark et al. 2020,
            section 2).
        single: share of paragraphs with only one replaced word.
        max_words: longer paragraphs are truncated.
        limit: maximum number of paragraphs; 0 for all.
        seed: for random replacements.
        alike: share of the replaced words that are nouns, verbs or adjectives and are replaced by
            words with the same part of speech and the same features; needs annotated text.

    Raises:
        SelectraError: no path, or a share out of range; when read: missing or empty file, fewer
            than two distinct words, or `alike` for text without parts of speech.
    """
    source = given_path(path)
    for name, value in (("share", share), ("single", single), ("alike", alike)):
        if not 0 <= value <= 1:
            raise SelectraError(f"{name} = {value} is not in [0, 1]")

    def read(nlp: Language) -> Iterator[Example]:
        docs = list(islice(_paragraphs(nlp, source, max_words), limit or None))
        if alike and not any(doc.has_annotation("POS") for doc in docs):
            raise SelectraError(
                f"{source}: alike = {alike} needs text with parts of speech; annotate it with "
                "`selectra annotate PIPELINE TEXT FILE.spacy`"
            )
        random = np.random.default_rng(seed)
        counts = Counter(token.text for doc in docs for token in doc if token.is_alpha)
        if len(counts) < 2:
            raise SelectraError(f"{source}: contains fewer than two distinct words")
        words = _Words(counts, random)
        classes = _classes(docs, random) if alike else {}
        for doc in docs:
            one = random.random() < single
            yield _exchanged(nlp, doc, 0.0 if one else share, alike, words, classes, random)

    return read


class _Words:
    """Words to draw, in proportion to their flattened frequency."""

    def __init__(self, counts: Counter[str], random: np.random.Generator) -> None:
        self._words = list(counts)
        weights = np.array([counts[word] for word in self._words]) ** _FLATTER
        self._bounds = np.cumsum(weights / weights.sum())
        self._random = random

    def other_than(self, word: str) -> str:
        """A word that differs by more than capitals."""
        drawn = word
        while drawn.lower() == word.lower():
            place = int(np.searchsorted(self._bounds, self._random.random()))
            # rounding: the last bound may be slightly below 1
            drawn = self._words[min(place, len(self._words) - 1)]
        return drawn


def _class(token: Token) -> str | None:
    """Part of speech and features of a content word."""
    if token.is_alpha and token.pos_ in _CONTENT:
        return f"{token.pos_} {token.morph}"
    return None


def _classes(docs: list[Doc], random: np.random.Generator) -> dict[str, _Words]:
    """Words by their class, if there are at least two."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for doc in docs:
        for token in doc:
            if (kind := _class(token)) is not None:
                counts[kind][token.lower_] += 1
    return {kind: _Words(own, random) for kind, own in counts.items() if len(own) > 1}


def _paragraphs(nlp: Language, source: Path, max_words: int) -> Iterator[Doc]:
    for doc in _documents(nlp, source):
        if len(doc) >= _FEWEST and any(token.is_alpha for token in doc):
            yield doc[:max_words].as_doc() if len(doc) > max_words else doc


def _documents(nlp: Language, source: Path) -> Iterator[Doc]:
    if source.suffix == docbin.SUFFIX:
        for _, doc in docbin.read_docs(source, nlp.vocab):
            yield doc
        return
    for document in read_documents(source):
        for line in document.text.splitlines():
            yield nlp.make_doc(line.strip())


def _exchanged(
    nlp: Language,
    doc: Doc,
    share: float,
    alike: float,
    pool: _Words,
    classes: dict[str, _Words],
    random: np.random.Generator,
) -> Example:
    """A copy of the document with at least one replaced word."""
    words = [token.text for token in doc]
    places = [token.i for token in doc if token.is_alpha]
    count = max(1, round(share * len(places)))
    content = [token.i for token in doc if _class(token) in classes] if classes else []
    like = min(int(random.binomial(count, alike)), len(content)) if content else 0
    same = random.choice(content, size=like, replace=False).tolist() if like else []
    others = [place for place in places if place not in same] if same else places
    chosen = random.choice(others, size=count - like, replace=False).tolist()
    for place in sorted([*same, *chosen]):
        token = doc[place]
        drawn = (classes[_class(token) or ""] if place in same else pool).other_than(token.text)
        # keep the case of the first letter, which would give away the replacement
        capital = token.text[0].isupper() and (place == 0 or place in same)
        words[place] = drawn[0].upper() + drawn[1:] if capital else drawn
    spaces = [bool(token.whitespace_) for token in doc]
    reference = Doc(nlp.vocab, words=words, spaces=spaces)
    spans = [
        Span(reference, place, place + 1, label=SPAN_LABEL) for place in sorted([*same, *chosen])
    ]
    reference.spans[SPANS_KEY] = SpanGroup(reference, name=SPANS_KEY, spans=spans)
    return Example(without_annotation(nlp, reference), reference)


__all__ = ["replaced_reader"]
