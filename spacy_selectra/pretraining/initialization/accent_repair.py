"""Accent repair: initialising the embeddings of under-trained entries with accents.

The tokenizer of SELECTRA's published checkpoints strips accents, while their vocabulary has them:
"niño" was trained as "nino". So an entry gets the embedding of the same word without accents or,
if the vocabulary has no such entry, the mean of the pieces it is split into without accents.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch

from spacy_selectra.encoder.checkpoint import load_discriminator, load_generator, save_model
from spacy_selectra.encoder.heads import Discriminator, Generator
from spacy_selectra.encoder.hub import find_discriminator, find_generator
from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.initialization.undertrained import (
    Statistics,
    Undertrained,
    find_undertrained,
)
from spacy_selectra.text.normalization import has_accent, is_reserved, split_entry, strip_accents
from spacy_selectra.text.tokenizer import (
    Vocabulary,
    load_declared,
    load_tokenizer,
    read_vocabulary,
)
from spacy_selectra.util.files import atomic_directory, read_json, write_json

REPAIR_FILE = "repair.json"
FORMAT = "spacy-selectra repair"
FORMAT_VERSION = 1
Method = Literal["twin", "pieces", "left"]


@dataclass(frozen=True)
class RepairedEntry:
    """An under-trained entry and the source of its new embedding.

    Attributes:
        id: row of the embeddings.
        piece: the entry.
        cosine: statistic of `undertrained`; None if the entry was found by rule.
        method: "twin" (copied from the entry without accents), "pieces" (mean of several) or
            "left" (unchanged).
        sources: the entries whose embeddings it gets.
    """

    id: int
    piece: str
    cosine: float | None
    method: Method
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Repair:
    """Result of `repair_checkpoint`.

    Attributes:
        checkpoint: the argument.
        entries: the under-trained entries, by id.
        statistics: the evidence for them.
        written: the output directory, None if nothing was written.
    """

    checkpoint: str
    entries: tuple[RepairedEntry, ...]
    statistics: Statistics
    written: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """The content of repair.json."""
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "checkpoint": self.checkpoint,
            "statistics": asdict(self.statistics),
            "methods": self.methods(),
            "entries": [asdict(entry) for entry in self.entries],
        }

    def methods(self) -> dict[str, int]:
        """Number of entries by method."""
        names: tuple[Method, ...] = ("twin", "pieces", "left")
        return {name: sum(e.method == name for e in self.entries) for name in names}


def repair_checkpoint(
    checkpoint: str | Path,
    output: Path | None,
    generator: str | Path | None = None,
) -> Repair:
    """Find the under-trained entries of a discriminator and write a repaired checkpoint.

    It has `discriminator/` and, if there is one, `generator/`, in transformers' format and with
    a tokenizer that keeps accents, and `repair.json`. If no entry is found, nothing is written.

    Args:
        checkpoint: directory or hub id of a discriminator, or a pretraining output.
        output: directory to write; None for analysis only.
        generator: the generator trained with it, which gets the same rows; None for that of the
            pretraining output, if there is one.

    Raises:
        SelectraError: no such checkpoint, tokenizer and weights that do not fit together, an
            output directory that holds something else, or under-trained entries cannot be told
            from others.
    """
    directory, beside = find_discriminator(checkpoint)
    generator_directory = beside if generator is None else find_generator(generator)
    if output is not None:
        _check_output(output)
    vocabulary = read_vocabulary(directory)
    discriminator = load_discriminator(directory)
    networks: dict[str, Discriminator | Generator] = {"discriminator": discriminator}
    if generator_directory is not None:
        networks["generator"] = load_generator(generator_directory)
    for network in networks.values():
        if network.config.vocab_size < vocabulary.size:
            raise SelectraError(
                f"{directory}: the tokenizer has {vocabulary.size} entries, the model only "
                f"{network.config.vocab_size} embeddings"
            )
    weight = discriminator.encoder.embeddings.word_embeddings.weight
    rules = load_declared(directory).normalizer
    found = find_undertrained(
        weight[: vocabulary.size],
        vocabulary.pieces,
        vocabulary.special_ids,
        strips_accents=rules is not None and not has_accent(rules.normalize_str("ñ")),
    )
    repair = Repair(str(checkpoint), plan_repair(vocabulary, found), found.statistics)
    if output is None or not repair.entries:
        return repair
    ids = {piece: index for index, piece in enumerate(vocabulary.pieces)}
    for network in networks.values():
        apply_repair(network, repair.entries, ids)
    tokenizer = load_tokenizer(directory)
    with atomic_directory(output) as temporary:
        for name, network in networks.items():
            save_model(network, temporary / name)
            tokenizer.save_pretrained(str(temporary / name))
        write_json(temporary / REPAIR_FILE, repair.to_dict())
    return replace(repair, written=output)


def plan_repair(vocabulary: Vocabulary, found: Undertrained) -> tuple[RepairedEntry, ...]:
    """Choose the sources of the new embedding of every under-trained entry."""
    others = {*found.ids, *vocabulary.special_ids}
    trained = {piece for index, piece in enumerate(vocabulary.pieces) if index not in others}
    return tuple(
        _plan(index, vocabulary.pieces[index], cosine, trained)
        for index, cosine in zip(found.ids, found.cosines, strict=True)
    )


@torch.no_grad()
def apply_repair(
    network: Discriminator | Generator, entries: Iterable[RepairedEntry], ids: dict[str, int]
) -> None:
    """Set the token embeddings of the entries, and a generator's output biases.

    An embedding becomes the mean of its sources. A bias is roughly a log frequency. The frequency
    of a source is now shared with the n entries made from it, so they get its bias minus
    log(1 + n). The sources themselves are unchanged.
    """
    weight = network.encoder.embeddings.word_embeddings.weight
    entries = [entry for entry in entries if entry.sources]
    taken = Counter(source for entry in entries for source in entry.sources)
    bias = network.head.bias if isinstance(network, Generator) else None
    for entry in entries:
        sources = [ids[piece] for piece in entry.sources]
        weight[entry.id] = weight[sources].mean(dim=0)
        if bias is not None:
            shares = [math.log(1 + taken[piece]) for piece in entry.sources]
            bias[entry.id] = (bias[sources] - bias.new_tensor(shares)).mean()


def read_rows(path: Path, pieces: Sequence[str]) -> list[int]:
    """The ids in a repair.json.

    Args:
        path: of the file.
        pieces: the vocabulary, which must be that of the repair.

    Raises:
        SelectraError: another kind of file, or one for another vocabulary.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise SelectraError(f"{path}: is not a repair.json written by 'vocab repair'")
    if content.get("format_version") != FORMAT_VERSION:
        raise SelectraError(
            f"{path}: has format version {content.get('format_version')}, but only "
            f"{FORMAT_VERSION} can be read; repair the checkpoint again"
        )
    rows: list[int] = []
    for entry in content["entries"]:
        index = entry["id"]
        if not 0 <= index < len(pieces) or pieces[index] != entry["piece"]:
            raise SelectraError(
                f"{path}: entry {index} is '{entry['piece']}', but not so in the tokenizer of "
                "[paths]; use the tokenizer in the same directory as repair.json"
            )
        rows.append(index)
    return rows


def _plan(index: int, piece: str, cosine: float | None, trained: set[str]) -> RepairedEntry:
    if is_reserved(piece):
        return RepairedEntry(index, piece, cosine, "left", ())
    twin = strip_accents(piece)
    if twin != piece and twin in trained:
        return RepairedEntry(index, piece, cosine, "twin", (twin,))
    pieces = tuple(split_entry(twin, trained)) if twin else ()
    return RepairedEntry(index, piece, cosine, "pieces" if pieces else "left", pieces)


def _check_output(output: Path) -> None:
    if output.is_dir() and any(output.iterdir()) and not (output / REPAIR_FILE).is_file():
        raise SelectraError(f"{output}: is not empty and holds no repair; use another directory")
