"""`selectra_ner`: named entities by one linear layer over the words' vectors.

Imported whenever spaCy makes its first pipeline: nothing heavy at module level. Annotations
are not postponed, because spaCy reads the factory's own as types.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.scorer import get_ner_prf
from spacy.tokens import Doc, Span, Token
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Linear, Model, chain, with_array

from spacy_selectra.errors import SelectraError
from spacy_selectra.text.iob import (
    MISSING,
    best_tags,
    entities_of,
    tag_count,
    tag_loss,
    tags_of,
)

# What `Token.ent_iob` is of the first word of an entity, or of a blocked word, which has no type.
_BLOCKED = 3

DEFAULT_MODEL = {
    "@architectures": "spacy-selectra.EntityTagger.v1",
    "tok2vec": {
        "@architectures": "spacy-selectra.TransformerListener.v1",
        "grad_factor": 1.0,
        "upstream": "*",
        "pooling": {"@layers": "reduce_mean.v1"},
    },
}


@Language.factory(
    "selectra_ner",
    assigns=["doc.ents", "token.ent_iob", "token.ent_type"],
    default_config={"model": DEFAULT_MODEL},
    default_score_weights={"ents_f": 1.0, "ents_p": 0.0, "ents_r": 0.0, "ents_per_type": None},
)
def make_entity_tagger(nlp: Language, name: str, model: Model) -> "EntityTagger":
    """Make the component; see `EntityTagger`."""
    return EntityTagger(nlp.vocab, model, name)


def entity_tagger(tok2vec: Model, nO: int | None = None) -> Model:  # noqa: N803 - thinc's name
    """`spacy-selectra.EntityTagger.v1`: scores of all tags for every word (Devlin et al. 2019,
    section 5.3).

    Args:
        tok2vec: a layer from documents to one (words, width) array each.
        nO: number of tags; from the labels if None.

    Returns:
        A layer from documents to one (words, nO) array each.
    """
    output: Model = Linear(nO=nO)
    model: Model = chain(tok2vec, with_array(output))
    model.set_ref("tok2vec", tok2vec)
    model.set_ref("output_layer", output)
    return model


class EntityTagger(TrainablePipe):
    """Sets `doc.ents`. A choice beside spaCy's `ner`: every word is scored by itself, all at once.

    It takes the place of `ner`: the same annotations to learn from, labels, scores and
    treatment of entities that are there already (they stay, and nothing overlaps them).
    Words whose annotation is missing do not count in training.

    Args:
        vocab: the pipeline's.
        model: from documents to one (words, 1 + 2 * labels) array each, see `entity_tagger`.
        name: name in the pipeline.
    """

    def __init__(self, vocab: Vocab, model: Model, name: str = "selectra_ner") -> None:
        super().__init__(vocab, model, name, labels=[])
        self._unknown: set[str] = set()  # types of which a warning has been given

    @property
    def labels(self) -> tuple[str, ...]:
        """Types of entities."""
        return tuple(self.cfg["labels"])

    @property
    def label_data(self) -> list[str]:
        """What `initialize` takes as `labels`."""
        return list(self.labels)

    def add_label(self, label: str) -> int:
        """Add a type of entities before initialisation; 0 if it is there already, else 1.

        Raises:
            SelectraError: the model has been initialised without it.
        """
        if label in self.labels:
            return 0
        if self.model.get_ref("output_layer").has_dim("nO"):
            raise SelectraError(
                f"component '{self.name}' was initialised for {', '.join(self.labels)}; "
                f"'{label}' cannot be added: train it anew with all labels"
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
        """Find the labels and make the weights.

        Args:
            get_examples: gives annotated documents.
            nlp: the pipeline.
            labels: types of entities; those of the examples if None.

        Raises:
            SelectraError: no label at all.
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
                f"component '{self.name}' has no labels: there is not one entity in the data"
            )
        documents = [example.x for example in islice(get_examples(), 10)]
        self.model.get_ref("output_layer").set_dim("nO", tag_count(len(self.labels)))
        self.model.initialize(X=documents)

    def predict(self, docs: Iterable[Doc]) -> list[list[tuple[int, int, int]]]:
        """Entities of each document, see `entities_of`; nothing is set.

        Words are judged as if no white space stood between them: no entity begins or ends with
        it, but one may go on behind it.
        """
        docs = list(docs)
        places = [np.flatnonzero(_readable(doc)) for doc in docs]
        lengths = [len(own) for own in places]
        if not sum(lengths):
            return [[] for _ in docs]
        scores: Any = self.model.ops.xp.concatenate(self.model.predict(docs))
        starts = np.cumsum([0, *map(len, docs)])[:-1]
        rows = np.concatenate([own + start for own, start in zip(places, starts, strict=True)])
        tags = best_tags(self.model.ops.to_numpy(scores)[rows], lengths)
        return [
            [(int(own[begin]), int(own[end - 1]) + 1, kind) for begin, end, kind in found]
            for own, found in zip(places, entities_of(tags, lengths), strict=True)
        ]

    def set_annotations(self, docs: Iterable[Doc], scores: Any) -> None:
        """Set the entities that `predict` found, where there are none yet and none are ruled out
        (`blocked` of `doc.set_ents`)."""
        labels = self.labels
        for doc, found in zip(docs, scores, strict=True):
            there = list(doc.ents)
            blocked = [doc[word.i : word.i + 1] for word in doc if _is_blocked(word)]
            kept = [*there, *blocked]
            taken = {place for span in kept for place in range(span.start, span.end)}
            new = [
                Span(doc, begin, end, label=labels[kind])
                for begin, end, kind in found
                if taken.isdisjoint(range(begin, end))
            ]
            doc.set_ents([*there, *new], blocked=blocked, default="outside")

    def get_loss(self, examples: Iterable[Example], scores: list[Any]) -> tuple[float, list[Any]]:
        """Mean cross-entropy over the annotated words, and the gradient of each array.

        White space, and entities of types that the component does not have, count for nothing;
        of the latter a warning is given once.
        """
        examples = list(examples)
        validate_examples(examples, "EntityTagger.get_loss")
        self._announce_unknown(examples)
        gold = [tags_of(example.get_aligned_ner(), self.labels) for example in examples]
        for tags_of_one, example in zip(gold, examples, strict=True):
            tags_of_one[~_readable(example.predicted)] = MISSING
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
                f"component '{self.name}' learns nothing of {', '.join(new)}: it was initialised "
                f"for {', '.join(self.labels)} (said once)",
                UserWarning,
                stacklevel=2,
            )

    def score(self, examples: Iterable[Example], **options: Any) -> dict[str, Any]:
        """Precision, recall and F1 of entities, as spaCy's `ner` computes them."""
        return get_ner_prf(examples, **options)


def _readable(doc: Doc) -> np.ndarray:
    """(n,) bool: words of which there is something to read, unlike white space and control
    characters, of which the encoder reads nothing."""
    return np.array([any(map(_is_seen, word.text)) for word in doc], dtype=bool)


def _is_seen(char: str) -> bool:
    return char.isprintable() and not char.isspace() and char != "\ufffd"


def _is_blocked(word: Token) -> bool:
    return word.ent_iob == _BLOCKED and not word.ent_type


__all__ = ["EntityTagger", "entity_tagger", "make_entity_tagger"]
