"""MkDocs hooks: pages whose text lies outside docs/, and the links from and to them."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
# Files of the repository and the pages they become.
OUTSIDE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/README.md": "benchmarks.md",
    "packages/es_selectra_small/README.md": "es_selectra_small.md",
    "packages/es_selectra_tiny/README.md": "es_selectra_tiny.md",
}
_SOURCES = {page: source for source, page in OUTSIDE.items()}
# A link to a file of the repository: no scheme, and not only an anchor.
_LINK = re.compile(r"\]\((?P<path>[^)\s#:]+)(?P<anchor>#[^)\s]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that lie outside docs/."""
    for source, page in OUTSIDE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn links between files of the repository into links between pages.

    Links to files that are no pages stay, so that a strict build names them.
    """
    here = page.file.src_uri
    folder = posixpath.dirname(_SOURCES.get(here, f"docs/{here}"))

    def linked(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, match["path"]))
        if path not in OUTSIDE and not path.startswith("docs/"):
            return match[0]
        target = OUTSIDE.get(path, path.removeprefix("docs/"))
        relative = posixpath.relpath(target, posixpath.dirname(here) or ".")
        return f"]({relative}{match['anchor'] or ''})"

    return _LINK.sub(linked, markdown)
