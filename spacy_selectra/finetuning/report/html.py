"""The report as a self-contained HTML page with the plot."""

from __future__ import annotations

import re
from html import escape

from spacy_selectra.util.extras import required

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
    """A page with the table, its notes and the plot.

    Args:
        markdown: from `table.markdown`.
        svg: content of the plot's SVG file, None for none.
        remark: a sentence to show instead of the plot.

    Raises:
        SelectraError: the package markdown is missing.
    """
    # The Markdown is meant to be readable as it is, so underscores in names and square brackets
    # around sources are not escaped.
    text = re.sub(r"[_\[#]", r"\\\g<0>", markdown)
    convert = required("markdown:markdown", "plots", "an HTML page")
    return _PAGE.format(
        report=convert(text, extensions=["tables"]),
        # without the XML declaration, which is allowed in files of their own only
        picture=f"<p>{escape(remark)}</p>" if svg is None else svg[svg.index("<svg") :].strip(),
    )
