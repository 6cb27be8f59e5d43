"""Cutting documents into the sequences an encoder reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from spacy.attrs import IDX
from spacy.tokens import Doc, Span

from spacy_selectra.errors import SelectraError
from spacy_selectra.text.encode import PieceTokenizer
from spacy_selectra.text.windows import cut_evenly

SpanGetter = Callable[[list[Doc]], list[list[Span]]]

# Longest text tokenized in one go; longer documents are tokenized in parts cut at a space.
_CHARACTERS_AT_ONCE = 1 << 14


@dataclass(frozen=True)
class Windows:
    """The sequences of a batch of documents, packed one after the other.

    Characters are counted through all documents: those of document d begin at `bases[d]`.

    Attributes:
        ids: (T,) int64 pieces, special ones included.
        lengths: (W,) int64 pieces of each window.
        characters: (T, 2) int64, first character of a piece and the one after its last;
            (-1, -1) for special pieces.
        counts: windows of each document, in order; 0 for an empty document.
        bases: first character of each document.
        spans: what each window covers, by document.
        dropped: pieces left out because a window was longer than the encoder allows.
        truncated: windows that lost pieces.
    """

    ids: np.ndarray
    lengths: np.ndarray
    characters: np.ndarray
    counts: list[int]
    bases: np.ndarray
    spans: list[list[Span]]
    dropped: int = 0
    truncated: int = 0

    @cached_property
    def widths(self) -> np.ndarray:
        """(W,) int64 cells of each window when padded to the longest one of its document."""
        document = np.repeat(np.arange(len(self.counts)), self.counts)
        longest = np.zeros(len(self.counts), dtype=np.int64)
        np.maximum.at(longest, document, self.lengths)
        return longest[document]

    @cached_property
    def cells(self) -> np.ndarray:
        """(T,) int64, place of each piece when every document is padded to its longest window.

        Encoding straight into these places makes the result of each document a view.
        """
        return places(self.lengths, self.widths)

    @property
    def n_cells(self) -> int:
        """Cells in all, at least T; more only where a document has unequal windows."""
        return int(self.widths.sum())


class _Packer:
    """Collects framed windows."""

    def __init__(self, tokenizer: PieceTokenizer) -> None:
        self._prefix = np.array(tokenizer.prefix, dtype=np.int64)
        self._suffix = np.array(tokenizer.suffix, dtype=np.int64)
        self._before = np.full((len(tokenizer.prefix), 2), -1, dtype=np.int64)
        self._after = np.full((len(tokenizer.suffix), 2), -1, dtype=np.int64)
        self._ids: list[np.ndarray] = []
        self._characters: list[np.ndarray] = []
        self._lengths: list[int] = []

    def add(self, ids: np.ndarray, characters: np.ndarray) -> None:
        self._ids += (self._prefix, ids, self._suffix)
        self._characters += (self._before, characters, self._after)
        self._lengths.append(len(self._prefix) + len(ids) + len(self._suffix))

    def pack(
        self,
        counts: list[int],
        bases: np.ndarray,
        spans: list[list[Span]],
        dropped: int = 0,
        truncated: int = 0,
    ) -> Windows:
        empty = np.zeros((0,), dtype=np.int64)
        return Windows(
            ids=np.concatenate([empty, *self._ids]),
            lengths=np.array(self._lengths, dtype=np.int64),
            characters=np.concatenate([empty.reshape(0, 2), *self._characters]),
            counts=counts,
            bases=bases,
            spans=spans,
            dropped=dropped,
            truncated=truncated,
        )


def document_windows(
    docs: Sequence[Doc],
    tokenizer: PieceTokenizer,
    window: int | None = None,
    stride: int | None = None,
) -> Windows:
    """Read each document whole if it fits, else in windows of nearly equal size.

    A document is tokenized once and its pieces are shared out, so nothing is ever
    truncated. Cuts fall after a sentence if one ends near the even cut, else at a space.

    Args:
        docs: documents.
        tokenizer: the encoder's tokenizer.
        window: most pieces of a window, special ones included; the encoder's limit if None.
        stride: most new pieces of a window, the others being repeated from the window
            before as context; None for no overlap.

    Raises:
        SelectraError: window or stride out of range.
    """
    limit, step = _limits(tokenizer, window, stride)
    texts = [doc.text for doc in docs]
    bases = text_bases(texts)
    packer = _Packer(tokenizer)
    spans: list[list[Span]] = []
    for doc, text, base, (ids, offsets) in zip(
        docs, texts, bases, _tokenize(texts, tokenizer), strict=True
    ):
        if len(doc) == 0:
            spans.append([])
            continue
        characters = offsets + base
        if len(ids) <= limit:
            packer.add(ids, characters)
            spans.append([doc[:]])
            continue
        parts = [
            (max(0, begin - (limit - step)), end) for begin, end in cut_evenly(offsets, text, step)
        ]
        for begin, end in parts:
            packer.add(ids[begin:end], characters[begin:end])
        spans.append(_covering_spans(doc, offsets, parts))
    return packer.pack([len(inner) for inner in spans], bases, spans)


def span_windows(docs: Sequence[Doc], get_spans: SpanGetter, tokenizer: PieceTokenizer) -> Windows:
    """One window for each span of a span getter, as spacy-transformers reads them.

    A window longer than the encoder allows loses the pieces at its end (its last special
    piece stays); the result says how many.
    """
    bases = text_bases([doc.text for doc in docs])
    spans = [[span for span in inner if len(span)] for inner in get_spans(list(docs))]
    flat = [span for inner in spans for span in inner]
    starts = [
        base + span.start_char for base, inner in zip(bases, spans, strict=True) for span in inner
    ]
    packer = _Packer(tokenizer)
    dropped = truncated = 0
    for start, pieces in zip(starts, tokenizer.encode([span.text for span in flat]), strict=True):
        excess = max(0, len(pieces.ids) - tokenizer.budget)
        dropped += excess
        truncated += excess > 0
        kept = len(pieces.ids) - excess
        packer.add(pieces.ids[:kept], pieces.offsets[:kept] + start)
    return packer.pack([len(inner) for inner in spans], bases, spans, dropped, truncated)


def places(lengths: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Where the pieces of windows of these lengths lie if each window takes `widths` cells."""
    shifts = (np.cumsum(widths) - widths) - (np.cumsum(lengths) - lengths)
    return np.arange(lengths.sum()) + np.repeat(shifts, lengths)


