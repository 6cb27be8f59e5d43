"""Annotation of pandas data frames, as from Spark's `mapInPandas`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from spacy_selectra.serving.bulk.parts import PartAnnotator, Work
from spacy_selectra.serving.bulk.rows import Row
from spacy_selectra.util.extras import required

if TYPE_CHECKING:
    import pandas as pd

SPARK_COLUMNS = (
    "ents array<struct<start:bigint,end:bigint,label:string,text:string,score:double>>, "
    "cats map<string,double>, "
    "replaced array<struct<start:bigint,end:bigint,text:string,score:double>>, "
    "zero_shot map<string,double>, "
    "error string"
)
"""Spark schema of the columns that `annotate_frames` adds."""

_FOUND = ("ents", "cats", "replaced", "zero_shot")


def annotate_frames(
    frames: Iterable[pd.DataFrame],
    pipeline: str,
    text_key: str = "text",
    labels: Sequence[str] = (),
    batch_size: int = 64,
) -> Iterator[pd.DataFrame]:
    """Add the columns `ents`, `cats`, `replaced`, `zero_shot` and `error` to each data frame.

    `ents` and `replaced` are lists of dictionaries, `cats` and `zero_shot` dictionaries, as written
    by `annotate`, or None without a component. Rows without valid text have only the reason in
    `error`, which is None otherwise.

    Each process loads a pipeline once, for any number of calls.

    Args:
        frames: data frames with the column `text_key`, and any others.
        pipeline: package, or a directory shared by all workers.
        text_key: column of the text.
        labels: for the zero-shot component.
        batch_size: documents per batch of `nlp.pipe`.

    Raises:
        SelectraError: the pipeline does not load, or has no component for the labels.
    """
    pd = required("pandas")
    annotator = _annotator(pipeline, text_key, tuple(labels), batch_size)
    for frame in frames:
        numbered = iter(enumerate(Row("", {text_key: text}) for text in frame[text_key]))
        columns: dict[str, list[Any]] = {name: [] for name in (*_FOUND, "error")}
        while batch := list(islice(numbered, batch_size)):
            with annotator.nlp.memory_zone():
                docs, problems = annotator.annotated(batch)
                records = {number: record for number, (record, _) in docs.items()}
                del docs
            for number, _ in batch:
                record = records.get(number, {})
                for name in _FOUND:
                    columns[name].append(record.get(name))
                columns["error"].append(problems.get(number))
        added = pd.DataFrame(columns, index=frame.index, dtype=object)  # None stays None
        yield frame.assign(**{name: added[name] for name in columns})


@lru_cache(maxsize=1)
def _annotator(
    pipeline: str, text_key: str, labels: tuple[str, ...], batch_size: int
) -> PartAnnotator:
    return PartAnnotator(Work(pipeline, "", text_key, labels, batch_size))
