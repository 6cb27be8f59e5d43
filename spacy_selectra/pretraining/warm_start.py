"""Initial weights that know what counting and the shape of language tell without training."""

from __future__ import annotations

import torch

from spacy_selectra.corpus.loader import PackedCorpus
from spacy_selectra.pretraining.embeddings import NOISE, warm_embeddings
from spacy_selectra.pretraining.model import PretrainingModel
from spacy_selectra.pretraining.neighbours import attend_to_neighbours, position_width
from spacy_selectra.pretraining.vocabulary import Vocabulary


@torch.no_grad()
def warm_start(
    model: PretrainingModel, corpus: PackedCorpus, vocabulary: Vocabulary, seed: int = 0
) -> None:
    """Set token embeddings from co-occurrence and spelling, and attention to neighbours.

    Args:
        model: both networks with random weights.
        corpus: text to count in.
        vocabulary: its pieces.
        seed: of the sample of text; other random numbers are torch's global ones.
    """
    networks = model.discriminator, model.generator
    width = position_width(networks[0].config, networks[1].config)
    weight = networks[0].encoder.embeddings.word_embeddings.weight
    tokens = weight.shape[1] - width
    vectors = warm_embeddings(
        corpus, weight[:, :tokens], vocabulary.pieces, vocabulary.special_ids, seed
    )
    weight[:, :tokens] = vectors
    weight[:, tokens:] *= NOISE
    attend_to_neighbours([network.encoder for network in networks], width)
