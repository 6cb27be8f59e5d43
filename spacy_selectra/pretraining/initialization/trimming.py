"""A small encoder of one language out of a large one of many.

Most of a multilingual encoder's weights are embeddings of pieces that a language never uses.
Without them it computes the same (Abdaoui et al. 2020, "Load what you need: smaller versions of
multilingual BERT", section 3). Of its layers, the upper ones are those that fine-tuning misses
least (Sajjad et al. 2023, "On the effect of dropping layers of pre-trained transformer models",
section 5.1).

The result is an ELECTRA discriminator with a cased WordPiece vocabulary. BERT's encoder is
ELECTRA's with embeddings as wide as the layers, so its weights fit; the head is new.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from spacy_selectra.corpus.vocabulary import reachable_only
from spacy_selectra.encoder.checkpoint import read_checkpoint, save_model
from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.heads import Discriminator
from spacy_selectra.encoder.hub import resolve_model
from spacy_selectra.encoder.serialization import encoder_from_tensors
from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.initialization.vocabulary_transfer import transfer_vocabulary
from spacy_selectra.text.encode import encodings
from spacy_selectra.text.normalization import CONTINUATION
from spacy_selectra.text.tokenizer import (
    SPECIAL_ROLES,
    SPECIAL_TOKENS,
    entries,
    load_tokenizer,
    plain_copy,
    save_tokenizer,
)
from spacy_selectra.util.files import atomic_directory

# What SentencePiece puts before the first piece of a word.
_WORD_START = "▁"


@dataclass(frozen=True)
class Trimmed:
    """What `trim_encoder` has written.

    Attributes:
        entries: of the new vocabulary.
        old_entries: of the old one.
        layers: of the new network.
        parameters: of its encoder.
        pieces: pieces of the old vocabulary in the text.
        kept: share of them that are an entry of the new one.
    """

    entries: int
    old_entries: int
    layers: int
    parameters: int
    pieces: int
    kept: float


def trim_encoder(
    model: str | Path,
    texts: Iterable[str],
    output: str | Path,
    *,
    layers: int | None = None,
    min_count: int = 2,
) -> Trimmed:
    """Keep the pieces that `texts` use and the lowest layers of an encoder.

    Args:
        model: directory or hub id of a BERT or an ELECTRA discriminator with a cased WordPiece or
            SentencePiece (Unigram) vocabulary.
        texts: of the language to keep.
        output: directory of the discriminator and its tokenizer, written atomically.
        layers: number of layers to keep; None for all.
        min_count: times a piece must occur in the texts.

    Raises:
        SelectraError: no such model, one of another kind, more layers than it has, or texts
            without a piece.
    """
    directory = resolve_model(model)
    tokenizer: Any = load_tokenizer(directory)
    special = [getattr(tokenizer, f"{role}_id") for role in SPECIAL_ROLES]
    if None in special:
        raise SelectraError(f"{model}: its tokenizer has no {SPECIAL_ROLES[special.index(None)]}")
    backend = plain_copy(tokenizer.backend_tokenizer)
    discriminator = _read_network(directory, layers)
    pieces, characters = _count(backend, texts)
    names = _names(backend, set(special), model)
    used = {names[index]: index for index, n in pieces.items() if n >= min_count and index in names}
    if not used:
        raise SelectraError(f"no piece of {model} occurs {min_count} times in the texts")
    common = (character for character, n in characters.items() if n >= min_count)
    sources = dict(zip(SPECIAL_TOKENS, ([index] for index in special), strict=True))
    sources |= _sources(used, names, common, backend, set(special))
    new = reachable_only(list(sources), len(sources))
    sources = {entry: sources[entry] for entry in entries(new)}

    transfer_vocabulary(discriminator, list(sources.values()))
    positions = discriminator.config.max_position_embeddings
    with atomic_directory(output) as temporary:
        save_model(discriminator, temporary)
        save_tokenizer(new, temporary, min(tokenizer.model_max_length, positions))
    kept = {index for ids in sources.values() for index in ids} - set(special)
    return Trimmed(
        entries=new.get_vocab_size(),
        old_entries=backend.get_vocab_size(),
        layers=discriminator.config.num_hidden_layers,
        parameters=sum(weight.numel() for weight in discriminator.encoder.parameters()),
        pieces=pieces.total(),
        kept=sum(n for index, n in pieces.items() if index in kept) / pieces.total(),
    )


def _read_network(directory: Path, layers: int | None) -> Discriminator:
    config, tensors = read_checkpoint(directory)
    kind = config.get("model_type")
    if kind not in ("bert", "electra"):
        raise SelectraError(f"{directory}: is of type '{kind}', but must be bert or electra")
    if kind == "bert":
        config = {**config, "embedding_size": config.get("hidden_size")}
    depth = int(config.get("num_hidden_layers", 0))
    if layers is not None and not 1 <= layers <= depth:
        raise SelectraError(f"{directory}: has {depth} layers, so 1 to {depth} can be kept")
    config = {**config, "model_type": "electra", "num_hidden_layers": layers or depth}
    bare = {name.removeprefix(f"{kind}."): tensor for name, tensor in tensors.items()}
    model = Discriminator(EncoderConfig.from_dict(config))
    model.encoder.load_state_dict(encoder_from_tensors(config, bare).state_dict())
    return model


def _count(backend: Tokenizer, texts: Iterable[str]) -> tuple[Counter[int], Counter[str]]:
    """How often each piece, by id, and each character occurs."""
    pieces: Counter[int] = Counter()
    characters: Counter[str] = Counter()

    def lines() -> Iterator[str]:
        for text in texts:
            characters.update(unicodedata.normalize("NFC", text))
            yield from text.splitlines()

    for encoding in encodings(backend, lines()):
        pieces.update(encoding.ids)
    return pieces, characters


def _names(backend: Tokenizer, special: set[int], model: str | Path) -> dict[int, str]:
    """The names that pieces have in WordPiece, without those that it cannot have."""
    normalizer = backend.normalizer
    if normalizer is not None and normalizer.normalize_str("Ñ") != "Ñ":
        raise SelectraError(f"{model}: its tokenizer drops case or accents")
    old = {name: index for name, index in backend.get_vocab().items() if index not in special}
    kind = type(backend.model).__name__
    if kind == "WordPiece":
        return {index: name for name, index in old.items()}
    if kind != "Unigram" or not any(name.startswith(_WORD_START) for name in old):
        raise SelectraError(
            f"{model}: its vocabulary is of type {kind}, but must be WordPiece or SentencePiece "
            "(Unigram)"
        )
    names: dict[int, str] = {}
    for name, index in old.items():
        body = name.removeprefix(_WORD_START)
        if not body or _WORD_START in body or body != unicodedata.normalize("NFC", body):
            continue
        if not any(map(_is_punctuation, body)):
            names[index] = body if len(body) < len(name) else CONTINUATION + body
        elif len(body) == 1 and (body == name or body not in old):
            # WordPiece splits words at punctuation, SentencePiece mostly continues them with it
            names[index] = body
    return names


def _sources(
    used: Mapping[str, int],
    names: Mapping[int, str],
    characters: Iterable[str],
    backend: Tokenizer,
    special: set[int],
) -> dict[str, list[int]]:
    """The old ids of each new entry: pieces in use, and every character at both places in a word.

    A character that the old vocabulary has at one place only is the same piece at the other; one
    that it has not at all, since SentencePiece writes it in another way, the mean of those pieces.
    """
    old = {name: index for index, name in names.items()}
    without = special | {backend.get_vocab().get(_WORD_START, -1)}
    sources = {name: [index] for name, index in sorted(used.items(), key=lambda item: item[1])}
    for character in sorted(characters):
        if character.isspace() or unicodedata.category(character).startswith("C"):
            continue
        places = [character]
        if not _is_punctuation(character):
            places.append(CONTINUATION + character)
        ids = [old[place] for place in places if place in old]
        if not ids:
            spelled = backend.encode(character, add_special_tokens=False).ids
            ids = [index for index in spelled if index not in without]
        for place in places:
            if place not in sources and ids:
                sources[place] = [old[place]] if place in old else ids
    return sources


def _is_punctuation(character: str) -> bool:
    """Whether BERT's pre-tokenizer makes a word of it: ASCII symbols are, too."""
    return unicodedata.category(character).startswith("P") or (
        character.isascii() and character.isprintable() and not character.isalnum()
    )
