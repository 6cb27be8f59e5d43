from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from spacy_selectra.finetuning.report.collect import Result, collect
from spacy_selectra.finetuning.report.html import html_page
from spacy_selectra.finetuning.report.plot import draw, plot_of
from spacy_selectra.finetuning.report.table import markdown
from tests.finetuning.report.fake_metrics import two_models, write_new

RESULT = Result("a", 5_400_000, "b", 0.6, 0.01, 5, published=False)


class Page(HTMLParser):
    """Texts of the elements by tag; a tag closed in another's place fails."""

    def __init__(self, page: str):
        super().__init__()
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.texts.setdefault(tag, []).append("")
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        for tag in set(self.open):
            self.texts[tag][-1] += data


def test_page_holds_table_notes_and_picture(tmp_path: Path):
    two_models(tmp_path)
    write_new(tmp_path / "e", encoder="#<b>_x_</b> [a](b) & c|d", trials=[{"collapsed": True}] * 5)
    results = collect([tmp_path])
    page = Page(html_page(markdown(results), draw(plot_of(results))))
    assert page.texts["title"] == ["Models by tasks"]
    assert page.texts["th"][-1] == "xnli accuracy"
    assert len(page.texts["tr"]) == 4
    assert "hub/large" in page.texts["td"]
    assert "#<b>_x_</b> [a](b) & c|d" in page.texts["td"]
    assert "#<b>_x_</b> [a](b) & c|d, xnli accuracy: 5 of 5 trials" in "".join(page.texts["li"])
    assert page.texts["strong"] == ["0.800 ± 0.010", "0.710 ± 0.010"]
    assert len(page.texts["svg"]) == 1
    assert "hub/large" in page.texts["text"]
    assert not page.texts.keys() & {"b", "a", "em", "script"}


@given(st.text("ab _*`[]()<>&;#|\\!:~-\"'é", min_size=1).filter(str.strip))
def test_names_are_shown_as_they_are(name: str):
    result = RESULT._replace(model=name, column=name)
    page = Page(html_page(markdown([result]), None, remark=name))
    assert page.texts["td"][0] == page.texts["th"][-1] == " ".join(name.split())
    assert page.texts["p"] == [name]
