"""`selectra_replaced`: detection of replaced words with the pretrained discriminator head.

spaCy imports this module with its first pipeline: no heavy imports at module level. No postponed
annotations, because spaCy reads those of factories at run time.
"""

import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from spacy.attrs import IDX, LENGTH
from spacy.language import Language
from spacy.tokens import Doc, Token
from thinc.api import Model, get_torch_default_device

from spacy_selectra.components.checked import Checked, flag, is_share, own_extension
from spacy_selectra.components.model_component import ModelComponent, use_one_thread_if_forked
from spacy_selectra.components.replaced_tagger import ReplacedWordTagger, set_replaced
from spacy_selectra.errors import SelectraError
from spacy_selectra.text.pieces import overlapping_windows, pieces_of_words, word_maxima
from spacy_selectra.text.spellings import spanish_spellings

if TYPE_CHECKING:
    from spacy_selectra.encoder.heads import Discriminator
    from spacy_selectra.encoder.rtd_head import DetectionHead
    from spacy_selectra.text.encode import PieceTokenizer


@Language.factory(
    "selectra_replaced",
    assigns=["token._.replaced", "doc.spans"],
    default_config={"threshold": 0.5, "model": None, "upstream": None, "restore_case": True},
)
def make_replaced(
    nlp: Language,
    name: str,
    threshold: float,
    model: Any,
    upstream: str | None,
    restore_case: bool,
) -> "ReplacedWordDetector | ReplacedWordTagger":
    """Make the component: `ReplacedWordDetector` for a directory, hub id or None,
    `ReplacedWordTagger` for an architecture.

    Raises:
        SelectraError: another kind of model, or `upstream` with an architecture.
    """
    if isinstance(model, Model):
        if upstream is not None:
            raise SelectraError(
                f"component '{name}': an architecture has its own listener; remove 'upstream'"
            )
        return ReplacedWordTagger(nlp.vocab, model, name, threshold=threshold)
    if not isinstance(model, str | None):
        raise SelectraError(
            f"component '{name}': 'model' must be a directory, a hub id or an architecture"
        )
    return ReplacedWordDetector(
        name,
        threshold=threshold,
        model=model,
        upstream=upstream,
        restore_case=restore_case,
        nlp=nlp,
    )


