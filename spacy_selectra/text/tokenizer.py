"""The definition of the tokenizer, for all stages from vocabulary training to serving.

Cased WordPiece that keeps accents: clean text, isolate CJK characters, compose accents (NFC), split
at white space and punctuation, longest match first (Devlin et al. 2019; Wu et al. 2016). The order
is that of transformers' slow `ElectraTokenizer`, so that both give the same ids for decomposed text
as well.

SELECTRA's published checkpoints were pretrained with accents stripped from the text, but kept in
the vocabulary. `load_tokenizer` and `load_backend` prevent this mistake: if the vocabulary has case
and accents, they are kept, whatever the files of the directory declare.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece

from spacy_selectra.errors import SelectraError
from spacy_selectra.text.normalization import CONTINUATION, normalizer, repair_normalizer
from spacy_selectra.util.files import (
    atomic_file,
    expanded,
    read_json,
    refuse_pointer,
    write_json,
    write_text,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# Their names in transformers' tokenizers.
SPECIAL_ROLES = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
MAX_LENGTH = 512

# transformers' value for an unknown length is 1e30, which turns truncation off.
_NO_LENGTH = 1_000_000


def make_tokenizer(vocabulary: Sequence[str]) -> Tokenizer:
    """The tokenizer of a vocabulary; ids are positions in the sequence.

    Raises:
        SelectraError: the special tokens are not the first five, or an entry occurs twice.
    """
    if tuple(vocabulary[: len(SPECIAL_TOKENS)]) != SPECIAL_TOKENS:
        raise SelectraError(f"a vocabulary must start with {' '.join(SPECIAL_TOKENS)}")
    ids = {entry: index for index, entry in enumerate(vocabulary)}
    if len(ids) != len(vocabulary):
        raise SelectraError("a vocabulary must not hold an entry twice")
    return _assemble(ids, SPECIAL_TOKENS, normalizer())


def save_tokenizer(
    tokenizer: Tokenizer, directory: str | Path, max_length: int = MAX_LENGTH
) -> None:
    """Write the files from which transformers loads the same tokenizer, with all settings explicit.

    Writes tokenizer.json, tokenizer_config.json, special_tokens_map.json and vocab.txt.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    clean = without_batching(tokenizer)
    with atomic_file(directory / "tokenizer.json") as temporary:
        clean.save(str(temporary), pretty=True)
    write_text(directory / "vocab.txt", "".join(entry + "\n" for entry in entries(clean)))
    special = dict(zip(SPECIAL_ROLES, SPECIAL_TOKENS, strict=True))
    write_json(directory / "special_tokens_map.json", special)
    added = {
        str(clean.token_to_id(token)): {
            "content": token,
            "lstrip": False,
            "normalized": False,
            "rstrip": False,
            "single_word": False,
            "special": True,
        }
        for token in SPECIAL_TOKENS
    }
    config = {
        "tokenizer_class": "ElectraTokenizer",
        "do_lower_case": False,
        "strip_accents": False,
        "tokenize_chinese_chars": True,
        "do_basic_tokenize": True,
        "clean_up_tokenization_spaces": False,
        "model_max_length": max_length,
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
        "padding_side": "right",
        "truncation_side": "right",
        "added_tokens_decoder": added,
        **special,
    }
    write_json(directory / "tokenizer_config.json", config)


def load_tokenizer(directory: str | Path) -> PreTrainedTokenizerFast:
    """The transformers tokenizer of a directory or hub model, with repaired normalisation.

    Works for any tokenizer of transformers. The normalisation of WordPiece tokenizers is set to
    what their vocabulary requires (see the module), and all get a finite `model_max_length`.

    Raises:
        SelectraError: there is no tokenizer.
    """
    tokenizer = load_unrepaired(directory)
    settings = repair_normalizer(tokenizer.backend_tokenizer, tokenizer.init_kwargs, SPECIAL_TOKENS)
    if settings is not None:
        tokenizer.init_kwargs.update(settings)
        for key, value in settings.items():  # transformers 5 saves these instead of the former
            setattr(tokenizer, key, value)
    if tokenizer.model_max_length > _NO_LENGTH:
        config = Path(directory) / "config.json"
        values = read_json(config) if config.is_file() else {}
        known = {"max_position_embeddings": MAX_LENGTH, **values}
        tokenizer.model_max_length = usable_positions(SimpleNamespace(**known))
    tokenizer.init_kwargs["model_max_length"] = tokenizer.model_max_length
    return tokenizer


