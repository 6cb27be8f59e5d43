"""Scores: the arithmetic on cases known by hand, and all of them on a whole pipeline."""

import json
from collections import Counter
from typing import Any

import pytest
import spacy

from spacy_selectra.errors import SelectraError
from spacy_selectra.packaging.pipeline_scores import (
    entity_scores,
    evaluate_pipeline,
    replaced_auc,
    zero_shot_scores,
)


def test_entity_scores_by_hand():
    nlp = spacy.blank("es")
    ruler: Any = nlp.add_pipe("entity_ruler", name="ner")
    ruler.add_patterns([{"label": "LOC", "pattern": "Cádiz"}, {"label": "PER", "pattern": "Sol"}])
    gold = [("Cádiz", ["U-LOC"]), ("Ana", ["U-PER"]), ("Sol", ["U-PER"]), ("Sol", ["O"])]
    examples = [
        spacy.training.Example.from_dict(nlp.make_doc(text), {"entities": tags})
        for text, tags in gold
    ]
    scores = entity_scores(nlp, examples)
    assert scores["ents_p"] == pytest.approx(2 / 3)
    assert scores["ents_r"] == pytest.approx(2 / 3)
    assert scores["ents_per_type"]["LOC"]["f"] == 1.0
    assert scores["ents_per_type"]["PER"]["p"] == pytest.approx(1 / 2)


def test_types_that_were_not_taught_do_not_count():
    nlp = spacy.blank("es")
    ruler: Any = nlp.add_pipe("entity_ruler", name="ner")
    ruler.add_patterns([{"label": "LOC", "pattern": "Cádiz"}])
    examples = [
        spacy.training.Example.from_dict(nlp.make_doc(text), {"entities": tags})
        for text, tags in [("Cádiz", ["U-LOC"]), ("mayo", ["U-DATE"]), ("dos", ["U-NUM"])]
    ]
    scores = entity_scores(nlp, examples)
    assert scores["ents_f"] == 1.0
    assert scores["ents_left_out"] == ["DATE", "NUM"]
    assert set(scores["ents_per_type"]) == {"LOC"}


@pytest.mark.parametrize(("knows", "area"), [(True, 1.0), (False, 0.5)])
def test_replaced_auc_of_a_perfect_and_of_a_blind_detector(knows, area):
    nlp = spacy.blank("es")

    @spacy.Language.component(f"odd_one_out_{knows}")
    def odd_one_out(doc):
        usual = Counter(token.text for token in doc).most_common(1)[0][0]
        for token in doc:
            token._.replaced = float(knows and token.text != usual)
        return doc

    spacy.tokens.Token.set_extension("replaced", default=0.0, force=True)
    nlp.add_pipe(f"odd_one_out_{knows}", name="selectra_replaced")
    docs = [nlp.make_doc(" ".join([word] * 10)) for word in ("uno", "dos", "tres")]
    assert replaced_auc(nlp, docs) == area


@pytest.fixture
def test_files(tmp_path):
    ner = tmp_path / "test.conll"
    ner.write_text("El O\nniño O\nvive O\nen O\nCádiz B-LOC\n. O\n\nCome O\npiñón O\n", "utf-8")
    topics = tmp_path / "test.jsonl"
    rows = [
        {"text": "Ganó el partido", "label": "deportes"},
        {"text": "Un libro", "label": "cultura"},
    ]
    topics.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return ner, topics


def test_every_component_is_measured(pipeline, test_files):
    scores = evaluate_pipeline(spacy.load(pipeline), *test_files)
    assert set(scores) == {
        *("ents_p", "ents_r", "ents_f", "ents_per_type"),
        *("cats_acc", "cats_macro_f", "replaced_auc", "speed"),
        *("zero_shot_acc", "zero_shot_macro_f", "zero_shot_labels"),
    }
    assert all(0 <= scores[key] <= 1 for key in ("cats_acc", "zero_shot_acc", "replaced_auc"))
    assert json.loads(json.dumps(scores)) == scores


def test_labels_that_a_matching_model_refuses_count_as_wrong(matching):
    nlp = spacy.blank("es")
    nlp.add_pipe("selectra_zero_shot", config={"model": str(matching)})
    texts = ["el gol del portero", "la cebolla y el aceite", "sin nada"]
    scores = zero_shot_scores(nlp, texts, ["gol", "horno", "astronomía"])
    assert scores["zero_shot_labels"] == ["gol", "horno"]
    assert scores["zero_shot_left_out"] == ["astronomía"]
    assert scores["zero_shot_acc"] == pytest.approx(2 / 3)
    scores = zero_shot_scores(nlp, texts[:1], ["astronomía"])
    assert scores["zero_shot_acc"] == 0
    assert scores["zero_shot_labels"] == []


def test_absent_components_are_not_measured(parts, test_files):
    scores = evaluate_pipeline(spacy.load(parts["ner"]), *test_files)
    assert "ents_f" in scores
    assert not {"cats_acc", "zero_shot_acc", "replaced_auc"} & set(scores)


def test_missing_file(pipeline, tmp_path):
    with pytest.raises(SelectraError, match="absent"):
        evaluate_pipeline(spacy.load(pipeline), tmp_path / "absent.conll")
