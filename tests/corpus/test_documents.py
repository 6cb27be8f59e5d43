from __future__ import annotations

import gzip
import json
import lzma
import tracemalloc
from itertools import islice
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from spacy_selectra.corpus.compression import open_for_reading, write_documents
from spacy_selectra.corpus.documents import Document, read_documents
from spacy_selectra.corpus.hub import parse_hub_address
from spacy_selectra.errors import SelectraError

TEXTS = ["El niño comió piñón.\nEn Cádiz.", "Otra canción.", "¿Y el año?\nAsí es."]
COMPRESS = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}


def txt(texts: list[str]) -> bytes:
    return "\n\n \n".join(texts).encode()


def jsonl(texts: list[str]) -> bytes:
    return "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()


def parquet(texts: list[str], path: Path) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"id": [1] * len(texts), "text": texts}), path, row_group_size=2)
    return path.read_bytes()


def read(path: Path | list[Path], **options: str) -> list[str]:
    return [document.text for document in read_documents(path, **options)]  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("kind", ["txt", "jsonl", "parquet"])
def test_every_format_and_compression_gives_the_same_documents(
    tmp_path: Path, kind: str, suffix: str
) -> None:
    data = {"txt": txt, "jsonl": jsonl}.get(kind, lambda t: parquet(t, tmp_path / "x"))(TEXTS)
    path = tmp_path / f"corpus.{kind}{suffix}"
    path.write_bytes(COMPRESS[suffix](data))
    assert read(path) == TEXTS


