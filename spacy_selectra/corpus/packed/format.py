"""The description of a packed corpus: `manifest.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from spacy_selectra.errors import SelectraError
from spacy_selectra.util.files import read_json, write_json

MANIFEST = "manifest.json"
FORMAT = "spacy-selectra packed corpus"
FORMAT_VERSION = 1
Split = Literal["train", "heldout"]
SPLITS: tuple[Split, ...] = ("train", "heldout")


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Shard(_Record):
    """One file of pieces with its index.

    Attributes:
        file: flat array of piece ids, little-endian, of the manifest's `dtype`.
        index: .npy file, int64, shape (2, sequences): where each sequence ends in `file`, and
            the length of its first segment, [CLS] and first [SEP] included.
        sequences: number of sequences.
        tokens: number of pieces, special ones included.
        sha256: digest of `file`.
    """

    file: str
    index: str
    sequences: int
    tokens: int
    sha256: str


class SplitRecord(_Record):
    """Totals and files of a split; `unknown` counts the pieces that are [UNK]."""

    documents: int = 0
    sequences: int = 0
    tokens: int = 0
    unknown: int = 0
    shards: tuple[Shard, ...] = ()


class Source(_Record):
    """A source as it was given, with its size in bytes (None for the Hub)."""

    path: str
    bytes: int | None


class Manifest(_Record):
    """What `manifest.json` holds.

    Attributes:
        documents: documents read.
        empty: documents without any piece, left out.
        too_short: documents under `units.SHORTEST` pieces, left out.
        unseen_entries: entries of the vocabulary (special tokens aside) that never occur in
            train; `piece-counts.npy` holds the count of each entry.
    """

    format: str = FORMAT
    format_version: int = FORMAT_VERSION
    tokenizer_sha256: str
    vocab_size: int
    sequence_length: int
    dtype: Literal["uint16", "uint32"]
    seed: int
    heldout_share: float
    sources: tuple[Source, ...]
    heldout_sources: tuple[Source, ...] = ()
    documents: int
    empty: int
    too_short: int
    unseen_entries: int
    splits: dict[Split, SplitRecord]


def read_manifest(directory: str | Path) -> Manifest:
    """Read and check the manifest of a packed corpus.

    Raises:
        SelectraError: not a packed corpus, unfinished, or of another format version.
    """
    directory = Path(directory)
    path = directory / MANIFEST
    if not path.is_file():
        partial = partial_directory(directory)
        hint = f"; packing was not finished ({partial} is there)" if partial.is_dir() else ""
        raise SelectraError(f"{directory}: not a packed corpus, it has no {MANIFEST}{hint}")
    values = read_json(path)
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise SelectraError(f"{path}: not the manifest of a packed corpus")
    if values.get("format_version") != FORMAT_VERSION:
        raise SelectraError(
            f"{path}: format version {values.get('format_version')}, this version of "
            f"spacy-selectra reads {FORMAT_VERSION}; pack the corpus again"
        )
    try:
        return Manifest.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        raise SelectraError(f"{path}: damaged manifest ({place}: {problem['msg']})") from error


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write the manifest: the last file of a corpus, so that its presence means complete."""
    write_json(directory / MANIFEST, manifest.model_dump())


def partial_directory(output: Path) -> Path:
    """Where an unfinished corpus is kept: beside its final place."""
    return output.with_name(output.name + ".partial")
