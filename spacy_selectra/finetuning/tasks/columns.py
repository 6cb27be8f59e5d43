"""Column specifications: the names under which data sets store texts and labels.

A task may have several; the columns of a file decide which one applies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ColumnSpec:
    """Columns of one kind of file.

    Attributes:
        text: column of the text or of the first text of a pair; of the words (tags; for entities
            also of a text) or the context (spans).
        label: column of the class, the value, the tags, the entity spans or the answers.
        pair: column of the second text or the question, None for single texts.
        names: labels by their names in the file; other names are labels themselves.
        only: rows are read only if these columns have these values (XNLI's language column).
        untranslated: placeholders for missing translations; such rows are left out.
        headerless: columns of a `.tsv` file without header, in order.
    """

    text: str
    label: str
    pair: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[str, str] = field(default_factory=dict)
    untranslated: frozenset[str] = frozenset()
    headerless: tuple[str, ...] = ()

    @property
    def texts(self) -> list[str]:
        """Required columns of a file without labels."""
        return [self.text, *([self.pair] if self.pair else [])]

    @property
    def all(self) -> list[str]:
        """Required columns of a file with labels."""
        return [*self.texts, self.label]


PARAPHRASE_NAMES = {"0": "different", "1": "paraphrase"}

NLI_COLUMNS = (
    ColumnSpec(text="premise", pair="hypothesis", label="label"),
    # MultiNLI as translated for XNLI
    ColumnSpec(
        text="premise", pair="hypo", label="label", names={"contradictory": "contradiction"}
    ),
    ColumnSpec(text="sentence1", pair="sentence2", label="gold_label", only={"language": "es"}),
    ColumnSpec(
        text="Premise",
        pair="Hypothesis",
        label="Label",
        names={"ent": "entailment", "cnt": "contradiction"},
    ),
)
PARAPHRASE_COLUMNS = (
    ColumnSpec(text="sentence1", pair="sentence2", label="label", names=PARAPHRASE_NAMES),
)
TOPIC_COLUMNS = (
    ColumnSpec(text="text", label="label"),
    ColumnSpec(text="text", label="category"),
)
PAIR_COLUMNS = (
    ColumnSpec(text="premise", pair="hypothesis", label="label"),
    ColumnSpec(text="sentence1", pair="sentence2", label="label"),
    ColumnSpec(text="text1", pair="text2", label="label"),
)
NER_COLUMNS = (
    ColumnSpec(text="tokens", label="ner_tags"),
    ColumnSpec(text="tokens", label="tags"),
    ColumnSpec(text="words", label="ner"),
    # texts with entity spans: Prodigy, spaCy, `annotate`, doccano
    ColumnSpec(text="text", label="spans"),
    ColumnSpec(text="text", label="entities"),
    ColumnSpec(text="text", label="ents"),
    ColumnSpec(text="text", label="label"),
    ColumnSpec(text="text", label="labels"),
)
POS_COLUMNS = (
    ColumnSpec(text="tokens", label="upos"),
    ColumnSpec(text="tokens", label="pos_tags"),
    ColumnSpec(text="tokens", label="tags"),
    ColumnSpec(text="words", label="pos"),
)
SIMILARITY_COLUMNS = (
    ColumnSpec(
        text="sentence1",
        pair="sentence2",
        label="score",
        headerless=("sentence1", "sentence2", "score"),
    ),
    ColumnSpec(text="sentence1", pair="sentence2", label="label"),
    ColumnSpec(text="sentence1", pair="sentence2", label="similarity_score"),
)
# SQuAD's own names (Rajpurkar et al. 2016); `id` is optional.
QUESTION_COLUMNS = (ColumnSpec(text="context", pair="question", label="answers"),)
