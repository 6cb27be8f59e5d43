"""`spacy-selectra.Replaced.v1`: text with replaced words, to train `selectra_replaced`."""
# No postponed annotations: confection reads those of registered functions at run time.

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example

from spacy_selectra.components.corpora.given import given_path, without_annotation
from spacy_selectra.components.replaced_tagger import SPAN_LABEL, SPANS_KEY
from spacy_selectra.corpus.documents import read_documents
from spacy_selectra.errors import SelectraError

# Frequent words are sampled less often than they occur (Mikolov et al. 2013, "Distributed
# representations of words and phrases", section 2.2), since a misplaced "de" is easy to detect.
_FLATTER = 0.75
_FEWEST = 5  # minimum words of a text


def replaced_reader(
    path: str | Path | None,
    share: float = 0.15,
    single: float = 0.5,
    max_words: int = 60,
    limit: int = 0,
    seed: int = 0,
) -> Callable[[Language], Iterable[Example]]:
    """`spacy-selectra.Replaced.v1`: paragraphs with words replaced by others of the same corpus.

    Replaced words are marked in `doc.spans["replaced"]`, the training data of `selectra_replaced`.
    Only words of letters are replaced, by words sampled according to frequency.

    Args:
        path: text, a file or a folder in any format of the `corpus` commands.
        share: share of replaced words per paragraph; 15% as in ELECTRA (Clark et al. 2020,
            section 2).
        single: share of paragraphs with only one replaced word.
        max_words: longer paragraphs are truncated.
        limit: maximum number of paragraphs; 0 for all.
        seed: for random replacements.

    Raises:
        SelectraError: no path, or a share out of range; when read: missing or empty file, or
            fewer than two distinct words.
    """
    source = given_path(path)
    for name, value in (("share", share), ("single", single)):
        if not 0 <= value <= 1:
            raise SelectraError(f"{name} = {value} is not in [0, 1]")

    def read(nlp: Language) -> Iterator[Example]:
        docs = list(islice(_paragraphs(nlp, source, max_words), limit or None))
        counts = Counter(token.text for doc in docs for token in doc if token.is_alpha)
        if len(counts) < 2:
            raise SelectraError(f"{source}: contains fewer than two distinct words")
        random = np.random.default_rng(seed)
        pool = list(counts)
        weights = np.array([counts[word] for word in pool]) ** _FLATTER
        bounds = np.cumsum(weights / weights.sum())
        for doc in docs:
            one = random.random() < single
            yield _exchanged(nlp, doc, 0.0 if one else share, pool, bounds, random)

    return read


def _paragraphs(nlp: Language, source: Path, max_words: int) -> Iterator[Doc]:
    for document in read_documents(source):
        for line in document.text.splitlines():
            doc = nlp.make_doc(line.strip())
            if len(doc) >= _FEWEST and any(token.is_alpha for token in doc):
                yield doc[:max_words].as_doc() if len(doc) > max_words else doc


def _exchanged(
    nlp: Language,
    doc: Doc,
    share: float,
    pool: list[str],
    bounds: np.ndarray,
    random: np.random.Generator,
) -> Example:
    """A copy of the document with at least one replaced word."""
    words = [token.text for token in doc]
    places = [token.i for token in doc if token.is_alpha]
    count = max(1, round(share * len(places)))
    chosen = sorted(random.choice(places, size=count, replace=False).tolist())
    for place in chosen:
        original = words[place]
        while words[place].lower() == original.lower():
            drawn = pool[int(np.searchsorted(bounds, random.random()))]
            # keep the case of the first letter, which would give away the replacement
            words[place] = (
                drawn[0].upper() + drawn[1:] if place == 0 and original[0].isupper() else drawn
            )
    spaces = [bool(token.whitespace_) for token in doc]
    reference = Doc(nlp.vocab, words=words, spaces=spaces)
    spans = [Span(reference, place, place + 1, label=SPAN_LABEL) for place in chosen]
    reference.spans[SPANS_KEY] = SpanGroup(reference, name=SPANS_KEY, spans=spans)
    return Example(without_annotation(nlp, reference), reference)


__all__ = ["replaced_reader"]
