"""The ways from text to words or entities that pipeline.py compares, and what they are given."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from spacy.tokens import Doc
from spacy_models import load_pipeline, selectra_model, stock_model, token_vectors
from stopwatch import Stopwatch, TimedComponent
from torch import Tensor
from transformers import AutoModel, AutoTokenizer

# Sequences of a padded batch, the fastest of which transformers alone is measured with.
BATCHES = (8, 16, 32, 64)
CHECKED = 32  # documents whose token vectors are compared


@dataclass(frozen=True)
class Task:
    """What is annotated how; only the first three differ between contenders."""

    kind: str
    precision: str
    strided: bool
    directory: str
    batch_size: int
    one: bool
    threads: int | None

    @property
    def encoder(self) -> Path:
        """Directory of the encoder, in transformers' format."""
        return Path(self.directory) / "encoder"

    @cached_property
    def texts(self) -> list[str]:
        """The documents."""
        return json.loads((Path(self.directory) / "texts.json").read_text(encoding="utf-8"))


class Contender(Protocol):
    """Annotates all documents, and says what it found."""

    def run(self, texts: list[str]) -> None:
        """Annotate documents and drop them."""
        ...

    def about(self) -> dict[str, Any]:
        """Settings it chose itself."""
        ...


class SpacyPipeline:
    """`transformer` and `ner` in spaCy, with the transformer of either package."""

    def __init__(self, task: Task) -> None:
        self.task = task
        if task.kind == "stock":
            model = stock_model(task.encoder)
        else:
            model = selectra_model(task.encoder, task.precision, task.strided)
        if task.precision == "medium":
            torch.set_float32_matmul_precision("medium")
        self.nlp = load_pipeline(Path(task.directory) / "pipeline", model)

    def docs(self, texts: list[str]) -> Iterator[Doc]:
        """Annotated documents, as they become ready."""
        if self.task.one:
            return (self.nlp(text) for text in texts)
        return self.nlp.pipe(texts, batch_size=self.task.batch_size)

    def run(self, texts: list[str]) -> None:
        for _ in self.docs(texts):
            pass

    def about(self) -> dict[str, Any]:
        return {}

    def outputs(self, texts: list[str], path: Path) -> dict[str, Any]:
        """Entities and pieces of all documents; token vectors of the first ones go to a file."""
        entities, vectors, tokens = [], [], 0
        for doc in self.docs(texts):
            entities.append([[ent.start_char, ent.end_char, ent.label_] for ent in doc.ents])
            tokens += len(doc)
            if len(vectors) < CHECKED:
                vectors.append(token_vectors(doc))
        np.save(path, np.concatenate(vectors))
        return {"entities": entities, "vectors": str(path), "tokens": tokens}

    def profile(self, texts: list[str]) -> dict[str, float]:
        """Seconds of one run by part; "rest" is what no other part accounts for."""
        transformer: Any = self.nlp.get_pipe("transformer")
        ner: Any = self.nlp.get_pipe("ner")
        encoder = next(shim for node in transformer.model.walk() for shim in node.shims)._model
        watch = Stopwatch()
        watch.watch(self.nlp, "make_doc", "spaCy tokenizer")
        watch.watch(transformer, "predict", "pieces and windows")
        watch.watch(encoder, "forward", "encoder")
        watch.watch(transformer, "set_annotations", "alignment and annotation")
        watch.watch(ner.model.get_ref("tok2vec"), "_func", "listener")
        timed = {"ner": TimedComponent(ner, watch, "ner", "rest")}
        self.nlp._components = [
            (name, timed.get(name, component)) for name, component in self.nlp.components
        ]
        self.run(texts)
        watch.clear()
        with watch.time("rest"):
            self.run(texts)
        return watch.seconds


class PlainTransformers:
    """transformers without spaCy: documents to vectors of words, and no entities.

    All documents are tokenised in one call and cut where the encoder ends; sequences are sorted by
    length and padded to the longest of their batch; words are means of their pieces.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        if task.precision == "medium":
            torch.set_float32_matmul_precision("medium")
        self.tokenizer: Any = AutoTokenizer.from_pretrained(task.encoder, use_fast=True)
        self.model: Any = _load_model(task.encoder).eval()
        self.batch = 1 if task.one else 0

    def run(self, texts: list[str]) -> None:
        if not self.batch:
            self.batch = min(BATCHES, key=lambda size: self._time(texts, size))
        if self.task.one:
            for text in texts:
                self.word_vectors([text], 1)
        else:
            self.word_vectors(texts, self.batch)

    def about(self) -> dict[str, Any]:
        return {"batch": self.batch, "attention": self.model.config._attn_implementation}

    def word_vectors(self, texts: list[str], size: int) -> list[Tensor]:
        """For every sequence, in order of length, its (words, H) vectors."""
        longest = self.model.config.max_position_embeddings
        found = self.tokenizer(
            texts, truncation=True, max_length=longest, return_overflowing_tokens=True
        )
        sequences = sorted(found.encodings, key=lambda sequence: -len(sequence.ids))
        vectors = []
        with torch.inference_mode():
            for first in range(0, len(sequences), size):
                vectors += self._batch(sequences[first : first + size])
        return vectors

    def _batch(self, sequences: Sequence[Any]) -> list[Tensor]:
        lengths = torch.tensor([len(sequence.ids) for sequence in sequences])
        present = torch.arange(int(lengths.max())) < lengths[:, None]
        ids = torch.full(present.shape, self.tokenizer.pad_token_id)
        ids[present] = torch.tensor([piece for sequence in sequences for piece in sequence.ids])
        hidden = self.model(input_ids=ids, attention_mask=present.long()).last_hidden_state
        words: list[int] = []
        counts = [0]
        for sequence in sequences:
            inside = sequence.word_ids[1:-1]
            begin, size = (inside[0], inside[-1] - inside[0] + 1) if inside else (0, 0)
            # special pieces go to a row behind all words
            words += (-1, *(counts[-1] + word - begin for word in inside), -1)
            counts.append(counts[-1] + size)
        rows = torch.tensor(words)
        rows[rows < 0] = counts[-1]
        sums = hidden.new_zeros(counts[-1] + 1, hidden.shape[-1])
        sums.index_add_(0, rows, hidden[present])
        means = sums / torch.bincount(rows, minlength=counts[-1] + 1).clamp(min=1)[:, None]
        return [means[begin:end] for begin, end in pairwise(counts)]

    def _time(self, texts: list[str], size: int) -> float:
        begin = time.perf_counter()
        self.word_vectors(texts, size)
        return time.perf_counter() - begin


def _load_model(directory: Path) -> Any:
    try:
        return AutoModel.from_pretrained(directory, attn_implementation="sdpa")
    except ValueError:  # not every version of transformers has it for every model
        return AutoModel.from_pretrained(directory)
