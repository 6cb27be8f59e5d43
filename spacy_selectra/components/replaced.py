"""`selectra_replaced`: words that do not fit, by the discriminator's own head.

Imported whenever spaCy makes its first pipeline: nothing heavy at module level. Annotations
are not postponed, because spaCy reads the factory's own as types.
"""

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from spacy.attrs import IDX, LENGTH
from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup, Token

from spacy_selectra.components.model_component import ModelComponent, default_device
from spacy_selectra.errors import SelectraError

if TYPE_CHECKING:
    from spacy_selectra.components.tokenization import PieceTokenizer
    from spacy_selectra.encoder.models import Discriminator

SPANS_KEY = "replaced"
SPAN_LABEL = "REPLACED"
MAX_PIECES = 4096


@Language.factory(
    "selectra_replaced",
    assigns=["token._.replaced", "doc.spans"],
    default_config={"threshold": 0.5, "model": None},
)
def make_replaced(
    nlp: Language, name: str, threshold: float, model: str | None
) -> "ReplacedWordDetector":
    """Make the component; see `ReplacedWordDetector`."""
    return ReplacedWordDetector(name, threshold=threshold, model=model)


class Window(NamedTuple):
    """A stretch of a document's pieces the discriminator sees at once.

    Pieces `begin` to `end` are its input; its output is kept for `keep_begin` to `keep_end`.
    """

    document: int
    begin: int
    end: int
    keep_begin: int
    keep_end: int


class ReplacedWordDetector(ModelComponent):
    """Sets `token._.replaced`, the probability that a word was put in place of another.

    A word's probability is the highest of its pieces', so that a word is flagged exactly when
    the discriminator flags one of its pieces. (The chance that at least one piece was replaced,
    1 - Π(1 - p), holds for independent pieces; those of one word are not, and long words would
    be flagged for their length.) White space has probability 0.

    Words above the threshold are also in `doc.spans["replaced"]`, one span a word, with their
    probabilities in the group's `attrs["scores"]`. Documents longer than the model takes are
    read in windows that overlap by a quarter; of two windows a piece's probability comes from
    the one in which it has more context.

    Args:
        name: name in the pipeline.
        threshold: probability in [0, 1] above which a word counts as replaced.
        model: directory or hub id of a discriminator, None if it comes with the pipeline.

    Raises:
        SelectraError: a threshold that is no probability.
    """

    def __init__(
        self,
        name: str = "selectra_replaced",
        *,
        threshold: float = 0.5,
        model: str | None = None,
    ) -> None:
        super().__init__(name, model)
        if not 0 <= threshold <= 1:
            raise SelectraError(f"threshold {threshold} is not between 0 and 1")
        self.threshold = threshold
        self._tokenizer: PieceTokenizer | None = None
        if not Token.has_extension("replaced"):
            Token.set_extension("replaced", default=0.0)

    def annotate(self, docs: list[Doc]) -> None:
        """Set the tokens' probabilities and the spans of the documents."""
        for doc, words in zip(docs, self.predict(docs), strict=True):
            flagged = np.flatnonzero(words > self.threshold).tolist()
            for token, probability in zip(doc, words.tolist(), strict=True):
                token._.replaced = probability
            doc.spans[SPANS_KEY] = SpanGroup(
                doc,
                name=SPANS_KEY,
                attrs={"scores": words[flagged]},
                spans=[Span(doc, place, place + 1, label=SPAN_LABEL) for place in flagged],
            )

    def predict(self, docs: list[Doc]) -> list[np.ndarray]:
        """Probability of every token, (tokens,) float32 for each document; nothing is set."""
        model = self.loaded_model
        tokenizer = self._tokenizer
        assert tokenizer is not None  # read together with the model
        pieces = tokenizer.encode([doc.text for doc in docs])
        windows = [
            window
            for number, piece in enumerate(pieces)
            for window in make_windows(number, len(piece.ids), tokenizer.budget)
        ]
        sequences = [pieces[window.document].ids[window.begin : window.end] for window in windows]
        outputs = piece_probabilities(model, tokenizer, sequences)
        probabilities = [np.zeros(len(piece.ids), dtype=np.float32) for piece in pieces]
        for window, output in zip(windows, outputs, strict=True):
            kept = output[window.keep_begin - window.begin : window.keep_end - window.begin]
            probabilities[window.document][window.keep_begin : window.keep_end] = kept
        return [
            word_probabilities(doc, piece.offsets, probability)
            for doc, piece, probability in zip(docs, pieces, probabilities, strict=True)
        ]

    def load(self, directory: Path) -> "Discriminator":
        """Read a discriminator and its tokenizer."""
        from spacy_selectra.components.tokenization import PieceTokenizer
        from spacy_selectra.corpus.tokenizer import load_backend
        from spacy_selectra.encoder.checkpoint import load_discriminator

        model = load_discriminator(directory).to(default_device())
        self._tokenizer = PieceTokenizer(
            load_backend(directory), model.config.max_position_embeddings
        )
        return model


