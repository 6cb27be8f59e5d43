"""What a run has logged, read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.journal import EVALUATION_FILE, LOG_FILE
from spacy_selectra.pretraining.log import JsonLines

Row = Mapping[str, Any]

TRAINING_COLUMNS = (
    "step",
    "loss",
    "mlm_loss",
    "rtd_loss",
    "correction_loss",
    "rtd_accuracy",
    "learning_rate",
    "tokens_per_second",
    "utilization",
    "tokens_seen",
    "elapsed_seconds",
)
HELDOUT_COLUMNS = (
    "step",
    "accuracy",
    "precision",
    "recall",
    "f1",
    "auc",
    "average_precision",
    "rtd_loss",
    "mlm_loss",
    "mlm_accuracy",
)


class History(NamedTuple):
    """Rows of log.jsonl and of evaluation.jsonl, in order of their steps."""

    train: list[dict[str, Any]]
    heldout: list[dict[str, Any]]


def read_history(directory: Path) -> History:
    """Read them from a pretraining output, finished or not.

    Raises:
        SelectraError: there is no log, or no row in it.
    """
    train = JsonLines(directory / LOG_FILE).rows()
    if not train:
        raise SelectraError(
            f"{directory}: nothing in {LOG_FILE}; give the output directory of a pretraining run "
            "that has made training.log_every steps"
        )
    return History(train, JsonLines(directory / EVALUATION_FILE).rows())


def markdown_table(rows: Sequence[Row], columns: Sequence[str], limit: int) -> str:
    """At most `limit` rows as a Markdown table: evenly spaced, the last always among them.

    Columns that no row has are left out.
    """
    rows = _spaced(rows, limit)
    columns = [name for name in columns if any(name in row for row in rows)]
    cells = [columns, *([_cell(name, row.get(name)) for name in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|")
    return "\n".join(lines)


def _spaced(rows: Sequence[Row], limit: int) -> list[Row]:
    if len(rows) <= limit:
        return list(rows)
    # counted back from the last row, which is how the run ended
    return [rows[len(rows) - 1 - i * len(rows) // limit] for i in reversed(range(limit))]


def _cell(name: str, value: Any) -> str:
    if not isinstance(value, (int, float)):
        return ""
    if name == "learning_rate":
        return f"{value:.2e}"
    if isinstance(value, int) or name in ("tokens_per_second", "elapsed_seconds"):
        return f"{value:,.0f}"
    return f"{value:.4f}"
