"""Sources taken more often or less often."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spacy_selectra.cli.app import app
from spacy_selectra.corpus.documents import Document, read_documents
from spacy_selectra.corpus.mixing import Mixer, parse_factors
from spacy_selectra.errors import SelectraError

run = CliRunner()


def documents(source: str, count: int) -> list[Document]:
    return [Document(f"El texto {n} de {source}.", source, str(n)) for n in range(count)]


def test_factors_are_met_on_average():
    mixer = Mixer({"noticias": 5, "leyes": 0.4, "prensa": 2.25, "spam": 0}, seed=3)
    given = [d for name in (*mixer.factors, "resto") for d in documents(name, 4000)]
    taken = list(mixer.mix(given))
    assert mixer.read == dict.fromkeys((*mixer.factors, "resto"), 4000)
    assert mixer.written["noticias"] == 20_000
    assert mixer.written["resto"] == 4000
    assert mixer.written["spam"] == 0
    # five standard deviations of a binomial
    assert abs(mixer.written["leyes"] - 1600) < 5 * (4000 * 0.24) ** 0.5
    assert abs(mixer.written["prensa"] - 9000) < 5 * (4000 * 0.1875) ** 0.5
    assert len(taken) == mixer.written.total()
    assert set(taken) <= set(given)


def test_choice_depends_on_text_and_seed_only():
    given = documents("leyes", 300)
    first = list(Mixer({"leyes": 0.5}).mix(given))
    assert first == list(Mixer({}, default=0.5).mix(given))
    backwards = list(Mixer({"leyes": 0.5}).mix(reversed(given)))
    assert backwards == first[::-1]
    assert first != list(Mixer({"leyes": 0.5}, seed=1).mix(given))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["noticias"], "not of the form"),
        (["=5"], "not of the form"),
        (["noticias=cinco"], "not of the form"),
        (["noticias=5", "noticias=4"], "two factors"),
    ],
)
def test_factors_that_cannot_be_read(given: list[str], message: str):
    with pytest.raises(SelectraError, match=message):
        parse_factors(given)


@pytest.mark.parametrize("factor", [-1.0, float("nan"), float("inf"), 1e9])
def test_factors_out_of_range(factor: float):
    with pytest.raises(SelectraError, match="must be between 0 and 1000"):
        Mixer({"noticias": factor})


def test_source_that_does_not_occur():
    mixer = Mixer({"noticas": 5})
    with pytest.raises(SelectraError, match=r"source 'noticas' \(found: noticias\)"):
        list(mixer.mix(documents("noticias", 3)))


def test_command(tmp_path: Path):
    corpus = tmp_path / "corpus.jsonl"
    rows = [("noticias", "El alcalde de León dimitió."), ("leyes", "Artículo primero.")]
    corpus.write_text(
        "".join(json.dumps({"texto": text, "origen": name}) + "\n" for name, text in rows)
    )
    out = tmp_path / "mixed.jsonl.zst"
    keys = ["--text-key", "texto", "--source-key", "origen"]
    command = ["corpus", "mix", str(corpus), str(out), *keys, "--factor", "noticias=3"]
    result = run.invoke(app, [*command, "--default", "0", "--json", "--quiet"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["sources"] == {"leyes": [1, 0], "noticias": [1, 3]}
    found = list(read_documents(out, source_key="source"))
    assert [(d.text, d.source) for d in found] == [("El alcalde de León dimitió.", "noticias")] * 3


def test_missing_source_key_and_nothing_left(tmp_path: Path):
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text('{"text": "Hola."}\n')
    out = tmp_path / "mixed.jsonl"
    command = ["corpus", "mix", str(corpus), str(out), "--factor", "noticias=3", "--quiet"]
    result = run.invoke(app, [*command, "--source-key", "origen"])
    assert result.exit_code == 1
    assert "no key 'origen' (found: text); choose it with --source-key" in result.stderr
    assert not out.exists()
