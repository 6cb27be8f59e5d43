"""`selectra_ner`: named entities with one linear layer over word vectors.

spaCy imports this module with its first pipeline: no heavy imports at module level. No postponed
annotations, because spaCy reads those of factories at run time.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.scorer import get_ner_prf
from spacy.tokens import Doc, Span
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Linear, Model, chain, with_array

from spacy_selectra.components.checked import Checked, flag, is_name, is_share, one_of
from spacy_selectra.components.entity_spans import (
    BOUNDARIES,
    FoundEntities,
    blocked_words,
    claim_score,
    readable,
    readable_words,
    set_alternatives,
    set_scores,
)
from spacy_selectra.errors import SelectraError
from spacy_selectra.text.entity_probabilities import EntityProbabilities, Reading, best_temperature
from spacy_selectra.text.iob import (
    MISSING,
    OUTSIDE,
    Stretches,
    begin_anew,
    entities_of,
    tag_count,
    tag_loss,
    tags_of,
)

LISTENER = {
    "@architectures": "spacy-selectra.TransformerListener.v1",
    "grad_factor": 1.0,
    "upstream": "*",
    "pooling": {"@layers": "reduce_mean.v1"},
}
DEFAULT_MODEL = {"@architectures": "spacy-selectra.EntityTagger.v1", "tok2vec": LISTENER}


@Language.factory(
    "selectra_ner",
    assigns=["doc.ents", "token.ent_iob", "token.ent_type"],
    default_config={
        "model": DEFAULT_MODEL,
        "scores": False,
        "threshold": 0.0,
        "alternatives": None,
        "spans_key": "ner",
        "boundaries": "auto",
    },
    default_score_weights={"ents_f": 1.0, "ents_p": 0.0, "ents_r": 0.0, "ents_per_type": None},
)
def make_entity_tagger(
    nlp: Language,
    name: str,
    model: Model,
    scores: bool,
    threshold: float,
    alternatives: float | None,
    spans_key: str,
    boundaries: str,
) -> "EntityTagger":
    """Make the component; see `EntityTagger`."""
    return EntityTagger(
        nlp.vocab,
        model,
        name,
        scores=scores,
        threshold=threshold,
        alternatives=alternatives,
        spans_key=spans_key,
        boundaries=boundaries,
    )


def entity_tagger(tok2vec: Model, nO: int | None = None) -> Model:  # noqa: N803 - thinc's name
    """`spacy-selectra.EntityTagger.v1`: tag logits per word (Devlin et al. 2019, section 5.3).

    Args:
        tok2vec: a layer from documents to one (words, width) array each.
        nO: number of tags; inferred from the labels if None.

    Returns:
        A layer from documents to one (words, nO) array each.
    """
    output: Model = Linear(nO=nO)
    model: Model = chain(tok2vec, with_array(output))
    model.set_ref("tok2vec", tok2vec)
    model.set_ref("output_layer", output)
    return model


class EntityTagger(TrainablePipe):
    """Sets `doc.ents`: an alternative to spaCy's `ner`, as token classification.

    It is a drop-in replacement for `ner`, with the same annotations, labels and scores. Existing
    entities are preserved. Words without annotation are ignored in training.

    With `scores` every entity gets the probability that its bounds and type are right:
    `ent._.score`, and as in `spancat`, `doc.spans[spans_key].attrs["scores"]`. Entities of other
    components have the score `None`. `calibrate` fits a temperature to calibrate probabilities.

    Args:
        vocab: the pipeline's vocabulary.
        model: from documents to one (words, 1 + 2 * labels) array each, see `entity_tagger`.
        name: name in the pipeline.
        scores: compute the probability of each entity.
        threshold: minimum probability of entities, in [0, 1].
        alternatives: minimum probability, in (0, 1], of alternatives to store in
            `doc.spans[spans_key + "_alternatives"]`; None for no alternatives.
        spans_key: key of scored entities in `doc.spans`.
        boundaries: boundaries that entities do not cross: "auto", existing sentence starts,
            paragraphs, table cells, and line breaks between list items (see
            `spacy_selectra.text.boundaries`); "lines", the same and every line break;
            "sentences", only sentence starts; "none". Ignored in training.

    Raises:
        SelectraError: `threshold` or `alternatives` out of range, or unknown `boundaries`.
    """

    scores: Checked[bool] = flag()
    spans_key: Checked[str] = Checked(is_name, "a name")
    threshold: Checked[float] = Checked(is_share, "in [0, 1]")
    alternatives: Checked[float | None] = Checked(
        lambda value: value is None or (is_share(value) and value > 0), "in (0, 1] or None"
    )
    boundaries: Checked[str] = one_of(BOUNDARIES)

    def __init__(
        self,
        vocab: Vocab,
        model: Model,
        name: str = "selectra_ner",
        *,
        scores: bool = False,
        threshold: float = 0.0,
        alternatives: float | None = None,
        spans_key: str = "ner",
        boundaries: str = "auto",
    ) -> None:
        super().__init__(vocab, model, name, labels=[], temperature=1.0)
        self._unknown: set[str] = set()  # unknown types that were warned about
        self.scores = scores
        self.threshold = threshold
        self.alternatives = alternatives
        self.spans_key = spans_key
        self.boundaries = boundaries

    @property
    def temperature(self) -> float:
        """Temperature of the softmax over tags; see `calibrate`."""
        return self.cfg["temperature"]

    @property
    def labels(self) -> tuple[str, ...]:
        """Entity types."""
        return tuple(self.cfg["labels"])

    @property
    def label_data(self) -> list[str]:
        """The argument `labels` of `initialize`."""
        return list(self.labels)

    def add_label(self, label: str) -> int:
        """Add an entity type before initialisation; 0 if it exists already, else 1.

        Raises:
            SelectraError: the model is already initialised without it.
        """
        if label in self.labels:
            return 0
        if self.model.get_ref("output_layer").has_dim("nO"):
            raise SelectraError(
                f"component '{self.name}' was initialised for {', '.join(self.labels)}; "
                f"'{label}' cannot be added: train a new component with all labels"
            )
        self.cfg["labels"].append(label)
        self.vocab.strings.add(label)
        return 1

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        """Initialise labels and weights.

        Args:
            get_examples: returns annotated documents.
            nlp: the pipeline.
            labels: entity types; those of the examples if None.

        Raises:
            SelectraError: no labels.
        """
        validate_get_examples(get_examples, "EntityTagger.initialize")
        if labels is None:
            labels = sorted(
                {entity.label_ for example in get_examples() for entity in example.reference.ents}
            )
        for label in labels:
            self.add_label(label)
        if not self.labels:
            raise SelectraError(
                f"component '{self.name}' has no labels: there are no entities in the data"
            )
        documents = [example.x for example in islice(get_examples(), 10)]
        self.model.get_ref("output_layer").set_dim("nO", tag_count(len(self.labels)))
        self.model.initialize(X=documents)

    def predict(self, docs: Iterable[Doc]) -> list[FoundEntities]:
        """Entities of each document, without setting annotations.

        White-space tokens are skipped: entities do not begin or end with one but may continue
        after it, unless it is one of `boundaries`.
        """
        docs = list(docs)
        places, logits = self._readable_scores(docs)
        lengths = [len(own) for own in places]
        stretches = Stretches(logits, lengths)
        found = entities_of(stretches.best_tags(), lengths)
        probabilities: list[Any] = [None] * len(docs)
        others: list[list[Reading]] = [[] for _ in docs]
        if self.scores or self.threshold > 0 or self.alternatives is not None:
            computed = EntityProbabilities(stretches, self.temperature)
            probabilities = computed.of(found)
            if self.alternatives is not None:
                others = computed.readings(self.alternatives, len(self.labels))
        parts = zip(places, found, probabilities, others, strict=True)
        return [FoundEntities.of(*part) for part in parts]

    def set_annotations(self, docs: Iterable[Doc], scores: Iterable[FoundEntities]) -> None:
        """Set the entities from `predict`, except where there are entities or blocked words
        (`blocked` of `doc.set_ents`)."""
        labels = self.labels
        if self.scores:
            claim_score()
        for doc, found in zip(docs, scores, strict=True):
            there = list(doc.ents)
            blocked = blocked_words(doc)
            kept = [*there, *blocked]
            taken = {place for span in kept for place in range(span.start, span.end)}
            new, probabilities = [], []
            certain = [1.0] * len(found.entities)
            found_scores = found.probabilities or certain
            for (begin, end, kind), score in zip(found.entities, found_scores, strict=True):
                if score >= self.threshold and taken.isdisjoint(range(begin, end)):
                    new.append(Span(doc, begin, end, label=labels[kind]))
                    probabilities.append(score)
            doc.set_ents([*there, *new], blocked=blocked, default="outside")
            if self.scores:
                set_scores(doc, self.spans_key, new, probabilities)
            if self.alternatives is not None:
                set_alternatives(doc, self.spans_key, labels, found.others, new)

    def calibrate(self, examples: Iterable[Example]) -> float:
        """Fit `temperature` on held-out annotated text (temperature scaling).

        The predicted entities do not change, only their probabilities.

        Args:
            examples: `predicted` with the annotations of the components before this one.

        Returns:
            The temperature, which is saved with the component.

        Raises:
            SelectraError: no predicted entities.
        """
        examples = list(examples)
        validate_examples(examples, "EntityTagger.calibrate")
        places, logits = self._readable_scores(
            [example.predicted for example in examples], keep=True
        )
        gold = []
        for example, own in zip(examples, places, strict=True):
            tags = tags_of(example.get_aligned_ner(), self.labels)[own]
            tags[tags == MISSING] = OUTSIDE
            gold += entities_of(tags, [len(own)])
        ends = np.cumsum([len(own) for own in places])[:-1]
        try:
            self.cfg["temperature"] = best_temperature(np.split(logits, ends), gold)
        except ValueError as error:
            raise SelectraError(f"component '{self.name}' cannot be calibrated: {error}") from error
        return self.temperature

    def _readable_scores(self, docs: list[Doc], keep: bool = False) -> tuple[list[Any], np.ndarray]:
        """Indices of readable words per document, and their (T, tags) logits."""
        places, rows, firsts = readable_words(docs, self.boundaries, keep)
        if not len(rows):
            return places, np.zeros((0, tag_count(len(self.labels))), dtype=np.float32)
        scores: Any = self.model.ops.xp.concatenate(self.model.predict(docs))
        return places, begin_anew(self.model.ops.to_numpy(scores)[rows], firsts)

    def get_loss(self, examples: Iterable[Example], scores: list[Any]) -> tuple[float, list[Any]]:
        """Mean cross-entropy over the annotated words, and the gradient of each array.

        White space and entities of unknown types are ignored, the latter with one warning.
        """
        examples = list(examples)
        validate_examples(examples, "EntityTagger.get_loss")
        self._announce_unknown(examples)
        gold = [tags_of(example.get_aligned_ner(), self.labels) for example in examples]
        for tags_of_one, example in zip(gold, examples, strict=True):
            tags_of_one[~readable(example.predicted)] = MISSING
        xp = self.model.ops.xp
        tags = self.model.ops.asarray(np.concatenate(gold))
        loss, gradient = tag_loss(xp.concatenate(scores), tags)
        ends = np.cumsum([len(part) for part in gold])[:-1]
        return loss, xp.split(gradient, ends.tolist())

    def _announce_unknown(self, examples: list[Example]) -> None:
        types = {entity.label_ for example in examples for entity in example.reference.ents}
        new = sorted(types - set(self.labels) - self._unknown)
        if new:
            self._unknown.update(new)
            warnings.warn(
                f"component '{self.name}' ignores {', '.join(new)}: it was initialised "
                f"for {', '.join(self.labels)} (shown once)",
                UserWarning,
                stacklevel=2,
            )

    def score(self, examples: Iterable[Example], **options: Any) -> dict[str, Any]:
        """Precision, recall and F1 of entities, as for spaCy's `ner`."""
        return get_ner_prf(examples, **options)


__all__ = ["EntityTagger", "entity_tagger", "make_entity_tagger"]
