"""`annotate`: files and streams in, JSON lines out."""

import gzip
import json
import os
import threading

import pytest
import spacy
from typer.testing import CliRunner

from spacy_selectra.cli.app import app
from spacy_selectra.errors import SelectraError
from spacy_selectra.serving.bulk.rows import read_records
from spacy_selectra.serving.records import annotate_docs, describe

TEXT = "El niño comió piñón en Cádiz."


@pytest.fixture(scope="module")
def nlp(pipeline):
    return spacy.load(pipeline)


def run(*arguments: str, stdin: str | None = None):
    return CliRunner().invoke(app, ["annotate", *arguments], input=stdin)


def test_texts_that_cannot_be_read_are_named(pipeline, tmp_path):
    (tmp_path / "half.jsonl").write_text('{"text": "uno"}\n{"text": "\\ud83d"}\n', "utf-8")
    (tmp_path / "long.txt").write_text("uno\n" + "a" * 1_000_001 + "\n", "utf-8")
    (tmp_path / "deep.jsonl").write_text("[" * 100_000, "utf-8")
    for name, message in (
        ("half.jsonl", "half.jsonl, line 2: half a surrogate pair at character 1"),
        ("long.txt", "long.txt, line 2: 1,000,001 characters, but at most 1,000,000 are allowed"),
        ("deep.jsonl", "deep.jsonl, line 1: not JSON"),
    ):
        out = tmp_path / f"{name}.out.jsonl"
        result = run(str(pipeline), str(tmp_path / name), str(out))
        assert result.exit_code == 1
        assert message in result.stderr
        assert not out.exists()


def test_offsets_are_characters_of_the_text(nlp):
    record = describe(nlp(TEXT))
    for key in ("ents", "replaced"):
        for item in record[key]:
            assert TEXT[item["start"] : item["end"]] == item["text"]
    assert set(record["cats"]) == {"cultura", "deportes"}


def test_labels_at_call_time(nlp):
    _, (record,) = annotate_docs(nlp, [TEXT], ["música", "año"])
    assert list(record["zero_shot"]) == ["música", "año"]
    assert set(record["cats"]) == {"cultura", "deportes"}


def test_jsonl_keeps_other_keys_and_order(pipeline, tmp_path):
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    rows = [{"id": number, "cuerpo": f"Niño {number}"} for number in range(5)]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    arguments = ("--text-key", "cuerpo", "--batch-size", "2", "--quiet")
    result = run(str(pipeline), str(source), str(target), *arguments)
    assert result.exit_code == 0, result.output
    found = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
    assert [(row["id"], row["cuerpo"]) for row in found] == [(r["id"], r["cuerpo"]) for r in rows]
    assert all({"ents", "cats", "replaced"} <= set(row) for row in found)


def test_text_lines_from_stdin_to_stdout(pipeline):
    result = run(
        str(pipeline), "-", "-", "--labels", "arte, cine", stdin="Hola, Cádiz.\n\nAdiós.\n"
    )
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["text"] for row in found] == ["Hola, Cádiz.", "Adiós."]
    assert list(found[0]["zero_shot"]) == ["arte", "cine"]
    assert "2 documents" in result.stderr


def test_json_lines_from_stdin(pipeline):
    result = run(str(pipeline), "-", stdin='{"text": "Año"}\n')
    assert json.loads(result.stdout)["text"] == "Año"


def test_empty_input_gives_an_empty_file(pipeline, tmp_path):
    (tmp_path / "in.txt").write_text("", "utf-8")
    assert run(str(pipeline), str(tmp_path / "in.txt"), str(tmp_path / "out.jsonl")).exit_code == 0
    assert (tmp_path / "out.jsonl").read_text("utf-8") == ""


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "Cádiz\n".encode("latin-1"), r"a.txt, line 1: not UTF-8 \(byte 0xe1 .*cp1252"),
        ("a.jsonl", b'{"text": "a"}\n{"text"\n', "a.jsonl, line 2: not JSON"),
        (
            "a.jsonl",
            b'{"texto": "a"}\n',
            "a.jsonl, line 1: expected an object with a string under 'text'",
        ),
        ("a.jsonl", b"[1]\n", "a.jsonl, line 1: not a JSON object"),
    ],
)
def test_bad_input(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SelectraError, match=message):
        list(read_records(str(tmp_path / name)))


@pytest.mark.parametrize("name", ["a.md", "a.json", "a.docx", "textos"])
def test_kinds_of_files_that_are_not_known(pipeline, tmp_path, name):
    (tmp_path / name).write_text("text,x\nAna,1\n", "utf-8")
    result = run(str(pipeline), str(tmp_path / name), str(tmp_path / "out.jsonl"))
    assert result.exit_code == 1
    assert f"{name}: unknown format (use .txt, .jsonl" in result.stderr
    assert not (tmp_path / "out.jsonl").exists()


def test_the_same_texts_in_every_form(tmp_path):
    lines = '{"text": "Cádiz"}\n\n{"text": "León"}\n'
    (tmp_path / "a.ndjson").write_text(lines, "utf-16")
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "a.txt").write_bytes("\ufeffCádiz\r\rLeón\r".encode())
    for name in ("a.ndjson", "a.jsonl.gz", "a.txt"):
        found = [record["text"] for record in read_records(str(tmp_path / name))]
        assert found == ["Cádiz", "León"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_read_like_standard_input(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=('{"text": "Año"}\n', "utf-8"))
    writer.start()
    assert [record["text"] for record in read_records(str(pipe))] == ["Año"]
    writer.join()


def test_bad_input_leaves_no_output(pipeline, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"bien\n" * 200 + b"\xe1\n")
    result = run(str(pipeline), str(tmp_path / "a.txt"), str(tmp_path / "out.jsonl"), "--quiet")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_missing_input(pipeline):
    result = run(str(pipeline), "absent.txt", "-", "--quiet")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "absent.txt: no such file" in result.stderr


def test_labels_without_a_zero_shot_component(parts):
    result = run(str(parts["ner"]), "-", "-", "--labels", "a,b", stdin="Hola\n")
    assert result.exit_code == 1
    assert "no zero-shot component (it has: transformer, ner)" in result.stderr
