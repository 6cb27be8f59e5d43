from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.report.collect import collect, published_for
from spacy_selectra.finetuning.report.html import html_page
from spacy_selectra.finetuning.report.plot import draw, inline, plot_of
from tests.finetuning.report.fake_metrics import two_models, write_new, write_old

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Checker(HTMLParser):
    """Tags that are open, and everything a browser would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.references: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)
        self.references += [
            value or ""
            for name, value in attrs
            if name in ("src", "href", "xlink:href", "style") and (value or "")[:1] != "#"
        ]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def check(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert checker.open == []
    assert not {"script", "link", "img", "iframe", "object"} & set(checker.seen)
    assert not any(
        "url(" in reference and "url(#" not in reference for reference in checker.references
    )
    assert not any("//" in reference for reference in checker.references)
    assert not re.search(r"@import|url\((?!#)", page)
    return checker


def test_page_is_well_formed_and_fetches_nothing(tmp_path: Path):
    two_models(tmp_path)
    results = collect([tmp_path], {"ours": 'ours <b>&"c"'})
    results += published_for(results)
    svg = inline(draw(plot_of(results)))
    page = html_page(results, svg=svg, remark="Not drawn: <nobody>")
    checker = check(page)
    assert checker.seen.count("svg") == checker.seen.count("table") == 1
    # one heading for each of 6 columns and one for each row
    assert checker.seen.count("th") == 6 + len({(r.model, r.published) for r in results})
    assert 'ours <b>&"c"' in checker.text  # as text: the tag did not become one
    assert "<nobody>" in checker.text
    assert "SELECTRA small (published)" in checker.text
    assert "<b>0.800 ± 0.010</b>" in page
    assert "xmlns" not in page
    assert html_page(results, svg=svg, remark="Not drawn: <nobody>") == page


def test_page_without_a_picture(tmp_path: Path):
    write_old(tmp_path / "a")
    results = collect([tmp_path])
    checker = check(html_page(results))
    assert "svg" not in checker.seen
    assert "0.612 ± 0.010 (2)" in checker.text


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
    assert "DOCTYPE" not in svg
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


def test_labels_of_close_points_do_not_cover_each_other(tmp_path: Path):
    for number in range(4):
        write_new(
            tmp_path / str(number),
            encoder=f"model-with-a-long-name-{number}",
            mean=0.7 + number / 1e5,
            words_per_second=1000.0 + number,
        )
    write_new(tmp_path / "far", encoder="far", mean=0.2, words_per_second=5000.0)
    boxes = []
    for element in ElementTree.fromstring(draw(plot_of(collect([tmp_path])))).iter():
        if (element.text or "").startswith("model-with"):
            style, x = element.attrib["style"], float(element.attrib["x"])
            width = 90  # a little less than such a label takes
            shift = {"middle": width / 2, "end": width}
            anchor = re.search(r"text-anchor: (\w+)", style)
            left = x - shift.get(anchor[1] if anchor else "start", 0)
            boxes.append((left, left + width, float(element.attrib["y"])))
    assert len(boxes) == 4
    for one, other in itertools.combinations(boxes, 2):
        assert abs(one[2] - other[2]) > 8 or one[1] < other[0] or other[1] < one[0]
