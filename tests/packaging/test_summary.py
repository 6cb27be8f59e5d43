"""The model card and the text at the end of a project run say what was measured, no more."""

import pytest

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.report.markdown import insert
from spacy_selectra.packaging.card import model_card
from spacy_selectra.packaging.summary import summarise
from spacy_selectra.util.files import write_json

META = {
    "lang": "es",
    "name": "selectra_tiny",
    "version": "0.1.0",
    "description": "Una prueba.",
    "license": "MIT",
    "pipeline": ["transformer", "ner"],
    "labels": {"ner": ["LOC", "PER"]},
    "performance": {"ents_f": 0.91234, "speed": 2000.4},
    "sources": [{"name": "CoNLL-2002", "license": "research only", "use": "entities"}],
    "training": {"pretraining steps": 100},
    "limits": ["Short texts."],
    "requirements": ["torch>=2.4"],
}
TRIAL = {
    "package": "es_selectra_tiny",
    "version": "0.1.0",
    "load_seconds": 0.5,
    "docs": [
        {
            "text": "El niño vive en Cádiz.",
            "ents": [{"start": 16, "end": 21, "label": "LOC", "text": "Cádiz"}],
            "cats": {"cultura": 0.9, "deportes": 0.1},
            "zero_shot": {"viajes": 0.7, "cine": 0.3},
            "replaced": [],
            "words": [["El", 0.1], ["niño", 0.3]],
        }
    ],
}


def test_many_labels_are_counted():
    many = {
        "pipeline": ["morphologizer"],
        "labels": {"morphologizer": [f"L{n}" for n in range(99)]},
    }
    card = model_card({**META, **many})
    assert "| 99 labels |" in card
    assert "L98" not in card


def test_card():
    card = model_card(META)
    assert card.startswith("# es_selectra_tiny 0.1.0\n")
    for part in (
        "| 0.912 |",
        "`LOC`, `PER`",
        "| CoNLL-2002 | research only |",
        "- Short texts.",
        "- `torch>=2.4`",
        "| pretraining steps | 100 |",
    ):
        assert part in card
    assert "textcat" not in card


def test_card_of_zero_shot_labels():
    performance = {
        "zero_shot_acc": 0.75,
        "zero_shot_labels": ["cine", "salud", "deportes"],
        "zero_shot_left_out": ["astrofísica"],
    }
    meta = {**META, "pipeline": ["zero_shot"], "performance": performance}
    card = model_card(meta)
    assert "4 topics (chance 0.25), their names as labels: `cine`, `salud`, `deportes`." in card
    assert "refuses them: `astrofísica`." in card
    assert "| zero-shot topics, accuracy | 0.750 |" in card
    assert "entailment of each label" in card
    made = {
        "vectors": {"words read": 60000, "words with vectors": 900},
        "pairs": [{"file": "leyes/train.tsv", "pairs": 120, "labels": 9}],
    }
    card = model_card({**meta, "matching": made})
    assert "It has vectors of 900 words, trained on 60,000 words of text." in card
    assert "| `leyes/train.tsv` | 120 | 9 |" in card
    assert "A label is represented by its words only." in card
    assert "entailment" not in card
    assert "Zero-shot" not in model_card({**META, "performance": performance})


def test_card_without_scores_says_so():
    assert "Not measured." in model_card({**META, "performance": {}})


def test_card_takes_a_table_that_the_report_can_renew(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(model_card(META, "| model |\n|---|\n| ours |"), encoding="utf-8")
    insert([path], "| model |\n|---|\n| theirs |")
    text = path.read_text(encoding="utf-8")
    assert "| theirs |" in text
    assert "| ours |" not in text
    assert text.replace("theirs", "ours") == model_card(META, "| model |\n|---|\n| ours |")
    assert "among others" not in model_card(META)


def test_summary(tmp_path):
    write_json(tmp_path / "pipeline.json", {"ents_f": 0.93, "rtd_auc": 0.81, "speed": 2000.0})
    write_json(tmp_path / "try.json", TRIAL)
    text = summarise(tmp_path)
    for part in (
        "0.930",
        "0.810",
        "Cádiz (LOC)",
        "cultura 0.90",
        "viajes 0.70",
        "niño 0.30 (below the threshold)",
    ):
        assert part in text


def test_summary_of_nothing(tmp_path):
    with pytest.raises(SelectraError, match="no metrics; run"):
        summarise(tmp_path)
