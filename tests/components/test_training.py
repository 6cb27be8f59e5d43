"""`spacy train` with the configurations we ship, from a tiny random encoder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy import registry
from spacy.cli.train import train
from spacy.schemas import ConfigSchemaTraining
from spacy.training.initialize import init_nlp
from spacy.util import load_config, load_model_from_config

CONFIGS = Path(__file__).parents[2] / "configs"
PEOPLE = ["Íñigo", "Begoña", "Marta"]
PLACES = ["Cádiz", "Málaga", "León"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("data")
    lines = []
    for person in PEOPLE:
        for place in PLACES:
            lines.append(f"{person} B-PER\nvive O\nen O\n{place} B-LOC\n. O\n")
    # one document longer than a batch, which must not be dropped
    lines.append("\n".join(f"palabra{i % 7} O" for i in range(300)) + "\n")
    (directory / "ner.conll").write_text("\n".join(lines), encoding="utf-8")
    rows = [{"text": f"{name} ganó", "label": "gente"} for name in PEOPLE]
    rows += [{"text": f"{name} llueve", "label": "sitios"} for name in PLACES]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (directory / "texts.jsonl").write_text(text, encoding="utf-8")
    return directory


def overrides(data: Path, name: str, **more) -> dict:
    file = str(data / ("ner.conll" if name == "ner" else "texts.jsonl"))
    return {
        "paths.train": file,
        "paths.dev": file,
        "training.max_steps": 6,
        "training.eval_frequency": 3,
        "training.batcher.size": 200,
        **more,
    }


@pytest.fixture(scope="module")
def trained(data, encoder_directory, tmp_path_factory):
    """The NER pipeline of ner.cfg after a few steps."""
    output = tmp_path_factory.mktemp("trained")
    train(
        CONFIGS / "ner.cfg",
        output,
        overrides=overrides(data, "ner", **{"paths.encoder": str(encoder_directory)}),
    )
    return output / "model-best"


@pytest.mark.parametrize("name", ["ner", "textcat"])
def test_configuration_is_complete(name, data, encoder_directory):
    settings = overrides(data, name, **{"paths.encoder": str(encoder_directory)})
    config = load_config(CONFIGS / f"{name}.cfg", overrides=settings)
    nlp = load_model_from_config(config, auto_fill=False, validate=True)
    assert nlp.pipe_names == ["transformer", name]
    resolved = registry.resolve(nlp.config.interpolate()["training"], schema=ConfigSchemaTraining)
    assert resolved["before_to_disk"](spacy.blank("es")).meta["requirements"]


def test_ner(trained, encoder_directory):
    nlp: Any = spacy.load(trained)
    assert nlp.pipe_names == ["transformer", "ner"]
    assert str(encoder_directory) not in (trained / "config.cfg").read_text()
    assert any(item.startswith("spacy-selectra") for item in nlp.meta["requirements"])
    assert set(nlp.get_pipe("ner").labels) == {"LOC", "PER"}
    assert "ents_f" in nlp.meta["performance"]
    assert spacy.load(trained)("Íñigo vive en León.").has_annotation("ENT_IOB")


def test_training_moves_encoder_and_head(trained, encoder_directory, data):
    settings = overrides(data, "ner", **{"paths.encoder": str(encoder_directory)})
    fresh: Any = init_nlp(load_config(CONFIGS / "ner.cfg", overrides=settings))
    nlp: Any = spacy.load(trained)
    before = dict(fresh.get_pipe("transformer").model.shim.encoder.named_parameters())
    for name, after in nlp.get_pipe("transformer").model.shim.encoder.named_parameters():
        if ".qkv." not in name:
            assert not before[name].equal(after), name


def test_textcat(data, encoder_directory, tmp_path):
    settings = overrides(data, "textcat", **{"paths.encoder": str(encoder_directory)})
    train(CONFIGS / "textcat.cfg", tmp_path, overrides=settings)
    nlp = spacy.load(tmp_path / "model-last")
    assert set(nlp("Begoña ganó").cats) == {"gente", "sitios"}


def test_shared_transformer_stays_as_it_is(data, trained, tmp_path):
    settings = overrides(data, "textcat", **{"paths.source": str(trained)})
    train(CONFIGS / "textcat_shared.cfg", tmp_path, overrides=settings)
    shared: Any = spacy.load(tmp_path / "model-last")
    source: Any = spacy.load(trained)
    weights = source.get_pipe("transformer").model.to_bytes()
    assert shared.get_pipe("transformer").model.to_bytes() == weights
    # the assembled pipeline: one encoder, both components
    both = spacy.load(trained)
    both.add_pipe("textcat", source=shared)
    text = "Íñigo vive en León."
    doc = both(text)
    assert doc.cats == pytest.approx(shared(text).cats)
    assert [e.text for e in doc.ents] == [e.text for e in source(text).ents]
    assert both.pipe_names.count("transformer") == 1
    both.to_disk(tmp_path / "both")
    assert spacy.load(tmp_path / "both")(text).cats == pytest.approx(doc.cats)


def test_without_an_encoder_it_says_so(data, tmp_path):
    with pytest.raises(ValueError, match="no encoder to start from"):
        train(CONFIGS / "ner.cfg", tmp_path, overrides=overrides(data, "ner"))