def text_bases(texts: Sequence[str]) -> np.ndarray:
    """First character of each text when all are counted through; int64."""
    # one place between texts, so that empty ones have a place of their own too
    sizes = np.array([len(text) + 1 for text in texts], dtype=np.int64)
    return np.cumsum(sizes) - sizes


def token_starts(doc: Doc) -> np.ndarray:
    """(n,) int64, first character of each token."""
    return doc.to_array(IDX).astype(np.int64)


def _covering_spans(doc: Doc, offsets: np.ndarray, parts: list[tuple[int, int]]) -> list[Span]:
    """The tokens each part touches. A token cut in two belongs to both."""
    starts = token_starts(doc)
    spans = []
    for begin, end in parts:
        first = int(np.searchsorted(starts, offsets[begin, 0], side="right")) - 1
        last = int(np.searchsorted(starts, offsets[end - 1, 1] - 1, side="right"))
        spans.append(doc[first:last])
    return spans


def _tokenize(
    texts: Sequence[str], tokenizer: PieceTokenizer
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Ids and offsets of each text, long ones joined from the parts they were tokenized in."""
    places = [_parts(text) for text in texts]
    pieces = iter(
        tokenizer.encode(
            [
                text[begin:end]
                for text, inner in zip(texts, places, strict=True)
                for begin, end in inner
            ]
        )
    )
    joined = []
    for inner in places:
        found = [(next(pieces), begin) for begin, _ in inner]
        if len(found) == 1:
            joined.append((found[0][0].ids, found[0][0].offsets))
        else:
            joined.append(
                (
                    np.concatenate([part.ids for part, _ in found]),
                    np.concatenate([part.offsets + begin for part, begin in found]),
                )
            )
    return joined


def _parts(text: str) -> list[tuple[int, int]]:
    parts: list[tuple[int, int]] = []
    begin = 0
    while len(text) - begin > _CHARACTERS_AT_ONCE:
        end = begin + _CHARACTERS_AT_ONCE
        space = max(text.rfind(" ", begin + 1, end), text.rfind("\n", begin + 1, end))
        parts.append((begin, space if space > begin else end))
        begin = parts[-1][1]
    parts.append((begin, len(text)))
    return parts


def _limits(tokenizer: PieceTokenizer, window: int | None, stride: int | None) -> tuple[int, int]:
    framing = len(tokenizer.prefix) + len(tokenizer.suffix)
    whole = tokenizer.max_length if window is None else window
    if not framing < whole <= tokenizer.max_length:
        raise SelectraError(
            f"window = {window} is out of range: this encoder takes {framing + 1} to "
            f"{tokenizer.max_length} pieces, special ones included"
        )
    limit = whole - framing
    if stride is not None and not 0 < stride <= limit:
        raise SelectraError(f"stride = {stride} is out of range: 1 to {limit} for this window")
    return limit, limit if stride is None else stride


# Which pieces belong to which word, from character offsets.


def align(docs: Sequence[Doc], windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    """Every piece that overlaps a token's characters, over all windows it is in.

    A space after a token counts as part of it, and special pieces belong to nothing:
    the rule of spacy-transformers.

    Returns:
        (P,) int64 rows of the packed batch, token after token, in order of row, and
        (tokens of all docs,) int64 number of rows of each token.
    """
    starts = np.concatenate(
        [
            np.zeros((0,), dtype=np.int64),
            *(token_starts(doc) + base for doc, base in zip(docs, windows.bases, strict=True)),
        ]
    )
    rows = np.flatnonzero(windows.characters[:, 1] > windows.characters[:, 0])
    first = np.searchsorted(starts, windows.characters[rows, 0], side="right") - 1
    last = np.searchsorted(starts, windows.characters[rows, 1] - 1, side="right") - 1
    counts = last - first + 1
    ends = np.cumsum(counts)
    within = np.arange(counts.sum()) - np.repeat(ends - counts, counts)
    tokens = np.repeat(first, counts) + within
    order = np.argsort(tokens, kind="stable")
    return np.repeat(rows, counts)[order], np.bincount(tokens, minlength=len(starts))
