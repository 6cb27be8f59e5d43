"""Splitting documents into windows, the input sequences of an encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from spacy.attrs import IDX
from spacy.tokens import Doc, Span

from spacy_selectra.errors import SelectraError
from spacy_selectra.text.encode import PieceTokenizer
from spacy_selectra.text.pieces import Window, pieces_of_words, sentence_windows, touched_words
from spacy_selectra.util.arrays import runs

SpanGetter = Callable[[list[Doc]], list[list[Span]]]
TextReader = Callable[[str], str]

# End of the last token, beyond all characters.
_NO_END = 1 << 62


@dataclass(frozen=True)
class PackedWindows:
    """Packed (concatenated) windows of a batch of documents.

    Character offsets are global: those of document d begin at `bases[d]`.

    Attributes:
        ids: (T,) int64 piece ids, special ones included.
        lengths: (W,) int64 pieces per window.
        characters: (T, 2) int64, start and end offsets (exclusive) of pieces; (-1, -1) for special
            pieces.
        counts: windows per document, in order; 0 for an empty document.
        bases: offset of each document.
        spans: spans of the windows, by document.
        dropped: number of truncated pieces, beyond the encoder's maximum length.
        truncated: number of truncated windows.
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
        """(W,) int64 length of each window, padded to the longest of its document."""
        document = np.repeat(np.arange(len(self.counts)), self.counts)
        longest = np.zeros(len(self.counts), dtype=np.int64)
        np.maximum.at(longest, document, self.lengths)
        return longest[document]

    @cached_property
    def cells(self) -> np.ndarray:
        """(T,) int64, position of each piece with padding as in `widths`.

        The encoder writes to these positions, so that each document's output is a view.
        """
        return places(self.lengths, self.widths)

    @property
    def n_cells(self) -> int:
        """Total number of cells: T plus padding."""
        return int(self.widths.sum())


class _Packer:
    """Collects windows with special pieces."""

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
    ) -> PackedWindows:
        empty = np.zeros((0,), dtype=np.int64)
        return PackedWindows(
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
    read: TextReader = str,
) -> PackedWindows:
    """One window per document if it fits, otherwise windows of nearly equal length.

    A document is tokenized once and its pieces are distributed, without truncation. It is split at
    sentence ends near the even split, otherwise at spaces.

    Args:
        docs: documents.
        tokenizer: the encoder's tokenizer.
        window: maximum pieces per window, special ones included; the encoder's limit if None.
        stride: maximum new pieces per window, the others overlap with the previous window as
            context; None for no overlap.
        read: from a document's text to the encoder's input text, of the same length.

    Raises:
        SelectraError: window or stride out of range.
    """
    limit, step = _limits(tokenizer, window, stride)
    texts = [read(doc.text) for doc in docs]
    bases = text_bases(texts)
    packer = _Packer(tokenizer)
    spans: list[list[Span]] = []
    for doc, text, base, pieces in zip(docs, texts, bases, tokenizer.encode(texts), strict=True):
        ids, offsets = pieces.ids, pieces.offsets
        if len(doc) == 0:
            spans.append([])
            continue
        parts = sentence_windows(offsets, text, limit, step)
        for part in parts:
            packer.add(ids[part.begin : part.end], offsets[part.begin : part.end] + base)
        spans.append(_covering_spans(doc, offsets, parts) if len(parts) > 1 else [doc[:]])
    return packer.pack([len(inner) for inner in spans], bases, spans)


def span_windows(
    docs: Sequence[Doc],
    get_spans: SpanGetter,
    tokenizer: PieceTokenizer,
    read: TextReader = str,
) -> PackedWindows:
    """One window for each span of a span getter, as in spacy-transformers.

    Windows beyond the encoder's maximum length are truncated, except for the last special piece.
    `read` as for `document_windows`.
    """
    whole = [read(doc.text) for doc in docs]
    bases = text_bases(whole)
    spans = [[span for span in inner if len(span)] for inner in get_spans(list(docs))]
    texts = [
        text[span.start_char : span.end_char]
        for text, inner in zip(whole, spans, strict=True)
        for span in inner
    ]
    starts = [
        base + span.start_char for base, inner in zip(bases, spans, strict=True) for span in inner
    ]
    packer = _Packer(tokenizer)
    dropped = truncated = 0
    for start, pieces in zip(starts, tokenizer.encode(texts), strict=True):
        excess = max(0, len(pieces.ids) - tokenizer.budget)
        dropped += excess
        truncated += excess > 0
        kept = len(pieces.ids) - excess
        packer.add(pieces.ids[:kept], pieces.offsets[:kept] + start)
    return packer.pack([len(inner) for inner in spans], bases, spans, dropped, truncated)


def places(lengths: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Positions of the pieces of windows with these lengths, padded to `widths`."""
    return runs(np.cumsum(widths) - widths, lengths)


def text_bases(texts: Sequence[str]) -> np.ndarray:
    """Global offset of each text; int64."""
    # with a gap of one, so that empty texts have distinct offsets
    sizes = np.array([len(text) + 1 for text in texts], dtype=np.int64)
    return np.cumsum(sizes) - sizes


def token_starts(doc: Doc) -> np.ndarray:
    """(n,) int64, start offset of each token."""
    return doc.to_array(IDX).astype(np.int64)


def _covering_spans(doc: Doc, offsets: np.ndarray, parts: Sequence[Window]) -> list[Span]:
    """Spans of tokens that overlap each part. A split token belongs to both."""
    starts = token_starts(doc)
    ends = np.append(starts[1:], _NO_END)
    characters = np.array([(offsets[part.begin, 0], offsets[part.end - 1, 1]) for part in parts])
    first, after = touched_words(starts, ends, characters)
    return [doc[begin:end] for begin, end in zip(first.tolist(), after.tolist(), strict=True)]


def _limits(tokenizer: PieceTokenizer, window: int | None, stride: int | None) -> tuple[int, int]:
    framing = len(tokenizer.prefix) + len(tokenizer.suffix)
    whole = tokenizer.max_length if window is None else window
    if not framing < whole <= tokenizer.max_length:
        raise SelectraError(
            f"window = {window} is out of range: this encoder supports {framing + 1} to "
            f"{tokenizer.max_length} pieces, special ones included"
        )
    limit = whole - framing
    if stride is not None and not 0 < stride <= limit:
        raise SelectraError(f"stride = {stride} is out of range: 1 to {limit} for this window")
    return limit, limit if stride is None else stride


# Alignment of pieces with tokens, by character offsets.


def align(docs: Sequence[Doc], windows: PackedWindows) -> tuple[np.ndarray, np.ndarray]:
    """All pieces, over all windows, that overlap with each token.

    As in spacy-transformers, tokens include the space after them, and special pieces belong to no
    token.

    Returns:
        (P,) int64 rows of the packed batch, by token and row, and (tokens of all docs,) int64
        number of rows per token.
    """
    starts = np.concatenate(
        [
            np.zeros((0,), dtype=np.int64),
            *(token_starts(doc) + base for doc, base in zip(docs, windows.bases, strict=True)),
        ]
    )
    return pieces_of_words(starts, np.append(starts[1:], _NO_END), windows.characters)
