"""Files of an unfinished corpus: units, joined into shards as soon as these are complete."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spacy_selectra.corpus.packed.format import SPLITS, Shard, Split, SplitRecord
from spacy_selectra.corpus.packed.units import PackedUnit, Unit
from spacy_selectra.util.files import atomic_file, read_json, write_json


class SourcesChanged(Exception):  # noqa: N818 - caught within the package, never shown
    """The texts of a unit have changed since it was packed."""


def save_array(path: Path, array: np.ndarray) -> None:
    """Write an .npy file atomically."""
    buffer = io.BytesIO()  # numpy's own error for a full disk does not tell the cause
    np.save(buffer, array)
    with atomic_file(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


@dataclass(frozen=True)
class ShardRecord:
    """Counts of a finished shard, of both splits.

    Attributes:
        digests: of its units, in order.
        piece_counts: int64, shape (vocabulary,): count of each piece in train.
        position: reading position after its last unit; None for local files.
    """

    digests: list[str]
    documents: int
    empty: int
    too_short: int
    splits: dict[Split, SplitRecord]
    piece_counts: np.ndarray
    position: dict[str, Any] | None = None


class ShardStore:
    """Keeps unit files `unit-NUMBER.DIGEST.npz` and joins them into shards.

    Args:
        directory: of the unfinished corpus, whose existing files are reused.
        units_per_shard: number of units in a shard.
        vocab_size: number of entries of the vocabulary.
    """

    def __init__(self, directory: Path, units_per_shard: int, vocab_size: int) -> None:
        self.directory = directory
        self._per_shard = units_per_shard
        self._vocab_size = vocab_size
        for leftover in directory.glob(".*.tmp-*"):  # of a run that was killed while writing
            leftover.unlink()
        self._records = [
            self._read_record(n) for n in range(len(list(directory.glob("shard-*.json"))))
        ]
        self._taken_up = len(self._records)
        self._digests: dict[int, str] = {}
        for path in directory.glob("unit-*.npz"):
            name = path.name.removesuffix(".npz")
            number, _, digest = name.removeprefix("unit-").partition(".")
            self._digests[int(number)] = digest
        self._positions: dict[int, dict[str, Any]] = {}
        self._last = -1

    def joined(self) -> ShardRecord | None:
        """The last complete shard, or None."""
        return self._records[-1] if self._records else None

    def skip_joined(self) -> int:
        """Skip the units of complete shards without checking; returns their number of documents."""
        self._last = self._joined_units() - 1
        return sum(record.documents for record in self._records)

    def path_of(self, unit: Unit) -> Path:
        """File of a packed unit."""
        return self.directory / f"unit-{unit.number:08}.{unit.digest}.npz"

    def is_finished(self, unit: Unit, position: dict[str, Any] | None = None) -> bool:
        """Whether the unit is already packed; must be called in the order of units.

        Args:
            unit: the next unit.
            position: reading position after it, see `ShardRecord`.

        Raises:
            SourcesChanged: it was packed from other texts.
        """
        self._last = unit.number
        shard, place = divmod(unit.number, self._per_shard)
        if position is not None and place == self._per_shard - 1:
            self._positions[unit.number] = position
        if shard < self._taken_up:
            digests = self._records[shard].digests
            if place >= len(digests) or digests[place] != unit.digest:
                raise SourcesChanged
            return True
        known = self._digests.get(unit.number)
        if known is not None and known != unit.digest:
            raise SourcesChanged
        return known is not None

    def finish(self, unit: Unit) -> None:
        """Record that the unit's file is written; joins a shard when all its units are."""
        self._digests[unit.number] = unit.digest
        while True:
            first = len(self._records) * self._per_shard
            numbers = range(first, first + self._per_shard)
            # Later units may have changed, even if they have a file.
            if numbers[-1] > self._last or any(n not in self._digests for n in numbers):
                return
            self._join(list(numbers))

    def close(self) -> list[ShardRecord]:
        """Join the last, shorter shard; returns the records of all shards.

        Raises:
            SourcesChanged: there was more text in the earlier run.
        """
        self._digests = {n: d for n, d in self._digests.items() if n >= self._joined_units()}
        if self._last + 1 < self._joined_units() or any(n > self._last for n in self._digests):
            raise SourcesChanged
        while self._joined_units() <= self._last:
            self._join(list(range(self._joined_units(), self._last + 1))[: self._per_shard])
        return self._records

    def remove_records(self) -> None:
        """Delete the files that only an unfinished corpus needs."""
        for pattern in ("shard-*.json", "shard-*.npy", "unit-*.npz"):
            for path in self.directory.glob(pattern):
                path.unlink()

    def _joined_units(self) -> int:
        return sum(len(record.digests) for record in self._records)

    def _join(self, numbers: list[int]) -> None:
        shard = len(self._records)
        digests = [self._digests[number] for number in numbers]
        paths = [
            self.directory / f"unit-{number:08}.{digest}.npz"
            for number, digest in zip(numbers, digests, strict=True)
        ]
        counts = np.zeros(7, dtype=np.int64)
        piece_counts = np.zeros(self._vocab_size, dtype=np.int64)
        splits: dict[Split, SplitRecord] = {}
        for split in SPLITS:
            shard_file = self._write_split(split, shard, paths, piece_counts)
            splits[split] = SplitRecord(
                sequences=shard_file.sequences if shard_file else 0,
                tokens=shard_file.tokens if shard_file else 0,
                shards=(shard_file,) if shard_file else (),
            )
        for path in paths:
            counts += PackedUnit.read_counts(path)
        for place, split in enumerate(SPLITS):
            totals = {"documents": int(counts[3 + place]), "unknown": int(counts[5 + place])}
            splits[split] = splits[split].model_copy(update=totals)
        position = self._positions.pop(numbers[-1], None)
        record = ShardRecord(
            digests, int(counts[0]), int(counts[1]), int(counts[2]), splits, piece_counts, position
        )
        self._write_record(shard, record)
        self._records.append(record)
        for number, path in zip(numbers, paths, strict=True):
            path.unlink()
            del self._digests[number]

    def _write_split(
        self, split: str, shard: int, paths: list[Path], piece_counts: np.ndarray
    ) -> Shard | None:
        name, index = f"{split}-{shard:05}.bin", f"{split}-{shard:05}.index.npy"
        digest = hashlib.sha256()
        lengths: list[np.ndarray] = []
        with atomic_file(self.directory / name) as temporary, open(temporary, "wb") as stream:
            for path in paths:
                pieces, unit_lengths = PackedUnit.read_split(path, split)
                data = pieces.tobytes()
                stream.write(data)
                digest.update(data)
                lengths.append(unit_lengths)
                if split == "train":
                    piece_counts += np.bincount(pieces, minlength=len(piece_counts))
        table = np.concatenate(lengths, axis=1)
        if not table.shape[1]:
            (self.directory / name).unlink()
            return None
        tokens = int(table[0].sum())
        table[0] = np.cumsum(table[0])
        save_array(self.directory / index, table.astype("<i8"))
        return Shard(
            file=name,
            index=index,
            sequences=table.shape[1],
            tokens=tokens,
            sha256=digest.hexdigest(),
        )

    def _write_record(self, shard: int, record: ShardRecord) -> None:
        save_array(self.directory / f"shard-{shard:05}.npy", record.piece_counts)
        values: dict[str, Any] = {
            "digests": record.digests,
            "documents": record.documents,
            "empty": record.empty,
            "too_short": record.too_short,
            "position": record.position,
            "splits": {name: split.model_dump() for name, split in record.splits.items()},
        }
        write_json(self.directory / f"shard-{shard:05}.json", values)

    def _read_record(self, shard: int) -> ShardRecord:
        values = read_json(self.directory / f"shard-{shard:05}.json")
        splits = {
            name: SplitRecord.model_validate(split) for name, split in values.pop("splits").items()
        }
        counts = np.load(self.directory / f"shard-{shard:05}.npy", allow_pickle=False)
        return ShardRecord(splits=splits, piece_counts=counts, **values)
