"""The report as one HTML page, with the picture inside; nothing is fetched."""

from __future__ import annotations

import re
from html import escape

from spacy_selectra.util.requirements import required

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Models by tasks</title>
<style>
body {{ font: 15px/1.45 sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em; }}
table {{ border-collapse: collapse; display: block; overflow-x: auto; }}
th, td {{ border-bottom: 1px solid #ccc; padding: .3em .7em; white-space: nowrap; }}
svg {{ height: auto; max-width: 100%; }}
</style>
</head>
<body>
<h1>Models by tasks</h1>
{report}
{picture}
</body>
</html>
"""


def html_page(markdown: str, svg: str | None, remark: str = "") -> str:
    """A page with the table and its notes, and the picture below.

    Args:
        markdown: as `table.markdown` makes it.
        svg: the drawing as an SVG file has it, None for none.
        remark: a sentence in its place if there is none.

    Raises:
        SelectraError: the package markdown is missing.
    """
    # The table is written for readers of Markdown files as well and leaves alone what is only
    # sometimes markup: underscores in names, square brackets around sources.
    text = re.sub(r"[_\[#]", r"\\\g<0>", markdown)
    convert = required("markdown:markdown", "plots", "an HTML page")
    return _PAGE.format(
        report=convert(text, extensions=["tables"]),
        # without the XML declaration, which only a file of its own may have
        picture=f"<p>{escape(remark)}</p>" if svg is None else svg[svg.index("<svg") :].strip(),
    )
