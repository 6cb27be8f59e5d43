"""Scoring many pairs at once: windows of long texts, and no work a pair in Python."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from spacy_selectra.encoder.checkpoint import load_classifier
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.entailment import EntailmentScorer
from spacy_selectra.text.tokenizer import load_backend
from tests.finetuning.tiny import save_classifier

HYPOTHESES = [f"Este ejemplo es {label}." for label in ("deportes", "León", "el niño de Ávila")]
PARTS = ["El burro come en Mérida. El gato canta.", "El niño sueña en Cádiz. El perro salta."]
SHORT = "¿El gato? No, el pájaro."


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_classifier(tmp_path_factory.mktemp("inference") / "model")


def make(directory: Path, long_texts: str = "cut", mode: str = "fast") -> EntailmentScorer:
    model, tokenizer = load_classifier(directory), load_backend(directory)
    return EntailmentScorer(model, tokenizer, mode=mode, long_texts=long_texts)


def long_text(scorer: EntailmentScorer) -> tuple[str, list[str]]:
    """A text of two windows that end where a sentence does, and the text of each."""
    windows = [" ".join([part] * 3) for part in PARTS]
    text = " ".join(windows)
    assert len(scorer.tokenizer.encode(text, HYPOTHESES[-1]).ids) > scorer.max_length
    return text, windows


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("long_texts", ["max", "mean"])
def test_long_texts_combine_the_scores_of_their_windows(
    directory: Path, long_texts: str, multi_label: bool
):
    scorer = make(directory, long_texts)
    text, windows = long_text(scorer)
    scores, truncated = scorer.scores([SHORT, text, SHORT], HYPOTHESES, multi_label=multi_label)
    assert truncated == 0
    parts, _ = scorer.scores([*windows, SHORT], HYPOTHESES, multi_label=multi_label)
    expected = parts[:2].max(axis=0) if long_texts == "max" else parts[:2].mean(axis=0)
    if not multi_label:
        expected /= expected.sum()
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(scores[1], expected, atol=1e-5)
    np.testing.assert_allclose(scores[[0, 2]], parts[[2, 2]], atol=1e-5)


def test_one_hypothesis_is_judged_alone_in_every_window(directory: Path):
    scorer = make(directory, "max")
    text, windows = long_text(scorer)
    scores, _ = scorer.scores([text], HYPOTHESES[:1], multi_label=False)
    parts, _ = scorer.scores(windows, HYPOTHESES[:1], multi_label=False)
    np.testing.assert_allclose(scores[0], parts.max(axis=0), atol=1e-5)


def test_all_of_a_long_text_counts_only_in_windows(directory: Path):
    ends = [" ".join([*PARTS * 3, end]) for end in ("El gato come.", "El perro no canta.")]
    for long_texts, equal in (("cut", True), ("max", False), ("mean", False)):
        scores, truncated = make(directory, long_texts).scores(ends, HYPOTHESES, multi_label=True)
        assert truncated == (2 if equal else 0)
        assert np.allclose(scores[0], scores[1], atol=1e-6) == equal


def test_texts_without_pieces_and_no_hypotheses(directory: Path):
    scorer = make(directory, "mean")
    scores, _ = scorer.scores(["", SHORT], HYPOTHESES, multi_label=False)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)
    assert scorer.scores([SHORT], [], multi_label=False)[0].shape == (1, 0)
    assert scorer.scores([], HYPOTHESES, multi_label=True)[0].shape == (0, 3)


def test_unknown_way_with_long_texts(directory: Path):
    with pytest.raises(SelectraError, match="long_texts 'split' is not one of cut, max, mean"):
        make(directory, "split")


def test_bfloat16_scores_are_close(directory: Path):
    texts = [SHORT, *PARTS]
    exact, _ = make(directory, mode="fp32").scores(texts, HYPOTHESES, multi_label=False)
    rounded, _ = make(directory, mode="bf16").scores(texts, HYPOTHESES, multi_label=False)
    assert 0 < np.abs(exact - rounded).max() < 0.05


class _Recorder(torch.nn.Module):
    """Classifies nothing; stands where the model would and keeps what it is given."""

    def __init__(self, scorer: EntailmentScorer) -> None:
        super().__init__()
        self.encoder, self.config = scorer.model.encoder, scorer.model.config
        self.labels = scorer.model.labels
        self.most_pieces = 0
        self.sequences: set[tuple[int, ...]] = set()

    def forward(self, ids: torch.Tensor, lengths: list[int], types: torch.Tensor):
        self.most_pieces = max(self.most_pieces, len(ids))
        together = torch.stack([ids, types], dim=1).split(lengths)
        self.sequences.update(tuple(each.reshape(-1).tolist()) for each in together)
        return torch.zeros(len(lengths), len(self.labels))


def test_pairs_are_those_of_the_tokenizer(directory: Path):
    scorer = make(directory)
    scorer.model = recorder = _Recorder(scorer)  # type: ignore[assignment]
    scorer.max_pieces = 100
    scorer.logits([SHORT, *PARTS], HYPOTHESES)
    assert recorder.most_pieces <= 100
    expected = set()
    for text in (SHORT, *PARTS):
        for hypothesis in HYPOTHESES:
            pair = scorer.tokenizer.encode(text, hypothesis)
            expected.add(tuple(np.stack([pair.ids, pair.type_ids], axis=1).reshape(-1).tolist()))
    assert recorder.sequences == expected


def test_no_function_is_called_for_each_of_many_pairs(directory: Path):
    scorer = make(directory)
    called = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal called
        called += event == "call"

    model = lambda ids, lengths, types: torch.zeros(len(lengths), 3)  # noqa: E731
    scorer.model.forward = model  # type: ignore[method-assign]
    hypotheses = [f"Este ejemplo es {number}." for number in range(20)]
    sys.setprofile(count)
    try:
        logits, _ = scorer.logits([PARTS[number % 2] for number in range(1000)], hypotheses)
    finally:
        sys.setprofile(None)
    assert logits.shape == (1000, 20, 3)
    assert called < 20_000
