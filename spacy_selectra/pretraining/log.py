"""log.jsonl: one row for every so many steps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spacy_selectra.errors import SelectraError
from spacy_selectra.files import write_text
from spacy_selectra.pretraining.settings import ObjectiveSettings


@dataclass
class Window:
    """Sums since the last row of the log.

    Attributes:
        mlm: generator's losses over masked pieces.
        rtd: discriminator's losses over all pieces.
        correction: corrector's losses over masked pieces.
        correct: pieces it judged right.
        masked: masked pieces.
        pieces: all pieces.
        seconds: time the steps took.
        steps: steps that were learnt from.
    """

    mlm: float = 0.0
    rtd: float = 0.0
    correction: float = 0.0
    correct: int = 0
    masked: int = 0
    pieces: int = 0
    seconds: float = 0.0
    steps: int = 0

    def add(self, sums: Sequence[float], masked: int, pieces: int, seconds: float) -> None:
        """Count one step; `sums` are `mlm`, `rtd`, `correction` and `correct`."""
        mlm, rtd, correction, correct = sums
        self.mlm += mlm
        self.rtd += rtd
        self.correction += correction
        self.correct += int(correct)
        self.masked += masked
        self.pieces += pieces
        self.seconds += seconds
        self.steps += 1

    def sequences(self, batch_size: int) -> int:
        """Sequences of these steps."""
        return self.steps * batch_size

    def row(self, objective: ObjectiveSettings) -> dict[str, float]:
        """Means over the window: losses a piece, share of right verdicts, pieces a second."""
        mlm = self.mlm / max(1, self.masked)
        rtd = self.rtd / max(1, self.pieces)
        correction = self.correction / max(1, self.masked)
        loss = objective.mlm_weight * mlm + objective.rtd_weight * rtd
        found = {
            "loss": loss + objective.correction_weight * correction,
            "mlm_loss": mlm,
            "rtd_loss": rtd,
            "rtd_accuracy": self.correct / max(1, self.pieces),
            "tokens_per_second": self.pieces / max(1e-9, self.seconds),
        }
        return found | ({"correction_loss": correction} if objective.correction_weight else {})

    def to_dict(self) -> dict[str, Any]:
        """All sums, for a checkpoint."""
        return asdict(self)


class JsonLines:
    """A growing file of JSON objects, each with a `step`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row.

        Raises:
            SelectraError: the file cannot be written.
        """
        try:
            with open(self.path, "a", encoding="utf-8", newline="\n") as stream:
                stream.write(json.dumps(row) + "\n")
        except OSError as error:
            raise SelectraError(
                f"{self.path}: could not be written ({error.strerror}); "
                "checkpoints are untouched, run the same command again to go on"
            ) from error

    def rows(self) -> list[dict[str, Any]]:
        """All whole rows; one that a kill cut off is left out."""
        if not self.path.is_file():
            return []
        result = []
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                result.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return result

    def rewind(self, step: int) -> None:
        """Drop rows of steps that will be made again."""
        if self.path.is_file():
            kept = [row for row in self.rows() if row["step"] <= step]
            write_text(self.path, "".join(json.dumps(row) + "\n" for row in kept))