def load_declared(directory: str | Path) -> Tokenizer:
    """The backend exactly as transformers loads it, without repairs (for audits).

    Raises:
        SelectraError: there is no tokenizer.
    """
    return without_batching(load_unrepaired(directory).backend_tokenizer)


def load_backend(directory: str | Path) -> Tokenizer:
    """The backend of a directory, without padding, truncation and transformers.

    Each call returns a new copy, because transformers turns on padding in the backend it uses.

    Raises:
        SelectraError: there is no tokenizer.
    """
    directory = expanded(directory)
    config_file = directory / "tokenizer_config.json"
    declared = read_json(config_file) if config_file.is_file() else {}
    for name in ("tokenizer.json", "vocab.txt"):
        refuse_pointer(directory / name)
    if (directory / "tokenizer.json").is_file():
        try:
            backend = Tokenizer.from_file(str(directory / "tokenizer.json"))
        except Exception as error:  # tokenizers raises plain Exception
            raise SelectraError(f"{directory}/tokenizer.json: {error}") from error
    elif (directory / "vocab.txt").is_file():
        words = (directory / "vocab.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n")
        special = [token for token in SPECIAL_TOKENS if token in words]
        # transformers' defaults for ELECTRA, for settings that the directory does not declare
        lowercase = declared.get("do_lower_case", True)
        strip = declared.get("strip_accents")
        rules = normalizer(lowercase=lowercase, strip_accents=lowercase if strip is None else strip)
        backend = _assemble({word: i for i, word in enumerate(words)}, special, rules)
    elif directory.is_dir():
        raise SelectraError(f"{directory}: neither tokenizer.json nor vocab.txt in this directory")
    else:
        raise SelectraError(f"{directory}: no such tokenizer directory")
    backend = without_batching(backend)
    repair_normalizer(backend, declared, SPECIAL_TOKENS)
    return backend


def fingerprint(directory: str | Path) -> str:
    """SHA-256 (hex) of everything that determines the ids of a text.

    Equal fingerprints mean equal pieces for every text. Saving and loading do not change it, nor
    do decoder and template.

    Raises:
        SelectraError: there is no tokenizer.
    """
    return fingerprint_of(load_backend(directory))


def fingerprint_of(tokenizer: Tokenizer) -> str:
    """The `fingerprint` of a tokenizer in memory."""
    state = json.loads(tokenizer.to_str())
    definition = {part: state[part] for part in ("model", "normalizer", "pre_tokenizer")}
    definition["added_tokens"] = sorted([t["id"], t["content"]] for t in state["added_tokens"])
    text = json.dumps(definition, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def entries(tokenizer: Tokenizer) -> list[str]:
    """All entries in the order of their ids.

    Raises:
        SelectraError: there are gaps between ids, which vocab.txt and embeddings do not allow.
    """
    ids = tokenizer.get_vocab(with_added_tokens=True)
    words = sorted(ids, key=ids.__getitem__)
    if words and ids[words[-1]] != len(words) - 1:
        raise SelectraError(f"the vocabulary has {len(words)} entries but ids up to {len(ids)}")
    return words


def wordpiece(ids: dict[str, int]) -> WordPiece:
    """The model; words of more than 100 characters are [UNK], as in BERT."""
    model: Any = WordPiece
    return model(
        ids,
        unk_token="[UNK]",
        continuing_subword_prefix=CONTINUATION,
        max_input_chars_per_word=100,
    )


def plain_copy(tokenizer: Tokenizer) -> Tokenizer:
    """A copy without padding and truncation, for which names such as "[SEP]" are ordinary text."""
    copy: Any = without_batching(tokenizer)
    copy.encode_special_tokens = True
    return copy


def _assemble(
    ids: dict[str, int], special: Iterable[str], rules: normalizers.Normalizer
) -> Tokenizer:
    tokenizer: Any = Tokenizer(wordpiece(ids))
    tokenizer.normalizer = rules
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[(token, ids[token]) for token in ("[CLS]", "[SEP]")],
    )
    tokenizer.decoder = decoders.WordPiece(prefix=CONTINUATION, cleanup=False)
    tokenizer.add_special_tokens(list(special))
    return tokenizer