def test_places_are_lines_counted_from_one(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("\n\nuno\ndos\n\ntres\n")
    assert list(read_documents(path)) == [
        Document("uno\ndos", str(path), "3"),
        Document("tres", str(path), "6"),
    ]


def test_windows_line_ends_and_byte_order_mark_leave_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfuno\r\ndos\r\n\r\ntres\r\n")
    assert read(path) == ["uno\ndos", "tres"]


def test_folders_are_read_in_order_of_names_and_lists_as_given(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "sub/c.txt", ".hidden.txt", "notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert read(tmp_path) == ["a.txt", "b.txt", "sub/c.txt"]
    assert read([tmp_path / "b.txt", tmp_path / "a.txt"]) == ["b.txt", "a.txt"]


def test_linked_folders_are_read_once(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.txt").write_text("uno")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "b.txt").write_text("dos")
    (tmp_path / "texts" / "more").symlink_to(tmp_path / "real")
    (tmp_path / "texts" / "round").symlink_to(tmp_path / "texts")
    assert read(tmp_path / "texts") == ["dos", "uno"]


def test_a_file_without_blank_lines_is_cut_between_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    lines = [f"Frase número {number} de un archivo sin líneas vacías." for number in range(5000)]
    path.write_text("\n".join(lines), encoding="utf-8")
    found = list(read_documents(path))
    assert [line for document in found for line in document.text.splitlines()] == lines
    assert len(found) == 3
    assert max(len(document.text) for document in found) < 105_000
    for document in found:
        assert document.text.startswith(lines[int(document.id) - 1])


def test_text_key_is_configurable(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"content": "hola"}\n\n{"content": null}\n')
    assert read(path, text_key="content") == ["hola", ""]
    with pytest.raises(SelectraError, match=r"a.jsonl, line 1: no key 'text' \(found: content\)"):
        read(path)


def test_half_a_surrogate_pair_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a\\ud83d b \\ud83d\\ude00"}\n')
    assert read(path) == ["a? b 😀"]


def test_missing_unknown_and_empty_sources(tmp_path: Path) -> None:
    with pytest.raises(SelectraError, match=r"nada.txt: no such file"):
        read(tmp_path / "nada.txt")
    (tmp_path / "a.docx").write_text("x")
    with pytest.raises(SelectraError, match=r"a.docx: unknown format; known are .txt"):
        read(tmp_path / "a.docx")
    with pytest.raises(SelectraError, match="no corpus files in this folder"):
        read(tmp_path)
    (tmp_path / "a.txt").write_text(" \n\n")
    with pytest.raises(SelectraError, match=r"a.txt: no documents found \(empty corpus\)"):
        read(tmp_path / "a.txt")


def test_latin1_names_line_byte_and_remedy(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"hola\n" + "el niño".encode("latin-1") + b"\n")
    with pytest.raises(SelectraError, match=r"line 2: not UTF-8 \(byte 0xf1 at 11\).*cp1252"):
        read(path)


def test_broken_json_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a"}\n{"text": "b"\n')
    with pytest.raises(SelectraError, match=r"a.jsonl, line 2: not JSON"):
        read(path)
    path.write_text('["a"]\n')
    with pytest.raises(SelectraError, match=r"line 1: not a JSON object"):
        read(path)


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".zst"])
def test_truncated_compression_is_an_error(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(COMPRESS[suffix](txt(TEXTS * 5))[:-4])
    with pytest.raises(SelectraError, match=rf"a.txt\{suffix}: damaged or truncated"):
        read(path)
    path.write_bytes(b"this was never compressed")
    with pytest.raises(SelectraError, match="damaged"):
        read(path)


@given(
    parts=st.lists(st.binary(max_size=300), min_size=1, max_size=3),
    repeats=st.integers(1, 2000),
    place=st.floats(0, 1),
)
def test_zstd_frames_are_one_file_and_a_missing_end_is_an_error(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], repeats: int, place: float
) -> None:
    path = tmp_path_factory.getbasetemp() / "frames.zst"
    parts = [part * repeats for part in parts]
    frames = [zstandard.ZstdCompressor().compress(part) for part in parts]
    cut = round(place * len(b"".join(frames)))
    path.write_bytes(b"".join(frames)[:cut])
    whole = [n for n in range(len(frames) + 1) if len(b"".join(frames[:n])) == cut]
    if whole:
        with open_for_reading(path) as stream:
            assert stream.read() == b"".join(parts[: whole[0]])
    else:
        with (
            pytest.raises(SelectraError, match="damaged or truncated"),
            open_for_reading(path) as stream,
        ):
            stream.read()


def test_parquet_without_the_column_or_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    data = parquet(TEXTS, path)
    with pytest.raises(SelectraError, match="no column 'body'; choose one of id, text"):
        read(path, text_key="body")
    path.write_bytes(data[:-20])
    with pytest.raises(SelectraError, match="not a readable parquet file"):
        read(path)


def test_memory_does_not_grow_with_the_corpus(tmp_path: Path) -> None:
    path = tmp_path / "big.jsonl.gz"
    path.write_bytes(gzip.compress(jsonl(["palabra " * 1000] * 3000)))  # 24 MB of text
    tracemalloc.start()
    assert sum(1 for _ in read_documents(path)) == 3000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000


def test_hub_address() -> None:
    assert parse_hub_address("hub:oscar-corpus/x:es:train") == ("oscar-corpus/x", "es", "train")
    assert parse_hub_address("hub:user/data") == ("user/data", None, "train")
    assert parse_hub_address("hub:user/data::test") == ("user/data", None, "test")
    with pytest.raises(SelectraError, match="a hub address is"):
        parse_hub_address("hub:a:b:c:d")


def test_hub_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def endless(*args: object, **options: object) -> object:
        calls.append((args, options))
        return ({"text": f"documento {n}"} for n in range(10**12))

    monkeypatch.setattr("datasets.load_dataset", endless)
    documents = list(islice(read_documents("hub:user/data:es:train"), 2))
    assert documents[1] == Document("documento 1", "hub:user/data:es:train", "2")
    assert calls == [(("user/data", "es"), {"split": "train", "streaming": True})]


def test_hub_failures_name_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken_off(*args: object, **options: object) -> object:
        yield {"text": "uno"}
        raise ConnectionError("line is dead")

    monkeypatch.setattr("datasets.load_dataset", broken_off)
    with pytest.raises(SelectraError, match=r"hub:u/d: stopped after row 1 \(line is dead\)"):
        list(read_documents("hub:u/d"))
    monkeypatch.setattr("datasets.load_dataset", lambda *a, **k: 1 / 0)
    with pytest.raises(SelectraError, match="hub:u/d: cannot be opened"):
        list(read_documents("hub:u/d"))


@pytest.mark.parametrize("suffix", COMPRESS)
def test_what_is_written_is_read_again(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out.jsonl{suffix}"
    documents = [Document(text, "s", "1") for text in TEXTS]
    assert write_documents(path, documents) == 3
    assert read(path) == TEXTS
    first = path.read_bytes()
    write_documents(path, documents)
    assert path.read_bytes() == first


def test_a_failed_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    write_documents(path, [Document("viejo", "s", "1")])

    def broken() -> object:
        yield Document("nuevo", "s", "1")
        raise SelectraError("source damaged")

    with pytest.raises(SelectraError, match="source damaged"):
        write_documents(path, broken())  # type: ignore[arg-type]
    assert read(path) == ["viejo"]
    with pytest.raises(SelectraError, match=r"must end in \.jsonl"):
        write_documents(tmp_path / "out.txt", [])