class ReplacedWordDetector(ModelComponent):
    """Sets `token._.replaced`, the probability that a word replaces the original one.

    A word's probability is the maximum over its pieces, so it is flagged exactly when the
    discriminator flags a piece. (The probability that at least one piece is replaced, 1 - Π(1 - p),
    assumes independent pieces. Those of a word are dependent, so long words would be flagged for
    their length.) White space has probability 0.

    Words above the threshold are also in `doc.spans["replaced"]`, one span per word, with their
    probabilities in the group's `attrs["scores"]`.

    Without `upstream` the component runs its own discriminator. Longer documents are split into
    windows that overlap by a quarter. In an overlap, the probability of a piece comes from the
    window with more context.

    With `upstream` it runs only the discriminator head, on `doc._.trf_data` of that transformer, so
    that the encoder runs once per pipeline. The transformer must come earlier, with the
    discriminator's encoder, not fine-tuned. Windows are the transformer's; the probability of a
    word comes from the window with most context (see `spacy_selectra.text.pieces.word_maxima`).
    Words in truncated parts of spans have probability 0. The component saves the head and a
    fingerprint of the encoder.

    Args:
        name: name in the pipeline.
        threshold: probability in [0, 1] above which a word counts as replaced.
        model: directory or hub id of a discriminator, None if it comes with the pipeline.
        upstream: name of the transformer component to read from, None for an own encoder.
        restore_case: without `upstream`, restore the usual case of text in capitals (see
            `spacy_selectra.text.spellings`), so that headlines do not count as replaced.
        nlp: the pipeline whose transformer is compared with the fingerprint.

    Raises:
        SelectraError: `threshold` out of range.
    """

    threshold: Checked[float] = Checked(is_share, "in [0, 1]")
    restore_case: Checked[bool] = flag()

    def __init__(
        self,
        name: str = "selectra_replaced",
        *,
        threshold: float = 0.5,
        model: str | None = None,
        upstream: str | None = None,
        restore_case: bool = True,
        nlp: Language | None = None,
    ) -> None:
        super().__init__(name, model)
        self.threshold = threshold
        self.upstream = upstream
        self.restore_case = restore_case
        self._tokenizer: PieceTokenizer | None = None
        self._pipeline = _PipelineReference(nlp)
        self._compared = False
        own_extension(Token, "replaced", 0.0)

    def annotate(self, docs: list[Doc]) -> None:
        """Set the probabilities of tokens, and the span groups."""
        for doc, words in zip(docs, self.predict(docs), strict=True):
            set_replaced(doc, words, self.threshold)

    def predict(self, docs: list[Doc]) -> list[np.ndarray]:
        """(tokens,) float32 probabilities for each document, without setting annotations.

        Raises:
            SelectraError: no model, or with `upstream`, documents without the transformer's
                output or with that of another encoder.
        """
        use_one_thread_if_forked()
        words = self._from_text(docs) if self.upstream is None else self._from_upstream(docs)
        for doc, probabilities in zip(docs, words, strict=True):
            probabilities[[token.is_space for token in doc]] = 0
        return words

    def initialize(self, get_examples: Any, *, nlp: Language | None = None) -> None:
        """Set the pipeline whose transformer is compared with the fingerprint."""
        self._pipeline = _PipelineReference(nlp)
        self._compared = False

    def load(self, directory: Path) -> Any:
        """Load a discriminator and its tokenizer, or with `upstream` a head."""
        from spacy_selectra.encoder.rtd_head import holds_only_head, load_head

        self._compared = False
        if self.upstream is not None:
            return load_head(directory).to(get_torch_default_device())
        if holds_only_head(directory):
            raise SelectraError(
                f"component '{self.name}' was saved with only the discriminator's head: set "
                "its 'upstream' to the name of the transformer it reads from"
            )
        from spacy_selectra.encoder.checkpoint import load_discriminator
        from spacy_selectra.text.encode import PieceTokenizer
        from spacy_selectra.text.tokenizer import load_backend, longest_sequence

        model = load_discriminator(directory).to(get_torch_default_device())
        longest = longest_sequence(directory, model.config.max_position_embeddings)
        self._tokenizer = PieceTokenizer(load_backend(directory), longest)
        return model

    def _save(self, directory: Path) -> None:
        if self.upstream is None:
            super()._save(directory)
            return
        from spacy_selectra.encoder.rtd_head import save_head

        save_head(self.loaded_model, directory)

    def _from_text(self, docs: list[Doc]) -> list[np.ndarray]:
        from spacy_selectra.encoder.rtd_head import piece_probabilities

        model: Discriminator = self.loaded_model
        tokenizer = self._tokenizer
        assert tokenizer is not None  # loaded with the model
        texts = [doc.text for doc in docs]
        if self.restore_case:
            texts = [spanish_spellings().restored(text, accents=False) for text in texts]
        pieces = tokenizer.encode(texts)
        size = tokenizer.budget
        windows = [
            (number, window)
            for number, piece in enumerate(pieces)
            if len(piece.ids)
            for window in overlapping_windows(len(piece.ids), size, size - size // 4, "full")
        ]
        sequences = [pieces[number].ids[window.begin : window.end] for number, window in windows]
        outputs = piece_probabilities(model, sequences, tokenizer.prefix, tokenizer.suffix)
        probabilities = [np.zeros(len(piece.ids), dtype=np.float32) for piece in pieces]
        for (number, window), output in zip(windows, outputs, strict=True):
            kept = output[window.first - window.begin : window.last - window.begin]
            probabilities[number][window.first : window.last] = kept
        words = []
        for doc, piece, probability in zip(docs, pieces, probabilities, strict=True):
            begins, sizes = doc.to_array([IDX, LENGTH]).astype(np.int64).reshape(-1, 2).T
            rows, counts = pieces_of_words(begins, begins + sizes, piece.offsets)
            words.append(word_maxima(rows, counts, max(1, len(probability)), probability[rows]))
        return words

    def _from_upstream(self, docs: list[Doc]) -> list[np.ndarray]:
        from spacy_selectra.components.upstream import word_rows
        from spacy_selectra.encoder.rtd_head import head_probabilities

        head: DetectionHead = self.loaded_model
        self._compare_encoders(head, docs)
        hidden, words = word_rows(docs, self.name, self.upstream, head.config.hidden_size)
        if not head.fits(hidden.to(head.norm.weight.device)):
            raise self._other_encoder()
        probabilities = np.split(
            head_probabilities(head, hidden), np.cumsum([len(one.rows) for one in words])[:-1]
        )
        return [
            word_maxima(one.rows, one.counts, one.width, part)
            for one, part in zip(words, probabilities, strict=True)
        ]

    def _compare_encoders(self, head: "DetectionHead", docs: list[Doc]) -> None:
        """Check once that the pipeline's transformer, if accessible, is the head's encoder."""
        nlp = self._pipeline.get()
        if self._compared or nlp is None or not docs or docs[0].vocab is not nlp.vocab:
            return
        from spacy_selectra.components.upstream import upstream_encoder
        from spacy_selectra.encoder.rtd_head import encoder_fingerprint

        encoder = upstream_encoder(nlp, self.upstream)
        if encoder is not None and encoder_fingerprint(encoder) != head.fingerprint:
            raise self._other_encoder()
        self._compared = True

    def _other_encoder(self) -> SelectraError:
        return SelectraError(
            f"component '{self.name}': transformer '{self.upstream}' does not have the encoder "
            "of the discriminator, because it was fine-tuned or is another model; remove "
            "'upstream' and set 'model' to the discriminator, so that it runs an encoder of its "
            "own"
        )


class _PipelineReference:
    """A weak reference to a pipeline, empty in copies and other processes."""

    def __init__(self, nlp: Language | None = None) -> None:
        self._nlp = None if nlp is None else weakref.ref(nlp)

    def get(self) -> Language | None:
        return None if self._nlp is None else self._nlp()

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return _PipelineReference, ()
