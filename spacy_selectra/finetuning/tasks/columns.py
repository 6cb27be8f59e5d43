"""Columns under which data sets store texts and labels.

A task may be stored in several layouts; which one a file has is told by its column names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Layout:
    """Columns of one kind of file.

    Attributes:
        text: column of the text or of the first text of a pair; of the words (tags) or the
            context (spans).
        label: column of the class, the value, the tags or the answers.
        pair: column of the second text or the question, None for single texts.
        names: names in the file and the label each stands for; a name that is not here
            stands for itself.
        only: columns and the value a row must have to be read (XNLI's language column).
        untranslated: texts that stand for a missing translation; such rows are left out.
        headerless: columns of a `.tsv` file that has no line of column names, in order.
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
        """Columns a file without labels must have."""
        return [self.text, *([self.pair] if self.pair else [])]

    @property
    def columns(self) -> list[str]:
        """Columns a file with labels must have."""
        return [*self.texts, self.label]


PARAPHRASE_NAMES = {"0": "different", "1": "paraphrase"}

NLI_LAYOUTS = (
    Layout(text="premise", pair="hypothesis", label="label"),
    # MultiNLI as translated for XNLI
    Layout(text="premise", pair="hypo", label="label", names={"contradictory": "contradiction"}),
    Layout(text="sentence1", pair="sentence2", label="gold_label", only={"language": "es"}),
    Layout(
        text="Premise",
        pair="Hypothesis",
        label="Label",
        names={"ent": "entailment", "cnt": "contradiction"},
    ),
)
PARAPHRASE_LAYOUTS = (
    Layout(text="sentence1", pair="sentence2", label="label", names=PARAPHRASE_NAMES),
)
TOPIC_LAYOUTS = (
    Layout(text="text", label="label"),
    Layout(text="text", label="category"),
)
NER_LAYOUTS = (
    Layout(text="tokens", label="ner_tags"),
    Layout(text="tokens", label="tags"),
    Layout(text="words", label="ner"),
)
POS_LAYOUTS = (
    Layout(text="tokens", label="upos"),
    Layout(text="tokens", label="pos_tags"),
    Layout(text="tokens", label="tags"),
    Layout(text="words", label="pos"),
)
SIMILARITY_LAYOUTS = (
    Layout(
        text="sentence1",
        pair="sentence2",
        label="score",
        headerless=("sentence1", "sentence2", "score"),
    ),
    Layout(text="sentence1", pair="sentence2", label="label"),
    Layout(text="sentence1", pair="sentence2", label="similarity_score"),
)
# SQuAD's own names (Rajpurkar et al. 2016); `id` is read too where it is there.
QUESTION_LAYOUTS = (Layout(text="context", pair="question", label="answers"),)
