"""Packing: from text to memory-mapped shards of sequences.

The work is divided into units (see `units`). The main process reads the text; workers tokenise it,
cut it into sequences and write a file per unit; the main process joins the files of
`UNITS_PER_SHARD` consecutive units into a shard. The working directory is `OUT.partial`, which is
renamed to `OUT` when it is complete. After an interruption the same command continues with the
missing units. If texts or settings have changed, it starts again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from spacy_selectra.corpus.documents import DocumentStream, list_sources
from spacy_selectra.corpus.hub import HUB_PREFIX
from spacy_selectra.corpus.packed.format import (
    FORMAT_VERSION,
    MANIFEST,
    SPLITS,
    Manifest,
    Source,
    Split,
    SplitRecord,
)
from spacy_selectra.corpus.packed.shards import ShardRecord, ShardStore, SourcesChanged, save_array
from spacy_selectra.corpus.packed.units import (
    SHORTEST,
    Unit,
    UnitPacker,
    UnitSettings,
    piece_type,
    units_of,
)
from spacy_selectra.errors import SelectraError
from spacy_selectra.text.tokenizer import SPECIAL_TOKENS, fingerprint, load_backend
from spacy_selectra.util.files import partial_directory, read_json, write_json
from spacy_selectra.util.signals import StopRequest
from spacy_selectra.util.workers import Engine, EngineName

UNITS_PER_SHARD = 128
SHORTEST_LENGTH = 8
LONGEST_LENGTH = 1 << 15

_SETTINGS = "settings.json"


@dataclass(frozen=True)
class PackSettings:
    """Settings of packing.

    Attributes:
        length: longest sequence in pieces, special ones included (ELECTRA: 128 or 512).
        heldout: share of held-out documents, chosen by their text.
        seed: of the random choices in cutting documents into segments.
        text_key: key, column or field of the text.
        processes: number of worker processes; does not change the result.
        engine: kind of the processes, see `Engine`; does not change the result.
    """

    length: int = 512
    heldout: float = 0.01
    seed: int = 0
    text_key: str = "text"
    processes: int = 1
    engine: EngineName = "local"


@dataclass(frozen=True)
class PackResult:
    """The manifest, and messages for the user."""

    manifest: Manifest
    notices: list[str] = field(default_factory=list)


def pack_corpus(
    paths: str | Path | Sequence[str | Path],
    output: str | Path,
    tokenizer: str | Path,
    settings: PackSettings | None = None,
    heldout_paths: Sequence[str | Path] = (),
    progress: Callable[[int], None] = lambda documents: None,
) -> PackResult:
    """Pack a corpus; an earlier one at `output` is replaced when the new one is complete.

    Args:
        paths: training text, see `documents.read_documents`.
        output: directory to write.
        tokenizer: tokenizer directory.
        settings: settings of packing.
        heldout_paths: held-out text, in addition to the held-out share of `paths`; files in both
            are held out.
        progress: called with the number of documents finished since the last call.

    Raises:
        SelectraError: bad settings or sources, an output directory that holds something else,
            a full disk, a worker that died, or a request to stop (SIGINT, SIGTERM). In the last
            three cases, calling it again continues.
    """
    settings = settings or PackSettings()
    _check(settings)
    output = Path(output)
    _check_output(output)
    heldout_sources = _describe(heldout_paths) if heldout_paths else ()
    sources, shared = _apart(_describe(paths), heldout_sources)
    vocab_size = _check_tokenizer(tokenizer)
    identity = {
        "format_version": FORMAT_VERSION,
        "tokenizer_sha256": fingerprint(tokenizer),
        "length": settings.length,
        "heldout": settings.heldout,
        "seed": settings.seed,
    }
    partial = partial_directory(output)
    notices = [f"{path}: held out, so not used for training" for path in shared]
    if _prepare(partial, identity):
        notices.append("the settings have changed since the interrupted run: started again")
    while True:
        store = ShardStore(partial, UNITS_PER_SHARD, vocab_size)
        groups = (sources, heldout_sources)
        start = _start(store, groups)
        if start is not None:
            progress(store.skip_joined())
        units = _units(groups, settings, start)
        try:
            records = _pack_units(units, store, tokenizer, settings, progress)
            break
        except SourcesChanged:
            shutil.rmtree(partial)
            _prepare(partial, identity)
            notices.append("the texts have changed since the interrupted run: started again")
    splits: dict[Split, SplitRecord] = {split: _totals(records, split) for split in SPLITS}
    counts = sum((record.piece_counts for record in records), np.zeros(vocab_size, np.int64))
    save_array(partial / "piece-counts.npy", counts)
    manifest = Manifest(
        tokenizer_sha256=str(identity["tokenizer_sha256"]),
        vocab_size=vocab_size,
        sequence_length=settings.length,
        dtype="uint16" if piece_type(vocab_size).itemsize == 2 else "uint32",
        seed=settings.seed,
        heldout_share=settings.heldout,
        sources=sources,
        heldout_sources=heldout_sources,
        documents=sum(record.documents for record in records),
        empty=sum(record.empty for record in records),
        too_short=sum(record.too_short for record in records),
        unseen_entries=int(np.count_nonzero(counts[len(SPECIAL_TOKENS) :] == 0)),
        splits=splits,
    )
    if not splits["train"].sequences:
        raise SelectraError(
            f"nothing to train on: of {manifest.documents} documents {manifest.empty} are empty, "
            f"{manifest.too_short} too short and {splits['heldout'].documents} held out"
        )
    store.remove_records()
    (partial / _SETTINGS).unlink()
    # written last, so that a corpus with a manifest is complete
    write_json(partial / MANIFEST, manifest.model_dump())
    _move_into_place(partial, output)
    return PackResult(manifest, notices + _warnings(manifest))


def _check(settings: PackSettings) -> None:
    if not SHORTEST_LENGTH <= settings.length <= LONGEST_LENGTH:
        raise SelectraError(
            f"length must be between {SHORTEST_LENGTH} and {LONGEST_LENGTH} "
            f"(found {settings.length})"
        )
    if not 0.0 <= settings.heldout < 1.0:
        raise SelectraError(f"heldout must be at least 0 and below 1 (found {settings.heldout})")
    Engine(settings.engine, settings.processes)  # which checks them
    if settings.seed < 0:
        raise SelectraError(f"seed must be at least 0 (found {settings.seed})")


def _check_output(output: Path) -> None:
    occupied = output.exists() and (not output.is_dir() or any(output.iterdir()))
    if occupied and not (output / MANIFEST).is_file():
        raise SelectraError(f"{output}: exists and is not a packed corpus; use another directory")


def _check_tokenizer(directory: str | Path) -> int:
    backend = load_backend(directory)
    missing = [token for token in SPECIAL_TOKENS if backend.token_to_id(token) is None]
    if missing:
        raise SelectraError(f"{directory}: the vocabulary has no {' '.join(missing)}")
    return backend.get_vocab_size()


def _describe(paths: str | Path | Sequence[str | Path]) -> tuple[Source, ...]:
    return tuple(
        Source(path=path, bytes=None if path.startswith(HUB_PREFIX) else Path(path).stat().st_size)
        for path in list_sources(paths)
    )


def _apart(
    sources: tuple[Source, ...], heldout: tuple[Source, ...]
) -> tuple[tuple[Source, ...], list[str]]:
    """The sources to train on, and the paths of those that are held out."""
    if not heldout:
        return sources, []
    kept_back = {os.path.realpath(source.path) for source in heldout}
    training: list[Source] = []
    shared: list[str] = []
    for source in sources:
        if os.path.realpath(source.path) in kept_back:
            shared.append(source.path)
        else:
            training.append(source)
    if not training:
        raise SelectraError("nothing to train on: every source is held out")
    return tuple(training), shared


def _prepare(partial: Path, identity: dict[str, object]) -> bool:
    """Make the working directory; True if one with other settings was deleted."""
    path = partial / _SETTINGS
    cleared = False
    if partial.exists() and (not path.is_file() or read_json(path) != identity):
        cleared = path.is_file()
        shutil.rmtree(partial)
    if not partial.exists():
        partial.mkdir(parents=True)
        write_json(path, identity)
    return cleared


Groups = tuple[tuple[Source, ...], tuple[Source, ...]]  # of training, held out


def _start(store: ShardStore, groups: Groups) -> dict[str, Any] | None:
    """Position in a data set of the hub at which to resume reading, to save downloads.

    Local files are read again from the beginning and compared with what was packed.
    """
    record = store.joined()
    position = None if record is None else record.position
    if position is None or position["groups"] != _paths(groups):
        return None
    return position


def _paths(groups: Groups) -> list[list[str]]:
    return [[source.path for source in group] for group in groups]


def _units(
    groups: Groups, settings: PackSettings, start: dict[str, Any] | None
) -> Iterator[tuple[Unit, dict[str, Any] | None]]:
    """Each unit, and for data sets of the hub the reading position after it."""
    number = 0 if start is None else start["number"]
    first = 0 if start is None else start["group"]
    for place, group in enumerate(_paths(groups)):
        if not group or place < first:
            continue
        position = start["stream"] if start is not None and place == first else None
        stream = DocumentStream(group, settings.text_key, position=position)
        texts = (document.text for document in stream)
        for unit in units_of(texts, number, heldout=place == 1):
            number = unit.number + 1
            behind = stream.position()
            found = {"groups": _paths(groups), "group": place, "number": number, "stream": behind}
            yield unit, found if behind["hub"] is not None else None


def _pack_units(
    units: Iterator[tuple[Unit, dict[str, Any] | None]],
    store: ShardStore,
    tokenizer: str | Path,
    settings: PackSettings,
    progress: Callable[[int], None],
) -> list[ShardRecord]:
    rules = UnitSettings(settings.length, settings.heldout, settings.seed)
    waiting: list[Unit] = []
    make = partial(UnitPacker.of, load_backend(tokenizer).to_str(), rules)
    with (
        Engine(settings.engine, settings.processes) as engine,
        StopRequest() as stop,
        engine.workers(make) as workers,
    ):
        for unit, position in chain(units, ((None, None),)):
            if unit is not None and not store.is_finished(unit, position):
                workers.submit(unit)
                waiting.append(unit)
            elif unit is not None:
                progress(len(unit.texts))
            limit = workers.most_waiting if unit is not None and not stop.requested else 0
            while len(waiting) > limit:
                packed = workers.result()
                done = waiting.pop(0)
                packed.save(store.path_of(done))
                store.finish(done)
                progress(len(done.texts))
            if stop.requested:
                raise SelectraError(
                    f"stopped on request; finished parts are in {store.directory}: "
                    "run the same command again to continue"
                )
    return store.close()


def _totals(records: list[ShardRecord], split: Split) -> SplitRecord:
    parts = [record.splits[split] for record in records]
    return SplitRecord(
        documents=sum(part.documents for part in parts),
        sequences=sum(part.sequences for part in parts),
        tokens=sum(part.tokens for part in parts),
        unknown=sum(part.unknown for part in parts),
        shards=tuple(shard for part in parts for shard in part.shards),
    )


def _warnings(manifest: Manifest) -> list[str]:
    notices = []
    if manifest.empty or manifest.too_short:
        notices.append(
            f"left out {manifest.empty:,} empty documents and {manifest.too_short:,} with fewer "
            f"than {SHORTEST} pieces"
        )
    train = manifest.splits["train"]
    if train.unknown > 0.005 * train.tokens:
        notices.append(
            f"{train.unknown / train.tokens:.1%} of the pieces are [UNK]: "
            "check whether the vocabulary fits this text"
        )
    if not manifest.splits["heldout"].sequences:
        notices.append("no document is held out, so pretraining cannot be evaluated")
    return notices


def _move_into_place(partial: Path, output: Path) -> None:
    aside = output.with_name(f".{output.name}.old-{os.getpid()}")
    if output.exists():
        os.replace(output, aside)
    os.replace(partial, output)
    shutil.rmtree(aside, ignore_errors=True)
