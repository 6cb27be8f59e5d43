"""The report as one HTML page: no scripts, nothing fetched."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from spacy_selectra.finetuning.report.collect import Result
from spacy_selectra.finetuning.report.table import Row, Score, build_table

_STYLE = """\
body { font: 15px/1.45 sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid #ccc; padding: .3em .7em; text-align: right; }
th:first-child { text-align: left; }
td { white-space: nowrap; }
tr.published { color: #555; }
.mark { color: #555; font-size: 85%; }
li { margin: .2em 0; }
figure { margin: 1.5em 0; }
svg { height: auto; max-width: 100%; }"""


def html_page(
    results: Sequence[Result],
    *,
    svg: str | None = None,
    remark: str = "",
    title: str = "Models by tasks",
) -> str:
    """A page with the table, its notes and the drawing.

    Args:
        results: measured and published results.
        svg: an `<svg>` element to show under the table, None for none.
        remark: why there is no drawing, or what is not in it.
        title: heading of the page.
    """
    table = build_table(results)
    heads = "".join(_element("th", head, scope="col") for head in [*table.heads, *table.columns])
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        _element("title", title),
        f"<style>\n{_STYLE}\n</style>",
        "</head>",
        "<body>",
        _element("h1", title),
        '<div class="wide"><table>',
        f"<thead><tr>{heads}</tr></thead>",
        "<tbody>",
        *(_row(row) for row in table.rows),
        "</tbody>",
        "</table></div>",
        "<h2>Notes</h2>",
        "<ul>",
        *(_element("li", note) for note in table.notes),
        "</ul>",
        "<h2>Score against speed</h2>" if svg or remark else "",
        f"<figure>\n{svg}\n</figure>" if svg else "",
        _element("p", remark) if remark else "",
        "</body>",
        "</html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _row(row: Row) -> str:
    kind = ' class="published"' if row.published else ""
    cells = [_element("td", figure) for figure in row.figures]
    cells += [f"<td>{'; '.join(_score(score) for score in cell)}</td>" for cell in row.cells]
    return f"<tr{kind}>{_element('th', row.name, scope='row')}{''.join(cells)}</tr>"


def _score(score: Score) -> str:
    text = _element("b", score.text) if score.best else escape(score.text)
    return f"{text} {_element('span', score.mark, **{'class': 'mark'})}" if score.mark else text


def _element(tag: str, text: str, **attributes: str) -> str:
    listed = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
    return f"<{tag}{listed}>{escape(text)}</{tag}>"
