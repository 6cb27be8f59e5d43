from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.report.collect import collect, published_for
from spacy_selectra.finetuning.report.plot import draw, plot_of
from tests.finetuning.report.fake_metrics import two_models, write_new, write_old


def test_picture_is_xml_with_the_labels_and_always_the_same(tmp_path: Path):
    two_models(tmp_path)
    results = collect([tmp_path], {"ours": "<ours> & $x$ 100%"})
    plot = plot_of([*results, *published_for(results)])
    assert plot.columns == ["own accuracy", "xnli accuracy"]
    assert {
        point.model: (point.words_per_second, round(point.score, 4)) for point in plot.points
    } == {
        "<ours> & $x$ 100%": (11_172.8, 0.7062),
        "hub/large": (950.0, 0.75),
    }
    svg = draw(plot)
    texts = [
        "".join(element.itertext())
        for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    ]
    assert "hub/large" in texts
    assert "<ours> & $x$ 100%" in texts
    assert any("Mean over own accuracy, xnli accuracy" in text for text in texts)
    assert any("Published models are not drawn" in text for text in texts)
    assert draw(plot) == svg
    assert not re.search(r"20\d\d-\d\d", svg)


def test_only_comparable_points_are_drawn(tmp_path: Path):
    two_models(tmp_path)
    write_new(tmp_path / "e", encoder="gpu", device="cuda", words_per_second=1e6)
    write_new(tmp_path / "f", encoder="unknown", words_per_second=None)
    plot = plot_of(collect([tmp_path]))
    assert [point.model for point in plot.points] == ["hub/large", "ours"]
    assert plot.device == "cpu"
    assert plot.notes == [
        "Not drawn, speed not measured: unknown",
        "Not drawn, measured on another device: gpu (cuda)",
    ]
    # a model with fewer tasks takes columns away from all
    write_new(tmp_path / "g", encoder="third")
    plot = plot_of(collect([tmp_path]))
    assert plot.columns == ["xnli accuracy"]
    assert {point.model: point.score for point in plot.points}["hub/large"] == 0.71


def test_nothing_to_draw(tmp_path: Path):
    write_old(tmp_path / "a")
    with pytest.raises(SelectraError, match="no measured model has words_per_second"):
        plot_of(collect([tmp_path]))
    write_new(tmp_path / "a")
    write_new(tmp_path / "b", encoder="other", data="own")
    with pytest.raises(SelectraError, match="other, ours have no column"):
        plot_of(collect([tmp_path]))
