"""`spacy-selectra.Mixed.v1`: several corpora as one, for multi-task training."""
# No postponed annotations: confection reads those of registered functions at run time.

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from spacy.language import Language
from spacy.training import Example

from spacy_selectra.errors import SelectraError

Reader = Callable[[Language], Iterable[Example]]


def mixed_reader(
    # no type: confection checks a mapping of readers before it resolves them
    sources: dict[str, Any],
    repeats: dict[str, int] | None = None,
) -> Reader:
    """`spacy-selectra.Mixed.v1`: the documents of several corpora, optionally repeated.

    Each document has the annotations of its corpus, and components ignore documents without their
    annotation (except spaCy's `textcat` and `senter`: use `selectra_textcat` and
    `selectra_senter`). `spacy train` shuffles the documents of an epoch, so batches mix the
    corpora. Documents are cached, since the initialisation of each component needs all of them.

    Args:
        sources: readers by name; names are arbitrary.
        repeats: how often a source occurs per epoch, by its name; 1 by default, 0 to omit it.

    Raises:
        SelectraError: no sources, or `repeats` with an unknown name or a negative number.
    """
    if not sources:
        raise SelectraError("a mixed corpus has no sources")
    times = dict.fromkeys(sources, 1) | (repeats or {})
    for name, count in times.items():
        if name not in sources:
            raise SelectraError(f"repeats: no source '{name}' (known: {', '.join(sources)})")
        if count < 0:
            raise SelectraError(f"repeats: {count} of '{name}' is negative")

    cached_for: Language | None = None
    cached: dict[str, list[Example]] = {}

    def read(nlp: Language) -> Iterator[Example]:
        nonlocal cached_for, cached
        if cached_for is not nlp:
            cached = {name: list(source(nlp)) for name, source in sources.items() if times[name]}
            cached_for = nlp
        for name, examples in cached.items():
            for _ in range(times[name]):
                for one in examples:
                    yield Example(one.predicted.copy(), one.reference)

    return read


__all__ = ["mixed_reader"]
