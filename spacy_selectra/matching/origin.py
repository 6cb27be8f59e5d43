"""Sources of vectors and matching models, stored with them for the model card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spacy_selectra.errors import SelectraError
from spacy_selectra.matching.pairs import Pairs
from spacy_selectra.util.files import read_yaml

SOURCE_KEYS = ("name", "url", "license", "use")


def file_name(path: str | Path) -> str:
    """File name with its parent folder, without the rest of the path, which may be private."""
    return "/".join(Path(path).parts[-2:])


def pairs_record(sources: Mapping[str, Pairs]) -> list[dict[str, Any]]:
    """`file`, number of `pairs` and number of `labels` of each source."""
    return [
        {"file": file_name(name), "pairs": len(pairs), "labels": len({one for _, one in pairs})}
        for name, pairs in sources.items()
    ]


def read_origin(path: str | Path) -> dict[str, Any]:
    """Read a YAML file with `sources` (name, url, license, use) and `limits` (sentences).

    Raises:
        SelectraError: the file does not have this format.
    """
    given = read_yaml(path)
    if not isinstance(given, dict) or set(given) - {"sources", "limits"}:
        raise SelectraError(f"{path}: expected a mapping with only sources and limits")
    sources, limits = given.get("sources") or [], given.get("limits") or []
    for source in sources:
        if not isinstance(source, dict) or "name" not in source or set(source) - {*SOURCE_KEYS}:
            raise SelectraError(
                f"{path}: a source has a name and optionally {', '.join(SOURCE_KEYS[1:])}, "
                f"not {source!r}"
            )
    if wrong := [limit for limit in limits if not isinstance(limit, str)]:
        raise SelectraError(f"{path}: a limit must be a sentence, not {wrong[0]!r}")
    return {"sources": sources, "limits": limits}