def load_unrepaired(directory: str | Path, **options: Any) -> Any:
    """The transformers tokenizer of a directory or hub model, without repairs.

    Args:
        directory: of the tokenizer, or a hub id.
        options: of `AutoTokenizer.from_pretrained`.

    Raises:
        SelectraError: there is no tokenizer, or it has no fast backend.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(str(directory), use_fast=True, **options)
    except Exception as error:  # transformers raises OSError, ValueError, KeyError and others
        raise SelectraError(f"{directory}: no tokenizer can be loaded ({error})") from error
    if not getattr(tokenizer, "is_fast", False):
        raise SelectraError(f"{directory}: transformers has no fast tokenizer for this model")
    return tokenizer


def without_batching(tokenizer: Tokenizer) -> Tokenizer:
    """A copy without padding and truncation."""
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.no_padding()
    copy.no_truncation()
    return copy


def usable_positions(config: Any) -> int:
    """Longest sequence that a model's position embeddings allow, from its configuration."""
    positions = int(getattr(config, "max_position_embeddings", None) or _NO_LENGTH)
    # positions of RoBERTa and similar models begin after the padding id, by default 1
    if getattr(config, "model_type", "") in ("roberta", "xlm-roberta", "camembert"):
        padding = getattr(config, "pad_token_id", None)
        positions -= (1 if padding is None else int(padding)) + 1
    return positions


# Some position embeddings may be untrained, so that longer sequences give wrong results.
# `model_max_length` in tokenizer_config.json is the number of trained positions; transformers
# truncates there as well.
TOKENIZER_CONFIG = "tokenizer_config.json"


def longest_sequence(directory: str | Path, positions: int) -> int:
    """Maximum pieces of a sequence: that of the tokenizer, but no more than `positions`."""
    path = Path(directory) / TOKENIZER_CONFIG
    declared = read_json(path).get("model_max_length") if path.is_file() else None
    return positions if declared is None else min(positions, int(declared))


def declare_longest_sequence(directory: str | Path, length: int) -> None:
    """Set `model_max_length` of a tokenizer directory to `length`, unless it is less or missing."""
    path = Path(directory) / TOKENIZER_CONFIG
    if path.is_file():
        longest = longest_sequence(directory, length)
        write_json(path, {**read_json(path), "model_max_length": longest})


# The vocabulary, for pretraining.


@dataclass(frozen=True)
class Vocabulary:
    """Properties of a tokenizer directory.

    Attributes:
        directory: directory of the tokenizer.
        fingerprint: see `fingerprint`.
        pieces: the entries, in order of their ids.
        special_ids: ids of the special tokens, never masked.
        mask_id: id of [MASK].
        pad_id: id of [PAD].
    """

    directory: Path
    fingerprint: str
    pieces: tuple[str, ...]
    special_ids: tuple[int, ...]
    mask_id: int
    pad_id: int

    @property
    def size(self) -> int:
        """Number of entries."""
        return len(self.pieces)


def read_vocabulary(directory: str | Path) -> Vocabulary:
    """Read a tokenizer directory.

    Raises:
        SelectraError: there is no tokenizer, or a special token is missing.
    """
    backend = load_backend(directory)
    ids = {token: backend.token_to_id(token) for token in SPECIAL_TOKENS}
    missing = [token for token, number in ids.items() if number is None]
    if missing:
        raise SelectraError(f"{directory}: the vocabulary has no {', '.join(missing)}")
    entries = backend.get_vocab(with_added_tokens=True)
    return Vocabulary(
        directory=Path(directory),
        fingerprint=fingerprint_of(backend),
        pieces=tuple(sorted(entries, key=entries.__getitem__)),
        special_ids=tuple(ids.values()),
        mask_id=ids["[MASK]"],
        pad_id=ids["[PAD]"],
    )
