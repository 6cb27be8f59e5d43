"""Lines of text files, whatever wrote them."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_selectra.corpus.documents import read_documents
from spacy_selectra.corpus.lines import decoded_lines, json_objects, numbered_lines
from spacy_selectra.errors import SelectraError

# U+2028 and the like end no line
TEXT = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\n\0\ufeff"), max_size=20
)


@settings(deadline=None)
@given(
    lines=st.lists(TEXT, min_size=1),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    repeats=st.sampled_from([1, 3000]),
)
def test_whatever_the_encoding_and_the_ends_of_lines(
    lines: list[str], end: str, encoding: str, repeats: int
) -> None:
    lines = ["á", *lines * repeats, "€"]
    stream = io.BytesIO("".join(line + end for line in lines).encode(encoding))
    assert list(decoded_lines("a", stream)) == list(enumerate(lines, start=1))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark(encoding: str) -> None:
    stream = io.BytesIO("Cádiz\nLeón €".encode(encoding))
    assert list(decoded_lines("a", stream)) == [(1, "Cádiz"), (2, "León €")]


def test_carriage_returns_within_lines_that_end_in_line_feeds() -> None:
    stream = io.BytesIO(b"a\rb\nc\r\nd")
    assert list(decoded_lines("a", stream)) == [(1, "a\rb"), (2, "c"), (3, "d")]


def test_empty_and_blank_files() -> None:
    for text, lines in ((b"", []), (b"\n", [(1, "")]), (b"\xef\xbb\xbf", [(1, "")])):
        assert list(decoded_lines("a", io.BytesIO(text))) == lines


def test_the_advice_for_a_file_from_windows_restores_its_text(tmp_path: Path) -> None:
    text = "bien\n5 € por “España”\n"
    (tmp_path / "a.txt").write_bytes(text.encode("cp1252"))
    with pytest.raises(SelectraError, match=r"a.txt, line 2: not UTF-8 \(byte 0x80 at 8\)") as one:
        list(numbered_lines(tmp_path / "a.txt"))
    encoding = str(one.value).split("iconv -f ")[1].split()[0]
    assert (tmp_path / "a.txt").read_bytes().decode(encoding) == text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"%PDF-1.7\n", "PDF"),
        (gzip.compress(b"hola\n", mtime=0), "ends in .gz"),
        (b"PAR1....", "parquet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "Office"),
        (b"x\x9c\xed\xbd", "ends in .spacy"),
    ],
)
def test_other_kinds_of_files_are_not_taken_for_an_encoding(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(SelectraError, match=f"a.txt: not a text file but .*{message}"):
        list(read_documents(tmp_path / "a.txt"))


def test_a_spreadsheet_under_another_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.jsonl", "w") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    with pytest.raises(SelectraError, match=r"a zip archive, as \.xlsx"):
        list(json_objects("a", numbered_lines(tmp_path / "a.jsonl")))


def test_corpora_are_read_in_the_same_way(tmp_path: Path) -> None:
    rows = [{"text": "Cádiz"}, {"text": "León"}]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\r" for row in rows)
    (tmp_path / "a.jsonl").write_text(text, encoding="utf-16", newline="")
    assert [document.text for document in read_documents(tmp_path / "a.jsonl")] == ["Cádiz", "León"]
