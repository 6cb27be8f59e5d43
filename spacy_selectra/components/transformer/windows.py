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
from spacy_selectra.text.pieces import Window, pieces_of_words, sentence_windows, touched_words
from spacy_selectra.util.arrays import runs

SpanGetter = Callable[[list[Doc]], list[list[Span]]]
TextReader = Callable[[str], str]

# Beyond all characters: where the last token ends, whatever follows it.
_NO_END = 1 << 62


@dataclass(frozen=True)
class PackedWindows:
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
    """Read each document whole if it fits, else in windows of nearly equal size.

    A document is tokenized once and its pieces are shared out, so nothing is ever
    truncated. Cuts fall after a sentence if one ends near the even cut, else at a space.

    Args:
        docs: documents.
        tokenizer: the encoder's tokenizer.
        window: most pieces of a window, special ones included; the encoder's limit if None.
        stride: most new pieces of a window, the others being repeated from the window
            before as context; None for no overlap.
        read: gives the text that is read in place of a document's, of the same length.

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
    """One window for each span of a span getter, as spacy-transformers reads them.

    A window longer than the encoder allows loses the pieces at its end (its last special
    piece stays); the result says how many. `read` as for `document_windows`.
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
    """Where the pieces of windows of these lengths lie if each window takes `widths` cells."""
    return runs(np.cumsum(widths) - widths, lengths)


def text_bases(texts: Sequence[str]) -> np.ndarray:
    """First character of each text when all are counted through; int64."""
    # one place between texts, so that empty ones have a place of their own too
    sizes = np.array([len(text) + 1 for text in texts], dtype=np.int64)
    return np.cumsum(sizes) - sizes


def token_starts(doc: Doc) -> np.ndarray:
    """(n,) int64, first character of each token."""
    return doc.to_array(IDX).astype(np.int64)


def _covering_spans(doc: Doc, offsets: np.ndarray, parts: Sequence[Window]) -> list[Span]:
    """The tokens each part touches. A token cut in two belongs to both."""
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
            f"window = {window} is out of range: this encoder takes {framing + 1} to "
            f"{tokenizer.max_length} pieces, special ones included"
        )
    limit = whole - framing
    if stride is not None and not 0 < stride <= limit:
        raise SelectraError(f"stride = {stride} is out of range: 1 to {limit} for this window")
    return limit, limit if stride is None else stride


# Which pieces belong to which word, from character offsets.


def align(docs: Sequence[Doc], windows: PackedWindows) -> tuple[np.ndarray, np.ndarray]:
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
    return pieces_of_words(starts, np.append(starts[1:], _NO_END), windows.characters)
