from __future__ import annotations

from pathlib import Path

import pytest

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.report.markdown import BEGIN, END, insert

README = f"# Título\n\nBefore {BEGIN}\nold\n{END} after\n"
TABLE = "| a |\n|---|\n| ñ |"


def test_table_between_the_markers(tmp_path: Path):
    readme, card = tmp_path / "README.md", tmp_path / "card.md"
    readme.write_text(README, encoding="utf-8")
    card.write_bytes(f"{BEGIN}{END}\r\n".encode())
    insert([readme, card], TABLE)
    assert readme.read_text(encoding="utf-8") == (
        f"# Título\n\nBefore {BEGIN}\n\n{TABLE}\n\n{END} after\n"
    )
    windows = TABLE.replace("\n", "\r\n")
    assert card.read_bytes().decode() == f"{BEGIN}\r\n\r\n{windows}\r\n\r\n{END}\r\n"


def test_again_changes_nothing(tmp_path: Path):
    readme = tmp_path / "README.md"
    readme.write_text(README, encoding="utf-8")
    readme.chmod(0o640)
    insert([readme], TABLE)
    before = readme.read_bytes(), readme.stat().st_ino, readme.stat().st_mtime_ns
    assert readme.stat().st_mode & 0o777 == 0o640
    insert([readme], TABLE)
    assert (readme.read_bytes(), readme.stat().st_ino, readme.stat().st_mtime_ns) == before
    insert([readme], "other")
    assert TABLE not in readme.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("none", "'<!-- selectra-report:begin -->' occurs 0 times"),
        (f"{BEGIN}\n", "'<!-- selectra-report:end -->' occurs 0 times"),
        (README + README, "'<!-- selectra-report:begin -->' occurs 2 times"),
        (f"{END}\n{BEGIN}\n", "swap them"),
    ],
)
def test_wrong_markers_leave_all_files_alone(tmp_path: Path, text: str, message: str):
    good, bad = tmp_path / "good.md", tmp_path / "bad.md"
    good.write_text(README, encoding="utf-8")
    bad.write_text(text, encoding="utf-8")
    with pytest.raises(SelectraError, match=message) as error:
        insert([good, bad], TABLE)
    assert "\n" not in str(error.value)
    assert good.read_text(encoding="utf-8") == README
    assert bad.read_text(encoding="utf-8") == text


def test_unreadable_files(tmp_path: Path):
    with pytest.raises(SelectraError, match="No such file"):
        insert([tmp_path / "missing.md"], TABLE)
    (tmp_path / "latin.md").write_bytes("año".encode("latin-1"))
    with pytest.raises(SelectraError, match="not UTF-8"):
        insert([tmp_path / "latin.md"], TABLE)
