"""selectra_ner: learns, annotates as spaCy's ner does, travels."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import spacy
from spacy.tokens import Span
from spacy.training import Example

from spacy_selectra.errors import SelectraError
from spacy_selectra.serving.annotate import describe

DATA = [
    ("La señora García vive en Málaga.", [(10, 16, "PER"), (25, 31, "LOC")]),
    ("El tren salió hacia Zaragoza...", [(20, 28, "LOC")]),
    ("Íñigo García comió piñón en Cádiz.", [(0, 12, "PER"), (28, 33, "LOC")]),
    ("¡Qué frío!", []),
]


def examples(nlp):
    return [Example.from_dict(nlp.make_doc(text), {"entities": ents}) for text, ents in DATA]


def untrained(make_nlp):
    spacy.util.fix_random_seed(0)
    pipeline = make_nlp()
    pipeline.add_pipe("selectra_ner")
    pipeline.initialize(lambda: examples(pipeline))
    return pipeline


@pytest.fixture
def nlp(make_nlp):
    return untrained(make_nlp)


@pytest.fixture(scope="module")
def weights(make_nlp):
    pipeline = untrained(make_nlp)
    train(pipeline)
    return pipeline.to_bytes()


@pytest.fixture
def trained(nlp, weights):
    return nlp.from_bytes(weights)


def train(nlp, steps=120):
    optimizer = nlp.create_optimizer()
    optimizer.learn_rate = 0.003
    batch = examples(nlp)
    losses = []
    for _ in range(steps):
        found: dict[str, float] = {}
        nlp.update(batch, sgd=optimizer, losses=found)
        losses.append(found["selectra_ner"])
    return losses


def entities(doc):
    return [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]


def test_learns_and_moves_the_encoder(nlp):
    before = nlp.get_pipe("transformer").model.to_bytes()
    losses = train(nlp)
    assert losses[-1] < 0.2 * losses[0]
    assert nlp.get_pipe("transformer").model.to_bytes() != before
    assert [entities(doc) for doc in nlp.pipe([text for text, _ in DATA])] == [
        ents for _, ents in DATA
    ]
    assert nlp.evaluate(examples(nlp))["ents_f"] == 1.0
    assert nlp.get_pipe("selectra_ner").labels == ("LOC", "PER")


def test_missing_annotations_do_not_count(nlp):
    component = nlp.get_pipe("selectra_ner")
    texts = [text for text, _ in DATA]
    unknown = [Example.from_dict(nlp.make_doc(text), {}) for text in texts]
    scores = [component.model.ops.alloc2f(len(example.predicted), 5) + 1 for example in unknown]
    loss, gradients = component.get_loss(unknown, scores)
    assert loss == 0
    assert all(not gradient.any() for gradient in gradients)
    assert [len(gradient) for gradient in gradients] == [len(nlp.make_doc(text)) for text in texts]


@pytest.mark.parametrize("space", ["  ", "\n", "\r\n", " \n ", " \u200b ", " \ufffd "])
def test_white_space_changes_nothing(trained, space):
    for text, ents in DATA:
        doc = trained(f"{space}{text.replace(' ', space)}{space}")
        found = [
            " ".join(ent.text.replace("\u200b", " ").replace("\ufffd", " ").split())
            for ent in doc.ents
        ]
        assert found == [text[begin:end] for begin, end, _ in ents], doc
        assert [ent.label_ for ent in doc.ents] == [label for _, _, label in ents]
        assert not any(ent[0].is_space or ent[-1].is_space for ent in doc.ents)
    assert trained(space * 3).ents == ()


def texts_of(nlp, text):
    return [entity.text for entity in nlp(text).ents]


def test_boundaries_end_entities(trained):
    tagger = trained.get_pipe("selectra_ner")
    wrapped = "Íñigo\nGarcía comió piñón en Cádiz."
    for text, value, expected in [
        (wrapped, "lines", ["Íñigo", "García", "Cádiz"]),
        (wrapped, "sentences", ["Íñigo\nGarcía", "Cádiz"]),
        ("Íñigo\n\nGarcía comió piñón en Cádiz.", "auto", ["Íñigo", "García", "Cádiz"]),
        ("Íñigo\tGarcía comió piñón en Cádiz.", "auto", ["Íñigo", "García", "Cádiz"]),
        ("Íñigo\n\nGarcía comió piñón en Cádiz.", "none", ["Íñigo\n\nGarcía", "Cádiz"]),
    ]:
        tagger.boundaries = value
        assert texts_of(trained, text) == expected
    with pytest.raises(SelectraError, match="boundaries = 'line' is not one of auto, sentences"):
        tagger.boundaries = "line"


@pytest.mark.parametrize("value", ["auto", "sentences", "lines", "none"])
def test_sentence_starts_that_are_set_end_entities(trained, value):
    tagger = trained.get_pipe("selectra_ner")
    tagger.boundaries, tagger.scores, tagger.alternatives = value, True, 0.001
    doc = trained.make_doc(DATA[2][0])
    doc[1].is_sent_start = True
    doc = trained(doc)
    whole = value == "none"
    assert [entity.text for entity in doc.ents][:-1] == (
        ["Íñigo García"] if whole else ["Íñigo", "García"]
    )
    spans = [*doc.spans["ner"], *doc.spans["ner_alternatives"]]
    assert any(span.start < 1 < span.end for span in spans) == whole
    assert len(tagger.predict([doc])[0].probabilities) == len(doc.ents)


def test_the_way_with_boundaries_travels(nlp, tmp_path):
    nlp.add_pipe("selectra_ner", name="other", config={"boundaries": "lines"})
    nlp.initialize(lambda: examples(nlp))
    nlp.to_disk(tmp_path / "saved")
    loaded: Any = spacy.load(tmp_path / "saved")
    assert loaded.get_pipe("other").boundaries == "lines"
    assert loaded.get_pipe("selectra_ner").boundaries == "auto"


def test_white_space_does_not_count_in_training(nlp):
    component = nlp.get_pipe("selectra_ner")
    doc = nlp.make_doc("Íñigo\n\nGarcía\n")
    example = Example.from_dict(doc, {"entities": [(0, 13, "PER")]})
    _, (gradient,) = component.get_loss([example], [component.model.ops.alloc2f(len(doc), 5)])
    assert [bool(row.any()) for row in gradient] == [not word.is_space for word in doc]


def test_ruled_out_words_stay_free(trained):
    doc = trained.make_doc(DATA[0][0])
    place = next(word.i for word in doc if word.text == "Málaga")
    doc.set_ents([], blocked=[doc[place : place + 1]], default="unmodified")
    for _, component in trained.pipeline:
        doc = component(doc)
    assert entities(doc) == [(10, 16, "PER")]
    assert (doc[place].ent_iob, doc[place].ent_type_) == (3, "")


def test_types_it_cannot_learn_are_announced_once(nlp):
    new = [Example.from_dict(nlp.make_doc("El martes."), {"entities": [(3, 9, "FECHA")]})]
    with pytest.warns(UserWarning, match="learns nothing of FECHA: .* for LOC, PER"):
        nlp.update(new)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nlp.update(new)


def test_entities_that_are_there_stay(trained):
    doc = trained.make_doc(DATA[0][0])
    whole = Span(doc, 0, 3, label="TITLE")
    doc.set_ents([whole], default="missing")
    for _, component in trained.pipeline:
        doc = component(doc)
    assert entities(doc) == [(0, 16, "TITLE"), (25, 31, "LOC")]


def test_empty_documents_and_no_tokens(nlp):
    assert [entities(doc) for doc in nlp.pipe(["", "  ", ""])] == [[], [], []]


def test_disk_and_bytes(trained, tmp_path):
    expected = [entities(trained(text)) for text, _ in DATA]
    trained.to_disk(tmp_path / "pipeline")
    loaded = spacy.load(tmp_path / "pipeline")
    assert [entities(loaded(text)) for text, _ in DATA] == expected
    again = spacy.blank("es").from_config(trained.config).from_bytes(trained.to_bytes())
    assert [entities(again(text)) for text, _ in DATA] == expected


def test_takes_its_own_copy_of_the_transformer(trained):
    expected = [entities(trained(text)) for text, _ in DATA]
    trained.replace_listeners("transformer", "selectra_ner", ["model.tok2vec"])
    trained.remove_pipe("transformer")
    assert [entities(trained(text)) for text, _ in DATA] == expected


def test_labels_come_from_the_data_or_from_the_caller(make_nlp, nlp):
    with pytest.raises(SelectraError, match="cannot be added"):
        nlp.get_pipe("selectra_ner").add_label("ORG")
    assert nlp.get_pipe("selectra_ner").add_label("LOC") == 0
    other = make_nlp()
    component = other.add_pipe("selectra_ner")
    with pytest.raises(SelectraError, match="not one entity"):
        other.initialize(lambda: examples(other)[3:])
    component.initialize(lambda: examples(other), nlp=other, labels=["ORG"])
    assert component.label_data == ["ORG"]


def test_scores_are_on_entities_and_in_a_group(trained):
    tagger = trained.get_pipe("selectra_ner")
    texts = [text for text, _ in DATA]
    plain = list(trained.pipe(texts))
    assert all(tagger.spans_key not in doc.spans for doc in plain)
    tagger.scores = True
    for doc, before in zip(trained.pipe(texts), plain, strict=True):
        assert entities(doc) == entities(before)
        group = doc.spans["ner"]
        assert [(e.start, e.end, e.label_) for e in group] == [
            (e.start, e.end, e.label_) for e in doc.ents
        ]
        assert [entity._.score for entity in doc.ents] == list(group.attrs["scores"])
        assert all(0.5 < score <= 1 for score in group.attrs["scores"])
        described = describe(doc)["ents"]
        assert [entity["score"] for entity in described] == pytest.approx(
            group.attrs["scores"], abs=1e-4
        )


def test_threshold_leaves_out_what_is_less_probable(trained):
    tagger = trained.get_pipe("selectra_ner")
    tagger.scores = True
    tagger.cfg["temperature"] = 4.0  # as if it were less sure of itself
    texts = [text for text, _ in DATA] * 2
    scores = sorted(ent._.score for doc in trained.pipe(texts) for ent in doc.ents)
    assert len(set(scores)) > 1
    tagger.threshold = (scores[0] + scores[-1]) / 2
    kept = [ent._.score for doc in trained.pipe(texts) for ent in doc.ents]
    assert sorted(kept) == [score for score in scores if score >= tagger.threshold]
    for name, wrong in (("threshold", 1.5), ("threshold", -0.1), ("alternatives", 0.0)):
        with pytest.raises(SelectraError, match=name):
            setattr(tagger, name, wrong)
    with pytest.raises(SelectraError, match="threshold"):
        trained.add_pipe("selectra_ner", name="other", config={"threshold": 2})


def test_alternatives_are_the_other_readings(trained):
    tagger = trained.get_pipe("selectra_ner")
    tagger.scores, tagger.alternatives = True, 0.01
    tagger.cfg["temperature"] = 4.0
    doc = trained(DATA[0][0])
    group = doc.spans["ner_alternatives"]
    assert len(group) == len(group.attrs["scores"]) > 0
    chosen = {(e.start, e.end, e.label_) for e in doc.ents}
    assert all((s.start, s.end, s.label_) not in chosen for s in group)
    assert all(score >= 0.01 for score in group.attrs["scores"])


def test_calibration_changes_probabilities_only_and_travels(trained, tmp_path):
    tagger = trained.get_pipe("selectra_ner")
    tagger.scores = True
    tagger.cfg["temperature"] = 3.0
    text = DATA[2][0]
    before = trained(text)
    annotated = examples(trained)
    with trained.select_pipes(disable=["selectra_ner"]):
        for example in annotated:
            example.predicted = trained(example.predicted)
    temperature = tagger.calibrate(annotated)
    assert temperature == tagger.temperature < 3  # all that is found here is right
    after = trained(text)
    assert entities(after) == entities(before)
    assert sum(e._.score for e in after.ents) > sum(e._.score for e in before.ents)
    trained.to_disk(tmp_path / "saved")
    loaded = spacy.load(
        tmp_path / "saved", config={"components": {"selectra_ner": {"scores": True}}}
    )
    calibrated: Any = loaded.get_pipe("selectra_ner")
    assert calibrated.temperature == temperature
    assert [e._.score for e in loaded(text).ents] == pytest.approx([e._.score for e in after.ents])


def test_calibration_needs_entities(nlp):
    tagger = nlp.get_pipe("selectra_ner")
    with pytest.raises(SelectraError, match="cannot be calibrated"):
        tagger.calibrate([Example.from_dict(nlp.make_doc(" "), {"entities": []})])
