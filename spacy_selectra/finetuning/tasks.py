"""The tasks of the field in one table: columns, labels, metric, source and licence.

A task is known by what a model has to do (`nli`); the same task may be stored in several
file layouts (XNLI, InferES, plain JSON lines), told apart by their column names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from spacy_selectra.errors import SelectraError


@dataclass(frozen=True)
class Layout:
    """Columns of one kind of file.

    Attributes:
        text: column of the text, or of the first text of a pair.
        label: column of the class.
        pair: column of the second text, None for single texts.
        names: names in the file and the label each stands for; a name that is not here
            stands for itself.
        only: columns and the value a row must have to be read (XNLI's language column).
    """

    text: str
    label: str
    pair: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """Columns a file must have."""
        return [self.text, *([self.pair] if self.pair else []), self.label]


@dataclass(frozen=True)
class Task:
    """What a model learns.

    Attributes:
        name: its name in configurations.
        head: what stands on the encoder; "sequence" classifies from the [CLS] vector.
        labels: names of the classes in the order of the logits; None where the training
            file decides (alphabetical order).
        metric: the score that selects checkpoints and is reported, one of
            `spacy_selectra.finetuning.metrics.METRICS`.
        layouts: file layouts, the first one being our own JSON lines.
        source: the data sets the task is usually measured on.
        licence: what their owners allow.
    """

    name: str
    head: str
    labels: tuple[str, ...] | None
    metric: str
    layouts: tuple[Layout, ...]
    source: str
    licence: str

    @property
    def pairs(self) -> bool:
        """Whether an example is a pair of texts."""
        return self.layouts[0].pair is not None


# Entailment last and contradiction first: the order of the published zero-shot SELECTRA, and
# the one transformers' zero-shot pipeline assumes when labels are independent.
NLI_LABELS = ("contradiction", "neutral", "entailment")
PARAPHRASE_NAMES = {"0": "different", "1": "paraphrase"}

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task(
            name="nli",
            head="sequence",
            labels=NLI_LABELS,
            metric="accuracy",
            layouts=(
                Layout(text="premise", pair="hypothesis", label="label"),
                Layout(
                    text="sentence1", pair="sentence2", label="gold_label", only={"language": "es"}
                ),
                Layout(
                    text="Premise",
                    pair="Hypothesis",
                    label="Label",
                    names={"ent": "entailment", "cnt": "contradiction"},
                ),
            ),
            source="XNLI (Conneau et al. 2018); InferES (Kovatchev and Taulé 2022)",
            licence="XNLI CC BY-NC 4.0; InferES states none",
        ),
        Task(
            name="paraphrase",
            head="sequence",
            labels=tuple(PARAPHRASE_NAMES.values()),
            metric="accuracy",
            layouts=(
                Layout(text="sentence1", pair="sentence2", label="label", names=PARAPHRASE_NAMES),
            ),
            source="PAWS-X (Yang et al. 2019)",
            licence="free for any purpose with acknowledgement of Google",
        ),
        Task(
            name="topics",
            head="sequence",
            labels=None,
            metric="accuracy",
            layouts=(
                Layout(text="text", label="label"),
                Layout(text="text", label="category"),
            ),
            source="SIB-200 (Adelani et al. 2024), spa_Latn",
            licence="CC BY-SA 4.0",
        ),
    )
}


def get_task(name: str) -> Task:
    """The task called `name`.

    Raises:
        SelectraError: no such task.
    """
    if name not in TASKS:
        raise SelectraError(f"no task '{name}' (there are: {', '.join(TASKS)})")
    return TASKS[name]
