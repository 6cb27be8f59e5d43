"""`spacy-selectra.Mixed.v1`: several corpora as one, so that all components learn together."""

# No postponed annotations here: confection reads those of registered functions at run time.

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from spacy.language import Language
from spacy.training import Example

from spacy_selectra.errors import SelectraError

Reader = Callable[[Language], Iterable[Example]]


def mixed_reader(
    # confection checks a mapping of readers before it has made them, so no type will do
    sources: dict[str, Any],
    repeats: dict[str, int] | None = None,
) -> Reader:
    """`spacy-selectra.Mixed.v1`: the documents of several corpora, some of them repeatedly.

    Each document has the annotations of its own corpus; components learn nothing from those
    that lack theirs (spaCy's `textcat` and `senter` would: take `selectra_textcat` and
    `selectra_senter`). `spacy train` shuffles the documents of a pass, so a batch has some of
    every corpus. They are read once and kept, since the initialisation of each component asks
    for all of them.

    Args:
        sources: readers by names of one's choice.
        repeats: how often the documents of a source occur in one pass, by its name; once if not
            given, 0 leaves it out.

    Raises:
        SelectraError: no source, repeats of a name that is not there, or fewer than 0.
    """
    if not sources:
        raise SelectraError("a mixed corpus has no sources")
    times = dict.fromkeys(sources, 1) | (repeats or {})
    for name, count in times.items():
        if name not in sources:
            raise SelectraError(f"repeats: no source '{name}' (there are: {', '.join(sources)})")
        if count < 0:
            raise SelectraError(f"repeats: {count} of '{name}' is negative")

    kept: dict[str, list[Example]] = {}
    kept_for: list[Language] = []

    def read(nlp: Language) -> Iterator[Example]:
        if not kept_for or kept_for[0] is not nlp:
            kept.update({name: list(source(nlp)) for name, source in sources.items()})
            kept_for[:] = [nlp]
        for name, examples in kept.items():
            for _ in range(times[name]):
                for one in examples:
                    yield Example(one.predicted.copy(), one.reference)

    return read


__all__ = ["mixed_reader"]
