"""Scores of selectra_ner's entities: where they are written, drawn and measured."""

from __future__ import annotations

import runpy
import warnings
import xml.dom.minidom
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy import displacy
from spacy.tokens import Span
from spacy.training import Example

from spacy_selectra.components import checked
from spacy_selectra.components.entity_spans import displacy_entities
from spacy_selectra.errors import SelectraError
from spacy_selectra.serving.records import describe
from tests import benchmark
from tests.components.test_entity_tagger import DATA, entities, examples, nlp, trained, training

__all__ = ["nlp", "trained", "training"]  # fixtures


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


def test_displacy_draws_scores(trained):
    tagger = trained.get_pipe("selectra_ner")
    text = DATA[2][0]
    plain = displacy.render(trained(text), style="ent", jupyter=False)
    drawn = displacy.render(
        displacy_entities(trained(text)), style="ent", manual=True, jupyter=False
    )
    assert drawn == plain  # without scores
    tagger.scores = True
    doc = trained(text)
    drawn = displacy.render(displacy_entities(doc), style="ent", manual=True, jupyter=False)
    for entity in doc.ents:
        assert f">{entity._.score:.2f}</a>" in drawn
    assert drawn.count("<mark") == plain.count("<mark") == len(doc.ents) > 0


@pytest.fixture
def score_extension(monkeypatch):
    """Puts `Span._.score` back; warnings of it have not been given."""
    monkeypatch.setattr(checked, "_announced", set())
    before = Span.get_extension("score") if Span.has_extension("score") else None
    yield
    Span.set_extension("score", force=True, default=None if before is None else before[0])


@pytest.mark.parametrize("other", [{"getter": len}, {"method": len}])
def test_scores_are_never_hidden_by_an_extension_of_others(trained, score_extension, other):
    trained.get_pipe("selectra_ner").scores = True
    trained(DATA[0][0])
    Span.set_extension("score", force=True, **other)
    with pytest.raises(SelectraError, match=r"Span\._\.score is already registered with a getter"):
        trained(DATA[0][0])
    trained.get_pipe("selectra_ner").scores = False  # then it is none of its business
    assert all("score" not in entity for entity in describe(trained(DATA[0][0]))["ents"])


def test_a_plain_extension_of_others_is_announced_once(trained, score_extension):
    tagger = trained.get_pipe("selectra_ner")
    Span.set_extension("score", force=True, default="unknown")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        doc = trained(DATA[0][0])
        assert all("score" not in entity for entity in describe(doc)["ents"])
    tagger.scores = True
    with pytest.warns(UserWarning, match=r"Span\._\.score is already registered with the def"):
        trained(DATA[0][0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        doc = trained(DATA[0][0])
        assert [e._.score for e in doc.ents] == doc.spans["ner"].attrs["scores"]
        Span.set_extension("score", force=True, default=None)  # the same as the component's
        trained(DATA[0][0])
        Span.remove_extension("score")
        assert all(e._.score > 0 for e in trained(DATA[0][0]).ents)


def test_benchmark_and_its_picture(trained, tmp_path: Path, monkeypatch):
    columns = []
    for example in examples(trained):
        names = [name.replace("U-", "B-").replace("L-", "I-") for name in example.get_aligned_ner()]
        words = zip(example.reference, names, strict=True)
        columns.append("".join(f"{word.text}\t{name}\n" for word, name in words))
    # a type that the pipeline does not know is left out
    columns.append("Ayer\tB-DATE\n")
    for part in ("dev.tsv", "test.tsv"):
        (tmp_path / part).write_text("\n".join(columns), encoding="utf-8")
    trained.to_disk(tmp_path / "pipeline")
    files = ("--dev", str(tmp_path / "dev.tsv"), "--test", str(tmp_path / "test.tsv"))
    found = benchmark.record(
        benchmark.run("entity_scores.py", str(tmp_path / "pipeline"), *files, "--repeats", "1")
    )
    assert found["test f1"]["0.0"] == found["dev f1"]["0.0"] > 0
    assert found["temperature"] > 0
    assert found["test after"]["curve"] == found["dev after"]["curve"]
    assert sum(count for _, _, count in found["test after"]["curve"]) > 0
    found["test after"]["curve"] = [[0.5, 0.25, 9], [0.75, 0.75, 10], [0.9, 1.0, 40]]
    monkeypatch.syspath_prepend(benchmark.ROOT / "docs")
    draw = runpy.run_path(str(benchmark.ROOT / "docs" / "reliability.py"))["draw"]
    drawn = xml.dom.minidom.parseString(draw(found))
    lines = [line.getAttribute("points") for line in drawn.getElementsByTagName("polyline")]
    assert [len(line.split()) for line in lines][1] == 2  # nine entities are too few
