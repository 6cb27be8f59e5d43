"""A fine-tuned token classifier as a spaCy pipeline."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import thinc.api
import torch
from thinc.types import Ragged

from spacy_selectra.components.transformer.listener import reduce_first
from spacy_selectra.encoder.checkpoint import load_discriminator, load_task_model, save_model
from spacy_selectra.encoder.heads import SequenceClassifier, TokenClassifier
from spacy_selectra.encoder.predict import predict
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.examples import TaggedWords
from spacy_selectra.finetuning.tasks.choose import make_task
from spacy_selectra.finetuning.tasks.registry import task_spec
from spacy_selectra.packaging.assemble import assemble_pipeline
from spacy_selectra.packaging.ner_pipeline import entity_pipeline, is_token_classifier
from spacy_selectra.packaging.pipeline_scores import evaluate_pipeline
from spacy_selectra.text.tokenizer import load_backend
from tests.packaging.conftest import CONFIG, TEXT

TAGS = ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
SENTENCES = [
    TEXT,
    "Íñigo Ibáñez, de la Universidad de Alcalá, viajó a Lisboa.",
    "¿Quién?",
    "Mañana llueve en La Coruña y el pingüino canta.",
]


@pytest.fixture(scope="module")
def classifier(parts, tmp_path_factory) -> Path:
    torch.manual_seed(3)
    directory = tmp_path_factory.mktemp("classifier") / "best"
    model = TokenClassifier(CONFIG, TAGS)
    with torch.no_grad():  # tags that differ from word to word, and both types
        model.head.weight.mul_(4)
    save_model(model, directory, tokenizer=parts["discriminator"])
    return directory


def test_the_entities_that_fine_tuning_measured(classifier):
    nlp = entity_pipeline(classifier)
    docs = list(nlp.pipe(SENTENCES))
    task = make_task(task_spec("ner"), ["LOC", "PER"], load_backend(classifier), 64)
    words = [[token.text for token in doc] for doc in docs]
    inputs = task.inputs([TaggedWords(own, ["O"] * len(own)) for own in words])
    logits = predict(
        load_task_model(TokenClassifier, classifier), inputs.sequences, per_piece=True, mode="fast"
    )
    found = [[token.ent_iob_ + "-" + token.ent_type_ for token in doc] for doc in docs]
    assert [[tag.rstrip("-") for tag in tags] for tags in found] == task.predicted(inputs, logits)
    assert {entity.label_ for doc in docs for entity in doc.ents} == {"LOC", "PER"}


def test_words_without_pieces(classifier):
    nlp = entity_pipeline(classifier)
    docs = list(nlp.pipe(["  \n ", "", "\u200b", "Ana  vive\n\nen León \u200b ."]))
    assert [len(doc) for doc in docs] == [1, 0, 1, 8]
    assert not docs[0].ents
    with nlp.select_pipes(disable=["ner"]):
        assert not nlp("Ana").ents


def test_first_pieces_are_those_of_thinc_where_all_words_have_some():
    ours, theirs = reduce_first(), thinc.api.reduce_first()
    random = np.random.default_rng(0)
    lengths = np.array([2, 1, 4], dtype="i")
    pieces = Ragged(random.normal(size=(7, 3)).astype("f"), lengths)
    gradient = random.normal(size=(3, 3)).astype("f")
    (first, back), (expected, expected_back) = ours(pieces, True), theirs(pieces, True)
    np.testing.assert_array_equal(first, expected)
    np.testing.assert_array_equal(back(gradient).dataXd, expected_back(gradient).dataXd)


def test_first_pieces_of_nothing():
    pieces = Ragged(np.ones((3, 2), dtype="f"), np.array([0, 2, 0, 1, 0], dtype="i"))
    first, back = reduce_first()(pieces, True)
    np.testing.assert_array_equal(first[:, 0], [0, 1, 0, 1, 0])
    gradient = np.arange(10, dtype="f").reshape(5, 2)
    np.testing.assert_array_equal(back(gradient).dataXd, [[2, 3], [0, 0], [6, 7]])


def test_assembled_saved_and_measured(classifier, parts, tmp_path):
    report = assemble_pipeline(
        tmp_path / "p", name="selectra_x", version="1.0.0", **{**parts, "ner": classifier}
    )
    assert report.components == ["transformer", "ner", "textcat", "zero_shot", "replaced"]
    nlp = spacy.load(tmp_path / "p")
    assert nlp.get_pipe_meta("ner").factory == "selectra_ner"
    alone = entity_pipeline(classifier)
    for text in SENTENCES:
        assert nlp(text).to_json()["ents"] == alone(text).to_json()["ents"]
    test = tmp_path / "test.conll"
    test.write_text("El O\nniño O\nde O\nCádiz B-LOC\n", encoding="utf-8")
    assert 0 <= evaluate_pipeline(nlp, test)["ents_f"] <= 1
    assert str(classifier) not in (tmp_path / "p" / "config.cfg").read_text(encoding="utf-8")


def test_training_goes_on_in_spacy(classifier):
    nlp = entity_pipeline(classifier)
    doc = nlp.make_doc(TEXT)
    example = spacy.training.Example.from_dict(doc, {"entities": [(23, 28, "PER")]})
    optimizer = nlp.resume_training()
    optimizer.learn_rate = 0.003
    for _ in range(60):
        nlp.update([example], sgd=optimizer)
    assert [(ent.text, ent.label_) for ent in nlp(TEXT).ents] == [("Cádiz", "PER")]


@pytest.mark.parametrize(
    "tags", [["O"], ["B-LOC", "I-LOC", "O"], ["O", "I-LOC", "B-LOC"], ["NOUN", "VERB", "ADJ"]]
)
def test_other_labels(tags, parts, tmp_path):
    save_model(TokenClassifier(CONFIG, tags), tmp_path / "m", tokenizer=parts["discriminator"])
    with pytest.raises(SelectraError, match="its labels are not O and then B and I"):
        entity_pipeline(tmp_path / "m")


def test_what_is_a_token_classifier(classifier, parts, tmp_path):
    assert is_token_classifier(classifier)
    assert not is_token_classifier(parts["ner"])
    assert not is_token_classifier(parts["entailment"])
    assert not is_token_classifier(tmp_path)


def test_half_precision_and_common_weights(classifier, parts, tmp_path):
    """An entailment model whose lower part is the discriminator's, as frozen layers leave it."""
    torch.manual_seed(1)
    discriminator = load_discriminator(parts["discriminator"])
    entailment = SequenceClassifier(CONFIG, ["contradiction", "neutral", "entailment"])
    fresh = {
        name: weight for name, weight in entailment.encoder.state_dict().items() if ".1." in name
    }
    entailment.encoder.load_state_dict({**discriminator.encoder.state_dict(), **fresh})
    save_model(entailment, tmp_path / "entailment", tokenizer=parts["discriminator"])
    given = {**parts, "ner": classifier, "entailment": tmp_path / "entailment"}
    given.pop("textcat")
    sizes, answers = {}, {}
    for half in (False, True):
        out = tmp_path / f"half-{half}"
        assemble_pipeline(out, name="selectra_x", version="1.0.0", half=half, **given)
        nlp = spacy.load(out)
        docs = list(nlp.pipe(SENTENCES))
        zero_shot: Any = nlp.get_pipe("zero_shot")
        rows = zero_shot.classify(docs, ["deportes", "cultura"])
        answers[half] = [
            *(row["deportes"] for row in rows),
            *(token._.replaced for doc in docs for token in doc),
        ]
        sizes[half] = {
            name: (out / name / "model.safetensors").stat().st_size
            for name in ("replaced", "zero_shot")
        } | {"transformer": (out / "transformer" / "model").stat().st_size}
        config = json.loads((out / "zero_shot" / "config.json").read_text())
        assert config["weights_shared_with"] == "replaced"
    assert sizes[False]["zero_shot"] < 0.7 * sizes[False]["replaced"]
    assert sizes[True]["replaced"] < 0.6 * sizes[False]["replaced"]
    assert sizes[True]["zero_shot"] < 0.6 * sizes[False]["zero_shot"]
    assert sizes[True]["transformer"] < 0.7 * sizes[False]["transformer"]
    np.testing.assert_allclose(answers[True], answers[False], atol=0.02)
    assert not np.array_equal(answers[True], answers[False])
    # once loaded, each component is whole again
    zero_shot.to_disk(tmp_path / "whole")
    assert "weights_shared_with" not in (tmp_path / "whole" / "config.json").read_text()
    reread = spacy.blank("es")
    part: Any = reread.add_pipe("selectra_zero_shot", config={"model": str(tmp_path / "whole")})
    rows = part.classify(SENTENCES, ["deportes", "cultura"])
    np.testing.assert_allclose([row["deportes"] for row in rows], answers[True][:4], atol=1e-6)
