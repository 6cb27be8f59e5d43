"""The table of tasks: head, labels, metric, columns, source and licence.

General tasks are named after what a model has to do (`nli`, `ner`). Entries named after a data set
(`xnli`, `conll2002`) are such tasks with that data's labels, licence and hub id.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from spacy_selectra.encoder.heads import Head
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.tasks.columns import (
    NER_COLUMNS,
    NLI_COLUMNS,
    PARAPHRASE_COLUMNS,
    PARAPHRASE_NAMES,
    POS_COLUMNS,
    QUESTION_COLUMNS,
    SIMILARITY_COLUMNS,
    TOPIC_COLUMNS,
    ColumnSpec,
)


@dataclass(frozen=True)
class Hub:
    """A data set on the Hugging Face Hub, as plain files (no script).

    Attributes:
        id: name of the repository.
        config: name of the configuration, None if there is only one.
        train, dev, test: names of the splits, None for a missing one.
    """

    id: str
    config: str | None = None
    train: str | None = "train"
    dev: str | None = "validation"
    test: str | None = "test"


@dataclass(frozen=True)
class TaskSpec:
    """An entry of the table of tasks; with labels and a tokenizer it becomes a `Task`.

    Attributes:
        name: its name in configurations.
        head: kind of the head.
        labels: classes, entity types or tags in the order of the logits; None if the training
            split defines them (in alphabetical order). Values and spans have none.
        metric: the score for model selection and reports: "accuracy" or "macro_f1" for classes,
            "accuracy" for tags, "f1" for entities and spans, "pearson" for values.
        columns: possible column names of files; the first are those of our own JSON lines.
        source: the usual data sets for this task.
        licence: of these data sets.
        entities: whether tags are IOB tags, scored as whole entities.
        drop: entity types that are read as O.
        scale: lowest and highest value, for "value".
        hub: the data set on the hub, None if it is not there.
    """

    name: str
    head: Head
    labels: tuple[str, ...] | None
    metric: str
    columns: tuple[ColumnSpec, ...]
    source: str
    licence: str
    entities: bool = False
    drop: frozenset[str] = frozenset()
    scale: tuple[float, float] | None = None
    hub: Hub | None = None

    @property
    def pairs(self) -> bool:
        """Whether an example is a pair of texts."""
        return self.columns[0].pair is not None


# Contradiction first and entailment last, as in the published zero-shot SELECTRA and as
# transformers' zero-shot pipeline assumes for independent labels.
NLI_LABELS = ("contradiction", "neutral", "entailment")

# The universal parts of speech (Nivre et al. 2020); a treebank may use only some of them.
# fmt: off
UPOS = (
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN",
    "PUNCT", "SCONJ", "SYM", "VERB", "X",
)
# fmt: on

NLI = TaskSpec(
    name="nli",
    head="classes",
    labels=NLI_LABELS,
    metric="accuracy",
    columns=NLI_COLUMNS,
    source="XNLI (Conneau et al. 2018); InferES (Kovatchev and Taulé 2022)",
    licence="XNLI CC BY-NC 4.0; InferES states none",
)
PARAPHRASE = TaskSpec(
    name="paraphrase",
    head="classes",
    labels=tuple(PARAPHRASE_NAMES.values()),
    metric="accuracy",
    columns=PARAPHRASE_COLUMNS,
    source="PAWS-X (Yang et al. 2019)",
    licence="free for any purpose with acknowledgement of Google",
)
TOPICS = TaskSpec(
    name="topics",
    head="classes",
    labels=None,
    metric="accuracy",
    columns=TOPIC_COLUMNS,
    source="SIB-200 (Adelani et al. 2024), spa_Latn",
    licence="CC BY-SA 4.0",
)
NER = TaskSpec(
    name="ner",
    head="tags",
    labels=None,
    metric="f1",
    columns=NER_COLUMNS,
    source="CoNLL-2002 (Tjong Kim Sang 2002); AnCora (Taulé et al. 2008)",
    licence="CoNLL-2002 research use only; AnCora CC BY 4.0",
    entities=True,
)
POS = TaskSpec(
    name="pos",
    head="tags",
    labels=None,
    metric="accuracy",
    columns=POS_COLUMNS,
    source="Universal Dependencies (Nivre et al. 2020), Spanish treebanks",
    licence="each treebank its own",
)
SIMILARITY = TaskSpec(
    name="similarity",
    head="value",
    labels=None,
    metric="pearson",
    columns=SIMILARITY_COLUMNS,
    source="STS Spanish (Agirre et al. 2014, 2015)",
    licence="states none: research use",
)
QA = TaskSpec(
    name="qa",
    head="spans",
    labels=None,
    metric="f1",
    columns=QUESTION_COLUMNS,
    source="SQuAD-es (Carrino et al. 2020); SQAC (Gutiérrez-Fandiño et al. 2022)",
    licence="each data set its own",
)

# CoNLL-2002 and SQAC are loading scripts on the hub, which `datasets` no longer runs; use their
# files instead.
DATA_SETS = (
    replace(
        NER,
        name="conll2002",
        labels=("LOC", "MISC", "ORG", "PER"),
        source="CoNLL-2002 shared task, Spanish (Tjong Kim Sang 2002)",
        licence="research use only, no commercial use",
    ),
    # With all six types of its files, DATE and NUM included. The four types of names are another
    # task; scores are not comparable.
    replace(
        NER,
        name="ancora_ner",
        labels=("DATE", "LOC", "MISC", "NUM", "ORG", "PER"),
        source="AnCora-ES (Taulé et al. 2008), entities PER, LOC, ORG, MISC, DATE, NUM",
        licence="CC BY 4.0",
    ),
    replace(
        NER,
        name="ancora_names",
        labels=("LOC", "MISC", "ORG", "PER"),
        drop=frozenset({"DATE", "NUM"}),
        source="AnCora-ES (Taulé et al. 2008), names only, as in CoNLL-2002",
        licence="CC BY 4.0",
    ),
    replace(
        NER,
        name="capitel_ner",
        labels=("LOC", "ORG", "OTH", "PER"),
        source="CAPITEL-EVAL, subtask 1 (Porta-Zamorano and Espinosa-Anke 2020)",
        licence="from its makers on agreement, research use",
    ),
    replace(
        POS,
        name="ud_pos",
        labels=UPOS,
        source="Universal Dependencies, Spanish AnCora and GSD (Nivre et al. 2020)",
        licence="AnCora CC BY 4.0; GSD CC BY-SA 4.0",
    ),
    replace(
        PARAPHRASE,
        name="pawsx",
        columns=tuple(
            # NS marks pairs that could not be translated; published scores leave them out as well
            replace(columns, untranslated=frozenset({"NS", ""}))
            for columns in PARAPHRASE_COLUMNS
        ),
        hub=Hub("google-research-datasets/paws-x", "es"),
    ),
    replace(
        NLI,
        name="xnli",
        source="XNLI (Conneau et al. 2018), Spanish",
        licence="CC BY-NC 4.0 (non-commercial)",
        hub=Hub("facebook/xnli", "es"),
    ),
    replace(
        SIMILARITY,
        name="sts_es",
        source="SemEval STS Spanish 2014 and 2015 (Agirre et al. 2014, 2015)",
        scale=(0.0, 5.0),
    ),
    replace(
        TOPICS,
        name="mldoc",
        labels=("CCAT", "ECAT", "GCAT", "MCAT"),
        columns=(ColumnSpec(text="text", label="label", headerless=("label", "text")),),
        source="MLDoc (Schwenk and Li 2018), Spanish",
        licence="Reuters corpora RCV1 and RCV2: by agreement with NIST, research use",
    ),
    replace(
        TOPICS,
        name="sib200",
        labels=(
            "entertainment",
            "geography",
            "health",
            "politics",
            "science/technology",
            "sports",
            "travel",
        ),
    ),
    replace(
        QA,
        name="xquad",
        source="XQuAD (Artetxe et al. 2020), Spanish; no training split",
        licence="CC BY-SA 4.0",
        hub=Hub("google/xquad", "xquad.es", train=None, dev=None, test="validation"),
    ),
    replace(
        QA,
        name="tar",
        source="SQuAD-es, made by translate, align, retrieve (Carrino et al. 2020)",
        licence="CC BY 4.0",
    ),
    replace(
        QA,
        name="mlqa",
        source="MLQA (Lewis et al. 2020), Spanish questions and contexts; no training split",
        licence="CC BY-SA 3.0",
        hub=Hub("google/xtreme", "MLQA.es.es", train=None),
    ),
    replace(
        QA,
        name="sqac",
        source="SQAC (Gutiérrez-Fandiño et al. 2022)",
        licence="CC BY-SA 4.0",
    ),
)

TASKS: dict[str, TaskSpec] = {
    spec.name: spec for spec in (NLI, PARAPHRASE, TOPICS, NER, POS, SIMILARITY, QA, *DATA_SETS)
}


def task_spec(name: str) -> TaskSpec:
    """The task called `name`.

    Raises:
        SelectraError: no such task.
    """
    if name not in TASKS:
        raise SelectraError(f"no task '{name}' (there are: {', '.join(TASKS)})")
    return TASKS[name]
