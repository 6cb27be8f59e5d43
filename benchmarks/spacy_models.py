"""Encoder and pipelines of the benchmarks of spaCy pipelines."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import spacy
import torch
from sample import SAMPLE
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import load_config, load_model_from_config
from thinc.api import Adam, fix_random_seed

from spacy_selectra.components.corpora.labelled import conll_reader
from spacy_selectra.corpus.documents import read_documents
from spacy_selectra.corpus.vocabulary import VocabularySettings, train_vocabulary
from spacy_selectra.encoder.checkpoint import save_model
from spacy_selectra.encoder.config import preset
from spacy_selectra.encoder.heads import Discriminator
from spacy_selectra.text.tokenizer import save_tokenizer

STOCK = "spacy-transformers.TransformerModel.v3"
OURS = "spacy-selectra.SelectraModel.v1"

# What `spacy init config` writes for a transformer and named entities.
STRIDED = {"@span_getters": "spacy-transformers.strided_spans.v1", "window": 128, "stride": 96}
NER: dict[str, Any] = {
    "@architectures": "spacy.TransitionBasedParser.v2",
    "state_type": "ner",
    "extra_state_tokens": False,
    "hidden_width": 64,
    "maxout_pieces": 2,
    "use_upper": False,
    "tok2vec": {
        "@architectures": "spacy-transformers.TransformerListener.v1",
        "grad_factor": 1.0,
        "pooling": {"@layers": "reduce_mean.v1"},
    },
}

HEAD_BATCH = 32  # sentences
HEAD_RATE = 1e-3


def stock_model(encoder: Path) -> dict[str, Any]:
    """Configuration of spacy-transformers' architecture."""
    config = {"@architectures": STOCK, "name": str(encoder), "get_spans": STRIDED}
    return {**config, "tokenizer_config": {"use_fast": True}}


def selectra_model(encoder: Path, precision: str, strided: bool) -> dict[str, Any]:
    """Configuration of ours, with the stock spans or with whole documents."""
    config = {"@architectures": OURS, "name": str(encoder), "precision": precision}
    return {**config, "get_spans": STRIDED if strided else None}


def write_encoder(directory: Path, name: str, vocabulary: int, seed: int) -> None:
    """Random weights of a preset, and a vocabulary trained on the sample.

    The table of embeddings has the preset's size, however few entries the vocabulary has.
    """
    settings = VocabularySettings(size=vocabulary, heldout=0)
    trained = train_vocabulary(lambda: read_documents(SAMPLE / "text" / "train.txt"), settings)
    tokenizer = directory.with_name(f"{directory.name}-tokenizer")
    save_tokenizer(trained.tokenizer, tokenizer)
    torch.manual_seed(seed)
    save_model(Discriminator(preset(name)), directory, tokenizer=tokenizer)


def blank_pipeline(model: dict[str, Any]) -> Language:
    """`transformer` and `ner`, not initialised."""
    nlp = spacy.blank("es")
    nlp.add_pipe("transformer", config={"model": model})
    nlp.add_pipe("ner", config={"model": NER})
    return nlp


def write_pipeline(directory: Path, encoder: Path, train: Path, steps: int, seed: int) -> None:
    """Train an entity recogniser over stock's vectors; store all but the encoder.

    The encoder stays as it is and annotates the sentences once. So the head is far from good, but
    it finds entities of several types, and it is the same for everybody.

    Args:
        directory: where to.
        encoder: model directory.
        train: sentences in CoNLL-2002's columns.
        steps: updates; with 0 the head stays as it was drawn.
        seed: of weights and batches.
    """
    fix_random_seed(seed)
    nlp = blank_pipeline(stock_model(encoder))
    examples = list(conll_reader(train)(nlp))
    nlp.initialize(lambda: examples)
    if steps:
        rng = random.Random(seed)
        _train_head(nlp, rng.sample(examples, min(len(examples), 4 * steps)), steps, rng)
    nlp.to_disk(directory, exclude=["transformer"])


def _train_head(nlp: Language, examples: list[Example], steps: int, rng: random.Random) -> None:
    transformer: Any = nlp.get_pipe("transformer")
    ner: Any = nlp.get_pipe("ner")
    for _ in transformer.pipe(example.predicted for example in examples):
        pass
    optimizer = Adam(HEAD_RATE)
    for _ in range(steps):
        ner.update(rng.choices(examples, k=HEAD_BATCH), drop=0.1, sgd=optimizer)


def load_pipeline(directory: Path, model: dict[str, Any]) -> Language:
    """What `write_pipeline` stored, over the encoder that this configuration names."""
    config = load_config(directory / "config.cfg")
    config["components"]["transformer"]["model"] = model
    nlp = load_model_from_config(config, auto_fill=True)
    nlp.from_disk(directory, exclude=["transformer"])
    transformer: Any = nlp.get_pipe("transformer")
    transformer.model.initialize()
    return nlp


def token_vectors(doc: Doc) -> np.ndarray:
    """(tokens, H) mean of the pieces of each token, as a listener computes it."""
    data = doc._.trf_data
    flat = data.model_output.last_hidden_state.reshape(-1, data.width)
    counts = np.asarray(data.align.lengths)
    sums = np.zeros((len(counts), data.width))
    np.add.at(sums, np.repeat(np.arange(len(counts)), counts), flat[data.align.dataXd.ravel()])
    return sums / np.maximum(counts, 1)[:, None]
