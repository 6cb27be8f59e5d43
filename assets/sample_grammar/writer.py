"""The whole sample: every file from one seed, always the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from sample_grammar import entailment, ner, paraphrase, surface, topics
from sample_grammar.documents import heldout_documents, train_documents
from sample_grammar.pools import SPLITS, Split
from sample_grammar.registers.all import GENRES
from spacy_selectra.errors import SelectraError
from spacy_selectra.util.files import atomic_directory

DEFAULT_SEED = 0
DEFAULT_DOCUMENTS = 1550
# One held-out document to so many training documents.
HELDOUT_SHARE = 12

NER_SIZES: dict[Split, int] = {"train": 1600, "dev": 250, "test": 300}
GENRE_SIZE = 280
TOPIC_SIZES: dict[Split, int] = {"train": 800, "dev": 120, "test": 160}
ENTAILMENT_SIZES: dict[Split, int] = {"train": 1800, "dev": 201, "test": 240}
PARAPHRASE_SIZES: dict[Split, int] = {"train": 800, "dev": 120, "test": 160}


def build_sample(seed: int = DEFAULT_SEED, count: int = DEFAULT_DOCUMENTS) -> dict[str, str]:
    """The files of the sample, by relative path.

    Args:
        seed: seed of all choices.
        count: number of training documents of raw text.

    Raises:
        SelectraError: fewer than one document.
    """
    if count < 1:
        raise SelectraError(f"{count} documents asked for: at least 1 is needed")
    files: dict[str, str] = {}
    forbidden: set[str] = set()
    premises: set[str] = set()
    for split in reversed(SPLITS):
        marked = ner.sentences(f"{seed} ner {split}", split, NER_SIZES[split], forbidden)
        labelled = topics.texts(f"{seed} topics {split}", split, TOPIC_SIZES[split], forbidden)
        inference = entailment.pairs(
            f"{seed} entailment {split}", split, ENTAILMENT_SIZES[split], premises
        )
        premises.update(pair["premise"] for pair in inference)
        if split != "train":
            forbidden.update(surface.plain(sentence) for sentence in marked)
            forbidden.update(s for sentences, _ in labelled for s in sentences)
        files[f"ner/{split}.conll"] = ner.to_conll(marked)
        files[f"topics/{split}.jsonl"] = _labelled(labelled)
        files[f"entailment/{split}.jsonl"] = _jsonl(inference)
        files[f"paraphrase/{split}.jsonl"] = _jsonl(
            paraphrase.pairs(f"{seed} paraphrase {split}", split, PARAPHRASE_SIZES[split])
        )
    unseen = frozenset(forbidden)
    genres = topics.texts(f"{seed} genres", "train", GENRE_SIZE, unseen, GENRES)
    files["genres/train.jsonl"] = _labelled(genres)
    heldout, written = heldout_documents(f"{seed} heldout", max(1, count // HELDOUT_SHARE), unseen)
    files["text/heldout.txt"] = heldout
    files["text/train.txt"] = train_documents(f"{seed} train", count, unseen | written)
    return files


def write_sample(
    directory: str | Path, seed: int = DEFAULT_SEED, count: int = DEFAULT_DOCUMENTS
) -> dict[str, int]:
    """Write the sample; returns the size of each file in bytes.

    Raises:
        SelectraError: the directory cannot be written.
    """
    files = build_sample(seed, count)
    sizes: dict[str, int] = {}
    with atomic_directory(directory) as temporary:
        for name, text in sorted(files.items()):
            data = text.encode("utf-8")
            target = temporary / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            sizes[name] = len(data)
    return sizes


def _labelled(texts: Sequence[tuple[Sequence[str], str]]) -> str:
    return _jsonl([{"text": " ".join(sentences), "label": label} for sentences, label in texts])


def _jsonl(rows: Sequence[Mapping[str, str]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