def make_windows(document: int, pieces: int, budget: int) -> list[Window]:
    """Windows of at most `budget` pieces over a document; each piece is kept from one of them.

    Neighbours overlap by at least a quarter of the budget and share the overlap in halves.
    """
    if pieces <= budget:
        return [Window(document, 0, pieces, 0, pieces)] if pieces else []
    stride = budget - budget // 4
    begins = [*range(0, pieces - budget, stride), pieces - budget]
    borders = [(left + budget + right) // 2 for left, right in pairwise(begins)]
    return [
        Window(document, begin, begin + budget, keep_begin, keep_end)
        for begin, keep_begin, keep_end in zip(
            begins, [0, *borders], [*borders, pieces], strict=True
        )
    ]


def word_probabilities(doc: Doc, offsets: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The highest probability of the pieces that share a character with each token.

    Args:
        doc: T tokens.
        offsets: (n, 2) int64, first character of each piece and the one after its last.
        probabilities: (n,) float32.

    Returns:
        (T,) float32, 0 for white space.
    """
    words = np.zeros(len(doc), dtype=np.float32)
    if not len(doc) or not len(probabilities):
        return words
    begins, sizes = doc.to_array([IDX, LENGTH]).astype(np.int64).T
    first = np.searchsorted(begins + sizes, offsets[:, 0], side="right")
    after = np.searchsorted(begins, offsets[:, 1], side="left")
    # nearly always one token a piece; a piece that covers several counts for each
    counts = np.maximum(after - first, 0)
    piece = np.repeat(np.arange(len(counts)), counts)
    token = first[piece] + np.arange(len(piece)) - np.repeat(np.cumsum(counts) - counts, counts)
    np.maximum.at(words, token, probabilities[piece])
    words[[token.is_space for token in doc]] = 0
    return words


def piece_probabilities(
    model: "Discriminator", tokenizer: "PieceTokenizer", sequences: list[np.ndarray]
) -> list[np.ndarray]:
    """Probability of every piece of each sequence; ids and result (n,), without special pieces.

    Sequences are sorted by length and packed into batches of at most `MAX_PIECES` pieces.
    """
    import torch

    from spacy_selectra.encoder.batching import length_batches
    from spacy_selectra.encoder.precision import precision

    before, after = len(tokenizer.prefix), len(tokenizer.suffix)
    framed = [
        np.concatenate([tokenizer.prefix, ids, tokenizer.suffix]).astype(np.int64)
        for ids in sequences
    ]
    lengths = np.array([len(ids) for ids in framed], dtype=np.int64)
    outputs: list[np.ndarray] = [np.empty(0, dtype=np.float32)] * len(framed)
    device = model.encoder.device
    with torch.inference_mode(), precision("fast", device):
        for batch in length_batches(lengths, MAX_PIECES):
            ids = torch.from_numpy(np.concatenate([framed[place] for place in batch])).to(device)
            logits = model(ids, lengths[batch].tolist())
            ends = np.cumsum(lengths[batch])
            parts = np.split(torch.sigmoid(logits).float().cpu().numpy(), ends[:-1])
            for place, part in zip(batch, parts, strict=True):
                outputs[place] = part[before : len(part) - after]
    return outputs
