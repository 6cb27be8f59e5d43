"""Rows of data sets on the Hugging Face Hub, or in a directory laid out like one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.rows import UNLABELLED, Row


def hub_rows(hub: str, config: str | None, revision: str | None, split: str) -> Iterator[Row]:
    """Rows of a split, numbers of classes turned into their names.

    No code of a data set is ever run; one that is a loading script cannot be read. A number
    below 0 marks a row without label, as is the custom there: it comes as `UNLABELLED`.

    Args:
        hub: hub id, or local directory of parquet, JSON, CSV files.
        config: name of the configuration.
        revision: branch, tag or commit.
        split: name, also a slice of it such as "train[:100]" or "train[10%:]".

    Raises:
        SelectraError: no such data set, configuration or split, or no way to get it.
    """
    import datasets

    place = f"{hub} ({config}), {split}" if config else f"{hub}, {split}"
    # releases before 4 may run code unless told not to, later ones cannot and know no such word
    trust: Any = {"trust_remote_code": False} if int(datasets.__version__.split(".")[0]) < 4 else {}
    try:
        data = datasets.load_dataset(hub, config, split=split, revision=revision, **trust)
        names = {column: _class_names(kind) for column, kind in (data.features or {}).items()}
    except Exception as error:  # datasets and huggingface-hub raise many unrelated types
        reason = " ".join(str(error.__cause__ or error).split()) or type(error).__name__
        raise SelectraError(
            f"{place}: cannot be read ({reason}); check hub, hub_config and the names of splits"
        ) from error
    for number, row in enumerate(data):
        values = {
            column: _named(value, known) if (known := names.get(column)) else value
            for column, value in dict(row).items()
        }
        yield f"{place}, row {number}", values


def _class_names(feature: Any) -> list[str] | None:
    """Names of the classes of a column that holds a class, or a list of classes."""
    if isinstance(feature, (list, tuple)):
        feature = feature[0]
    while hasattr(feature, "feature"):
        feature = feature.feature
    return list(feature.names) if hasattr(feature, "num_classes") else None


def _named(value: Any, names: list[str]) -> Any:
    if isinstance(value, list):
        return [_named(item, names) for item in value]
    return names[value] if isinstance(value, int) and value >= 0 else UNLABELLED
