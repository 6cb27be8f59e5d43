"""Serving needs less than training: what is missing is named with the command that installs it."""

from __future__ import annotations

import re
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest

from spacy_selectra.corpus.documents import read_documents
from spacy_selectra.errors import SelectraError


@pytest.mark.parametrize(
    ("package", "file"), [("pyarrow", "text.txt.zst"), ("pyarrow", "text.parquet")]
)
def test_a_missing_package_is_named(
    package: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / file).write_bytes(b"\x28\xb5\x2f\xfd")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SelectraError, match=rf"{package}: pip install 'spacy-selectra\[train\]'"):
        list(read_documents(tmp_path / file))


def test_a_pipeline_does_not_ask_for_them() -> None:
    needed = {
        re.split(r"[^\w-]", line)[0]
        for line in requires("spacy-selectra") or ()
        if "extra ==" not in line
    }
    assert "spacy" in needed
    assert not needed & {"datasets", "pyarrow", "zstandard", "scikit-learn", "scipy", "seqeval"}
