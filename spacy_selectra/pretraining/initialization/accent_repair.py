"""Giving entries that were never trained an embedding to start from.

SELECTRA's published checkpoints read text without accents while their vocabulary kept them: what
"niño" means was learnt by "nino". So an entry takes over the embedding of its unaccented twin, and
where the vocabulary has none, the mean of the trained pieces its unaccented form is cut into.
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
    """One entry and where its new embedding comes from.

    Attributes:
        id: row of the embeddings.
        piece: the entry.
        cosine: how much it looks never trained, see `undertrained`; None if that is certain.
        method: "twin" (its unaccented form), "pieces" (their mean) or "left" (as it was).
        sources: the entries it was made from.
    """

    id: int
    piece: str
    cosine: float | None
    method: Method
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Repair:
    """What was found in a checkpoint, and done.

    Attributes:
        checkpoint: as it was named.
        entries: those never trained, by id.
        statistics: what that rests on.
        written: the directory written, if any.
    """

    checkpoint: str
    entries: tuple[RepairedEntry, ...]
    statistics: Statistics
    written: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """As it stands in repair.json."""
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "checkpoint": self.checkpoint,
            "statistics": asdict(self.statistics),
            "methods": self.methods(),
            "entries": [asdict(entry) for entry in self.entries],
        }

    def methods(self) -> dict[str, int]:
        """How many entries were repaired in which way."""
        names: tuple[Method, ...] = ("twin", "pieces", "left")
        return {name: sum(e.method == name for e in self.entries) for name in names}


def repair_checkpoint(
    checkpoint: str | Path,
    output: Path | None,
    generator: str | Path | None = None,
) -> Repair:
    """Find the under-trained entries of a discriminator, give them embeddings and write the result.

    Written are `discriminator/` and, if there is one, `generator/`, in transformers' format with
    a tokenizer that keeps accents, and `repair.json`. Nothing is written if nothing was found.

    Args:
        checkpoint: directory or hub id of a discriminator, or a pretraining output.
        output: directory to make; None to look only.
        generator: the generator trained with it, which gets the same rows; that of a pretraining
            output is found without.

    Raises:
        SelectraError: no such checkpoint, tokenizer and weights that do not fit together, an output
            directory that holds something else, or nothing to tell by what was never trained.
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
                f"{directory}: {vocabulary.size} entries for embeddings of "
                f"{network.config.vocab_size}"
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
    """Decide for every under-trained entry where its embedding is to come from."""
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
    """Set the rows of the entries in the token embeddings, and a generator's output biases.

    A row becomes the mean of its sources. A bias is about the logarithm of a frequency, and what a
    source stood for in the stripped text is now shared by it and the n entries made from it: they
    get its bias less log(1 + n). The sources themselves stay as they are.
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
    """The ids a repair.json names.

    Args:
        path: of the file.
        pieces: the vocabulary in use, which has to be that of the repair.

    Raises:
        SelectraError: not such a file, or of another vocabulary.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise SelectraError(f"{path}: is not the repair.json of 'vocab repair'")
    if content.get("format_version") != FORMAT_VERSION:
        raise SelectraError(
            f"{path}: has format version {content.get('format_version')}, this version reads "
            f"{FORMAT_VERSION}; repair the checkpoint again"
        )
    rows: list[int] = []
    for entry in content["entries"]:
        index = entry["id"]
        if not 0 <= index < len(pieces) or pieces[index] != entry["piece"]:
            raise SelectraError(
                f"{path}: entry {index} is '{entry['piece']}', but not in the tokenizer of "
                "[paths]; use the tokenizer that was written beside repair.json"
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
