"""Initial embeddings: pieces that keep the same company, or look alike, get similar vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from spacy_selectra.corpus.packed.builder import PackSettings, pack_corpus
from spacy_selectra.corpus.packed.format import PackedCorpus
from spacy_selectra.pretraining.initialization.cooccurrence import (
    NOISE,
    cooccurrence_embeddings,
    count_pairs,
    positive_pmi,
)
from spacy_selectra.text.tokenizer import SPECIAL_TOKENS, make_tokenizer, save_tokenizer

ANIMALS, VEHICLES = ["gato", "perro"], ["coche", "barco"]
VERBS = {"come": ANIMALS, "duerme": ANIMALS, "frena": VEHICLES, "arranca": VEHICLES}
VOCABULARY = [*SPECIAL_TOKENS, *ANIMALS, *VEHICLES, *VERBS, "nunca"]
SPECIAL = range(len(SPECIAL_TOKENS))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> PackedCorpus:
    """Sentences in which animals eat and sleep, and vehicles brake and start."""
    folder: Path = tmp_path_factory.mktemp("corpus")
    save_tokenizer(make_tokenizer(VOCABULARY), folder / "tokenizer", max_length=32)
    rng = np.random.default_rng(0)
    verbs = list(VERBS)
    documents = []
    for _ in range(300):
        verb = verbs[rng.integers(len(verbs))]
        subject = VERBS[verb][rng.integers(2)]
        documents.append(f"{subject} {verb} {subject} {verb} {subject} {verb}")
    (folder / "text.txt").write_text("\n\n".join(documents), encoding="utf-8")
    pack_corpus(
        folder / "text.txt",
        folder / "packed",
        folder / "tokenizer",
        PackSettings(length=32, heldout=0.0),
    )
    return PackedCorpus(folder / "packed", "train")


def similarity(vectors: torch.Tensor, first: str, second: str) -> float:
    pair = [VOCABULARY.index(first), VOCABULARY.index(second)]
    return F.cosine_similarity(*vectors[pair][:, None]).item()


def test_counts_equal_those_of_a_plain_loop(corpus: PackedCorpus):
    counts = count_pairs(corpus, window=2, excluded=SPECIAL, max_pieces=10**9)
    expected: dict[tuple[int, int], float] = {}
    for index in range(corpus.n_sequences):
        ids = corpus.sequence(index)[0].tolist()
        for i, left in enumerate(ids):
            for distance in (1, 2):
                if i + distance >= len(ids) or left < 5 or ids[i + distance] < 5:
                    continue
                for pair in ((left, ids[i + distance]), (ids[i + distance], left)):
                    expected[pair] = expected.get(pair, 0) + 1 / distance
    found = zip(counts.first.tolist(), counts.second.tolist(), strict=True)
    assert dict(zip(found, counts.weight.tolist(), strict=True)) == pytest.approx(expected)


def test_a_budget_reads_about_so_many_pieces(corpus: PackedCorpus):
    everything = count_pairs(corpus, 2, SPECIAL, max_pieces=10**9).weight.sum()
    part = count_pairs(corpus, 2, SPECIAL, max_pieces=corpus.n_tokens // 4).weight.sum()
    assert part == pytest.approx(everything / 4, rel=0.1)


def test_pmi_is_positive_where_pieces_attract(corpus: PackedCorpus):
    counts = count_pairs(corpus, 2, SPECIAL, max_pieces=10**9)
    pmi = positive_pmi(counts, len(VOCABULARY)).to_dense()
    cat, eats, brakes = (VOCABULARY.index(word) for word in ("gato", "come", "frena"))
    assert pmi[cat, eats] > 0.3
    assert pmi[cat, brakes] == 0


def test_company_decides_similarity_and_the_size_stays(corpus: PackedCorpus):
    torch.manual_seed(0)
    initial = torch.randn(len(VOCABULARY), 8) * 0.02
    vectors = cooccurrence_embeddings(corpus, initial, VOCABULARY, SPECIAL)
    assert similarity(vectors, "gato", "perro") > similarity(vectors, "gato", "coche") + 0.3
    # the last two end alike
    assert similarity(vectors, "coche", "barco") > similarity(vectors, "perro", "barco")
    known = slice(len(SPECIAL_TOKENS), len(VOCABULARY) - 1)
    size = vectors[known].square().mean().sqrt().item()
    assert size == pytest.approx(initial.square().mean().sqrt().item(), rel=0.1 + NOISE)


def test_special_tokens_stay_random_and_unseen_pieces_do_not(corpus: PackedCorpus):
    torch.manual_seed(0)
    initial = torch.randn(len(VOCABULARY), 8) * 0.02
    vectors = cooccurrence_embeddings(corpus, initial, VOCABULARY, SPECIAL)
    assert torch.equal(vectors[list(SPECIAL)], initial[list(SPECIAL)])
    unseen = VOCABULARY.index("nunca")
    assert not torch.allclose(vectors[unseen], initial[unseen])


def test_wider_than_the_vocabulary(corpus: PackedCorpus):
    torch.manual_seed(0)
    initial = torch.randn(len(VOCABULARY), 64)
    assert torch.isfinite(cooccurrence_embeddings(corpus, initial, VOCABULARY, SPECIAL)).all()
