"""Trained parts become one directory that needs none of them."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from spacy.language import Language

from spacy_selectra.errors import SelectraError
from spacy_selectra.matching.classifier import WordClassifier
from spacy_selectra.packaging.assemble import assemble_pipeline, training_record
from spacy_selectra.packaging.textcat_pipeline import textcat_pipeline
from tests.packaging.conftest import TEXT, spacy_pipeline


def assemble(output: Path, parts: dict[str, Path], **changes):
    return assemble_pipeline(output, name="selectra_test", version="0.1.0", **{**parts, **changes})


def part(nlp: Language, name: str) -> Any:
    return nlp.get_pipe(name)


def test_components_and_shared_transformer(parts, tmp_path):
    report = assemble(tmp_path / "p", parts)
    assert report.components == ["transformer", "ner", "textcat", "zero_shot", "replaced"]
    assert report.shared_transformer
    nlp = spacy.load(tmp_path / "p")
    assert part(nlp, "transformer").listening_components == ["ner", "textcat"]


def test_components_give_what_the_parts_gave(parts, pipeline):
    doc = spacy.load(pipeline)(TEXT)
    alone = spacy.load(parts["ner"])(TEXT)
    assert [(e.start, e.end, e.label_) for e in doc.ents] == [
        (e.start, e.end, e.label_) for e in alone.ents
    ]
    assert doc.cats == pytest.approx(spacy.load(parts["textcat"])(TEXT).cats, abs=1e-5)
    assert [token.text for token in doc] == ["El", "niño", "comió", "piñón", "en", "Cádiz", "."]
    assert all(0 < token._.replaced < 1 for token in doc)


def test_nothing_but_the_directory_is_needed(parts, tmp_path):
    moved = tmp_path / "parts"
    shutil.copytree(parts["discriminator"].parents[1], moved)
    inside = {
        name: moved / path.relative_to(parts["discriminator"].parents[1])
        for name, path in parts.items()
    }
    assemble(tmp_path / "p", inside)
    shutil.rmtree(moved)
    nlp = spacy.load(tmp_path / "p")
    scores = part(nlp, "zero_shot").classify([nlp.make_doc(TEXT)], ["deportes", "cultura"])
    assert sum(scores[0].values()) == pytest.approx(1)
    assert nlp(TEXT)[1]._.replaced > 0


def test_saved_files_name_no_place_of_training(parts, pipeline):
    for path in ("config.cfg", "meta.json"):
        assert str(parts["ner"].parent) not in (pipeline / path).read_text(encoding="utf-8")


def test_textcat_with_other_weights_gets_its_own_transformer(parts, tmp_path):
    other = spacy_pipeline("textcat", parts["discriminator"])
    encoder = part(other, "transformer").model.shim.encoder
    next(encoder.parameters()).data.mul_(-1)
    other.to_disk(tmp_path / "textcat")
    report = assemble(tmp_path / "p", parts, textcat=tmp_path / "textcat")
    assert not report.shared_transformer
    nlp = spacy.load(tmp_path / "p")
    assert part(nlp, "transformer").listening_components == ["ner"]
    assert nlp(TEXT).cats == pytest.approx(other(TEXT).cats, abs=1e-5)


def test_a_matching_model_and_what_is_known_of_it(parts, matching, tmp_path):
    given = {name: path for name, path in parts.items() if name != "entailment"}
    moved = tmp_path / "matching"
    shutil.copytree(matching, moved)
    report = assemble(tmp_path / "p", given, matching=moved, half=True)
    shutil.rmtree(moved)
    assert report.components == ["transformer", "ner", "textcat", "zero_shot", "replaced"]
    nlp = spacy.load(tmp_path / "p")
    (row,) = part(nlp, "zero_shot").classify(["el gol del portero"], ["gol", "horno"])
    alone: Any = spacy.blank("es").add_pipe("selectra_zero_shot", config={"model": str(matching)})
    assert row == alone.classify(["el gol del portero"], ["gol", "horno"])[0]
    assert [source["name"] for source in nlp.meta["sources"]] == [
        "Random numbers",
        "Texts of three subjects",
    ]
    assert nlp.meta["limits"] == ["Its weights are random.", "It knows three subjects."]
    assert nlp.meta["matching"]["pairs"][0] == {"file": "a", "pairs": 90, "labels": 3}
    with pytest.raises(SelectraError, match="of entailment or matching, not both"):
        assemble(tmp_path / "q", parts, matching=matching)


def test_parts_of_an_assembled_pipeline_are_replaced(parts, pipeline, matching, tmp_path):
    before = spacy.load(pipeline)
    report = assemble_pipeline(
        tmp_path / "p", ner=pipeline, name="selectra_x", version="1.1.0", matching=matching
    )
    assert sorted(report.components) == sorted(before.pipe_names)
    nlp = spacy.load(tmp_path / "p")
    (row,) = part(nlp, "zero_shot").classify(["el gol del portero"], ["gol", "horno"])
    assert row["gol"] > row["horno"]
    assert nlp(TEXT).cats == pytest.approx(before(TEXT).cats, abs=1e-5)
    assert nlp.meta["training"] == before.meta["training"] != {}


def test_only_ner(parts, tmp_path):
    report = assemble_pipeline(tmp_path / "p", ner=parts["ner"], name="selectra_x", version="1.0.0")
    assert report.components == ["transformer", "ner"]


def test_meta(pipeline):
    meta = json.loads((pipeline / "meta.json").read_text(encoding="utf-8"))
    assert (meta["lang"], meta["name"], meta["version"]) == ("es", "selectra_test", "0.1.0")
    assert meta["license"] == "MIT"
    assert meta["sources"][0]["name"] == "Random numbers"
    assert meta["training"]["pretraining steps"] == 10
    required = {item.split(">")[0].split("<")[0] for item in meta["requirements"]}
    assert {"spacy-selectra", "spacy", "spacy-transformers", "transformers", "torch"} <= required
    assert "3.8.2" in meta["spacy_version"]  # the oldest that is declared, not the one at hand


def test_energy_is_estimated_from_hours_and_watts(parts):
    runs = [Path(parts["discriminator"]).parent]
    record = training_record(runs, watts=100, co2_grams_per_kwh=400)
    assert record["pretraining hours"] == 0.01
    assert record["energy of pretraining in kWh, estimated at 100 W"] == 0.001
    assert record["CO2 of pretraining in grams, at 400 g/kWh"] == 0.4
    assert len(training_record(runs)) == 3
    twice = training_record([*runs, *runs])
    assert twice["pretraining steps"] == 2 * training_record(runs)["pretraining steps"] == 20
    assert training_record([Path("nowhere")]) == {}


def test_words_alone_for_topics(parts, tmp_path):
    """A textcat of `labels textcat`, which listens to nothing."""
    rng = np.random.default_rng(0)
    words = WordClassifier(("a", "b"), rng.normal(size=(3, 2)), np.zeros(2), np.ones(3), 0.5)
    textcat_pipeline(["gol", "horno", "el"], words).to_disk(tmp_path / "words")
    report = assemble_pipeline(
        tmp_path / "p",
        ner=parts["ner"],
        textcat=tmp_path / "words",
        name="selectra_x",
        version="1.0.0",
    )
    assert report.components == ["transformer", "ner", "textcat"]
    assert not report.shared_transformer
    cats = spacy.load(tmp_path / "p")("El gol.").cats
    assert sum(cats.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("ner", "not a trained pipeline"),
        ("textcat", "not a trained pipeline"),
        ("entailment", "no model directory"),
        ("discriminator", "no model directory"),
        ("about", "cannot be read as YAML"),
    ],
)
def test_missing_part(parts, tmp_path, missing, message):
    with pytest.raises(SelectraError, match=message):
        assemble(tmp_path / "p", parts, **{missing: tmp_path / "absent"})
    assert not (tmp_path / "p").exists()


def test_part_without_its_component(parts, tmp_path):
    with pytest.raises(SelectraError, match=r"has no component 'ner' .*transformer, textcat"):
        assemble(tmp_path / "p", parts, ner=parts["textcat"])


def test_unknown_key_in_about(parts, tmp_path):
    about = tmp_path / "about.yml"
    about.write_text("licence: MIT\n", encoding="utf-8")
    with pytest.raises(SelectraError, match="unknown key 'licence'"):
        assemble(tmp_path / "p", parts, about=about)
