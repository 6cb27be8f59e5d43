"""What a tokenizer declares bounds the windows of every component."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import spacy

from spacy_selectra.text.tokenizer import declare_longest_sequence, longest_sequence
from tests.finetuning.tiny import save_classifier, save_discriminator

TEXT = "El burro come en Mérida y el gato duerme. " * 4


@pytest.fixture(params=[None, 16])
def declared(request: pytest.FixtureRequest) -> int | None:
    return request.param


def declare(directory: Path, length: int | None) -> str:
    if length is not None:
        declare_longest_sequence(directory, length)
    return str(directory)


def test_windows_of_the_transformer(declared: int | None, tmp_path: Path):
    encoder = declare(save_discriminator(tmp_path / "model"), declared)
    nlp = spacy.blank("es")
    model = {"@architectures": "spacy-selectra.SelectraModel.v1", "name": encoder}
    nlp.add_pipe("transformer", config={"model": {**model, "get_spans": None}})
    nlp.initialize()
    lengths = nlp(TEXT)._.trf_data.tokens["attention_mask"].sum(axis=1)
    assert (len(lengths) > 1) == (declared is not None)
    assert max(lengths) <= (declared or 512)


def test_windows_of_the_replaced_words(declared: int | None, tmp_path: Path):
    nlp = spacy.blank("es")
    model = declare(save_discriminator(tmp_path / "model"), declared)
    part: Any = nlp.add_pipe("selectra_replaced", config={"model": model})
    assert all(0 < token._.replaced < 1 for token in nlp(TEXT))
    assert part._tokenizer.max_length == (
        declared or part.loaded_model.config.max_position_embeddings
    )


def test_texts_of_the_zero_shot_labels(declared: int | None, tmp_path: Path):
    nlp = spacy.blank("es")
    model = declare(save_classifier(tmp_path / "model"), declared)
    part: Any = nlp.add_pipe("selectra_zero_shot", config={"model": model})
    if declared is None:
        part.classify([TEXT], ["a", "b"], hypothesis_template="Es {}.")
    else:
        with pytest.warns(UserWarning, match="longer than the model's 16 pieces"):
            part.classify([TEXT], ["a", "b"], hypothesis_template="Es {}.")
    assert part.truncated == (declared is not None)


def test_the_least_is_declared(tmp_path: Path):
    directory = save_discriminator(tmp_path / "model")
    for length, expected in ((100, 64), (40, 40), (50, 40)):
        declare_longest_sequence(directory, length)
        assert longest_sequence(directory, 512) == expected
    assert longest_sequence(directory, 20) == 20
    (directory / "tokenizer_config.json").unlink()
    declare_longest_sequence(directory, 10)
    assert longest_sequence(directory, 512) == 512
