"""The same weights in transformers: same logits, same loss, same zero-shot scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from transformers import AutoTokenizer, ElectraForSequenceClassification, pipeline

from spacy_selectra.encoder.checkpoint import load_classifier
from spacy_selectra.encoder.predict import predict, to_tensors
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.entailment import EntailmentScorer, entailment_labels
from spacy_selectra.finetuning.tasks.classification import build_features
from spacy_selectra.text.encode import join
from spacy_selectra.text.tokenizer import load_backend
from tests.finetuning.tiny import NLI_LABELS, nli_rows, save_classifier

LABELS = ["deportes", "el niño de Ávila", "León"]
LONG = "El niño sueña en Cádiz. " * 20
TEXTS = ["El burro come en Mérida.", LONG, "canta", "¿El gato? No, el pájaro."]
TEMPLATE = "Este ejemplo es {}."


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_classifier(tmp_path_factory.mktemp("parity") / "model")


@pytest.fixture(scope="module")
def scorer(directory: Path) -> EntailmentScorer:
    return EntailmentScorer(load_classifier(directory), load_backend(directory))


def test_logits_and_loss_of_pairs(directory: Path):
    rows = nli_rows(24, seed=0)
    premises = [row["premise"] for row in rows]
    hypotheses = [row["hypothesis"] for row in rows]
    classes = torch.tensor([NLI_LABELS.index(row["label"]) for row in rows])
    theirs = ElectraForSequenceClassification.from_pretrained(directory).eval()
    tokenizer = AutoTokenizer.from_pretrained(directory)
    batch = tokenizer(premises, hypotheses, padding=True, return_tensors="pt")
    with torch.no_grad():
        expected = theirs(**batch, labels=classes)
    ours = load_classifier(directory)
    sequences = build_features(load_backend(directory), premises, hypotheses, 64).sequences
    logits = np.stack(predict(ours, sequences, mode="fp32", max_pieces=100))
    np.testing.assert_allclose(logits, expected.logits.numpy(), atol=1e-5)
    ids, types = to_tensors(join(sequences))
    loss = F.cross_entropy(ours(ids, [len(piece) for piece in sequences], types), classes)
    assert loss.item() == pytest.approx(expected.loss.item(), abs=1e-5)
    assert theirs.config.id2label == dict(enumerate(NLI_LABELS))


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("labels", [LABELS, LABELS[:1]])
def test_zero_shot_scores(
    directory: Path, scorer: EntailmentScorer, multi_label: bool, labels: list[str]
):
    oracle: Any = pipeline("zero-shot-classification", model=str(directory), device="cpu")
    expected = oracle(
        TEXTS, candidate_labels=labels, hypothesis_template=TEMPLATE, multi_label=multi_label
    )
    hypotheses = [TEMPLATE.format(label) for label in labels]
    scores, truncated = scorer.scores(TEXTS, hypotheses, multi_label=multi_label)
    assert truncated == 1
    for row, answer in zip(scores, expected, strict=True):
        ours = dict(zip(labels, row, strict=True))
        for label, score in zip(answer["labels"], answer["scores"], strict=True):
            assert ours[label] == pytest.approx(score, abs=1e-4)


def test_scores_do_not_depend_on_the_batch(scorer: EntailmentScorer, directory: Path):
    hypotheses = [TEMPLATE.format(label) for label in LABELS]
    small = EntailmentScorer(scorer.model, load_backend(directory), max_pieces=1)
    ours, alone = scorer.logits(TEXTS, hypotheses)[0], small.logits(TEXTS, hypotheses)[0]
    np.testing.assert_allclose(ours, alone, atol=1e-5)


def test_hypothesis_without_room_for_text(scorer: EntailmentScorer):
    with pytest.raises(SelectraError, match="use a shorter label or template"):
        scorer.scores(["El gato"], [LONG], multi_label=True)


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (["contradiction", "neutral", "entailment"], (2, 0)),
        (["ENTAILMENT", "Neutral", "Contradiction"], (0, 2)),
        (["Entailment", "contradiction", "neutral"], (0, 1)),
        (["contradicción", "neutral", "implicación"], (2, 0)),
        (["not_entailment", "entailment"], (1, 0)),
        (["entailment", "rest"], (0, 1)),
    ],
)
def test_entailment_is_found_by_name(labels: list[str], found: tuple[int, int]):
    assert entailment_labels(labels) == found


def test_refuses_a_model_without_entailment():
    with pytest.raises(SelectraError, match=r"label called 'entailment'.*LABEL_0, LABEL_1"):
        entailment_labels(["LABEL_0", "LABEL_1"])
