"""The pipelines in packages/ install without network, and give what the documentation prints."""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import spacy
from safetensors import safe_open
from spacy.tokens import Doc

import spacy_selectra
from spacy_selectra.packaging.wheel import make_installable
from tests.benchmark import record, run
from tests.processes import run as run_elsewhere

ROOT = Path(__file__).parents[1]
PACKAGES = ROOT / "packages"
BYTES = {"es_selectra_tiny": 25e6, "es_selectra_small": 60e6}  # at most
each = pytest.mark.parametrize("name", BYTES)
PAGES = ("README.md", "docs/usage.md", "docs/index.md")


def execute(place: Path, directory: Path, snippets: list[str]) -> None:
    """Run snippets as if `place` were where packages are, away from everything else."""
    sys.path[:] = [str(place), *(path for path in sys.path if path)]
    os.chdir(directory)
    for number, code in enumerate(snippets):
        if number:
            print("\f")
        exec(code, {"__name__": "__main__"})


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages that pip installed the shipped directories into."""
    place = tmp_path_factory.mktemp("site")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"),
            *("--target", str(place), *(str(PACKAGES / name) for name in BYTES)),
        ],
        check=True,
    )
    return place


def data_of(installed: Path, name: str) -> Path:
    (data,) = (installed / name).glob(f"{name}-*")
    return data


@pytest.fixture(scope="module")
def small(installed: Path) -> Any:
    return spacy.load(data_of(installed, "es_selectra_small"))


def block(page: str, language: str) -> str:
    """The first block of a language on a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.search(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)
    assert found is not None
    return found.group(1)


def same(found: Any, expected: Any) -> bool:
    """Equal, but for what the arithmetic of another processor does to the last digits."""
    if isinstance(expected, float):
        return found == pytest.approx(expected, abs=0.03)
    if isinstance(expected, (list, tuple)):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(expected, dict):
        return list(found) == list(expected) and all(same(found[k], expected[k]) for k in expected)
    return found == expected


@pytest.fixture(scope="module")
def printed(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Lines that the snippet of each page prints, in a process away from everything else."""
    directory = tmp_path_factory.mktemp("snippets")
    done = run_elsewhere(execute, installed, directory, [block(page, "python") for page in PAGES])
    assert done.returncode == 0, done.stderr
    outputs = done.stdout.split("\f\n")
    return {page: text.splitlines() for page, text in zip(PAGES, outputs, strict=True)}


def trace(data: Path, package: str) -> None:
    """Print, as JSON, the files of the package of which a function runs in loading and calling."""
    seen: set[str] = set()

    def note(frame: Any, event: str, _: Any) -> None:
        code = frame.f_code
        is_function = bool(code.co_flags & inspect.CO_NEWLOCALS)
        if event == "call" and is_function and code.co_filename.startswith(package):
            seen.add(str(Path(code.co_filename).relative_to(package)))

    sys.setprofile(note)
    nlp = spacy.load(data, exclude=["textcat", "replaced"])
    nlp("El presidente de Iberdrola, Ignacio Galán, se reunió ayer en Bilbao.")
    sys.setprofile(None)
    print(json.dumps(sorted(seen)))


def test_the_page_on_architecture_names_what_runs(installed: Path):
    data = data_of(installed, "es_selectra_tiny")
    done = run_elsewhere(trace, data, str(Path(spacy_selectra.__file__).parent))
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    walk = re.search(r"### `spacy.load.*?: (\d+) files \((\d+) run\)(.*?)###", page, re.DOTALL)
    assert walk is not None
    names = [f"{Path(name).name}`" for name in seen]
    assert [name for name in names if name not in walk[3]] == []
    assert len(names) == int(walk[2])
    read_first = re.sub(r"\([^()]*\)", "", walk[3])  # in parentheses: what can be skipped
    assert sum(name in read_first for name in names) == int(walk[1])


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_snippet_gives_what_the_page_prints(printed: dict[str, list[str]], page: str):
    found, expected = printed[page], block(page, "text").splitlines()
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        values = [line if line[0] not in "[{(" else ast.literal_eval(line) for line in (one, other)]
        assert same(*values), f"{one}\n{page}: {other}"


def test_the_picture_shows_what_the_pipeline_finds(installed: Path):
    entities = runpy.run_path(str(ROOT / "docs" / "entities.py"))
    data = data_of(installed, "es_selectra_tiny")
    nlp = spacy.load(data, exclude=["textcat", "replaced"])
    sentences = entities["SENTENCES"].read_text(encoding="utf-8").splitlines()
    drawn = entities["draw"](list(nlp.pipe(sentences)))
    committed = entities["PICTURE"].read_text(encoding="utf-8")
    shown = [re.findall(r"fill=\"(#\w+)\"|>([^<]+)</text>", svg) for svg in (drawn, committed)]
    assert shown[0] == shown[1]


def test_line_breaks_change_no_entity(installed: Path):
    data = data_of(installed, "es_selectra_tiny")
    nlp = spacy.load(data, exclude=["textcat", "replaced"])
    text = "El presidente de Iberdrola, Ignacio Galán, se reunió ayer en Bilbao con el lehendakari."
    expected = [("Iberdrola", "ORG"), ("Ignacio Galán", "PER"), ("Bilbao", "LOC")]
    for space in (" ", "  ", "\n", "\r\n"):
        doc = nlp(text.replace(" ", space))
        assert [(" ".join(ent.text.split()), ent.label_) for ent in doc.ents] == expected


def test_entities_keep_to_lines_cells_and_sentences(installed: Path):
    data = data_of(installed, "es_selectra_tiny")
    nlp = spacy.load(data, exclude=["textcat", "replaced"])
    names = ["Ana Gil", "Luis Mora", "Pedro Ruiz", "Carmen Vega"]
    for between in ("\n", "\r\n", "\n\n", "\t", " | ", "\n- "):
        assert [entity.text for entity in nlp(between.join(names)).ents] == names
    words = " ".join(names).split()
    doc = nlp(Doc(nlp.vocab, words=words, sent_starts=[True, False] * 4))
    assert [[entity.text for entity in sentence.ents] for sentence in doc.sents] == [
        [name] for name in names
    ]


def test_entities_of_a_hundred_lists_tables_and_addresses(installed: Path):
    data = data_of(installed, "es_selectra_tiny")
    figures = record(run("structure.py", str(data)))
    assert figures["texts"] >= 100
    assert figures["boundaries"]["none"]["joined"] > 40
    found = figures["boundaries"]["auto"]
    assert found["joined"] == 0
    assert found["recall"] > 0.95
    assert found["precision"] > 0.8


@each
def test_size_and_contents(installed: Path, name: str):
    assert sum(file.stat().st_size for file in (PACKAGES / name).iterdir()) <= BYTES[name]
    data = data_of(installed, name)
    weights = [*data.rglob("transformer/model"), *data.glob("replaced/model.safetensors")]
    for one in weights:
        with safe_open(one, "pt") as file:
            assert {file.get_tensor(name).dtype.itemsize for name in file.keys()} == {2}  # noqa: SIM118
    suffixes = {file.suffix for file in data.rglob("*") if file.is_file()}
    assert not suffixes & {".pt", ".pth", ".pkl", ".pickle"}


@each
def test_the_directory_is_what_the_project_writes(tmp_path: Path, name: str):
    (wheel,) = (PACKAGES / name).glob("*.whl")
    make_installable(shutil.copy(wheel, tmp_path))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {
        file.name: file.read_bytes() for file in (PACKAGES / name).iterdir() if file.is_file()
    }


@each
def test_card_says_where_it_comes_from(name: str):
    card = (PACKAGES / name / "README.md").read_text(encoding="utf-8")
    made = {"es_selectra_tiny": "CO2", "es_selectra_small": "multilingual-e5-small"}[name]
    for part in ("## Scores", "## Data and licences", "## Training", "## Limits", "AnCora", made):
        assert part in card
    (wheel,) = (PACKAGES / name).glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert any(archive.read(n).decode() == card for n in archive.namelist() if "README" in n)
    assert "/tmp" not in card


def test_one_pass_annotates_everything(small: Any):
    text = (
        "El niño comió las manzanas. Después, María Fernández viajó a Buenos Aires con su hermano."
    )
    doc = small(text)
    assert [sentence.text for sentence in doc.sents] == [text[:27], text[28:]]
    words = {token.text: token for token in doc}
    assert [words[word].pos_ for word in ("niño", "comió", "las", "María")] == [
        *("NOUN", "VERB", "DET", "PROPN")
    ]
    assert words["comió"].lemma_ == "comer"
    assert words["manzanas"].morph.to_dict() == {"Gender": "Fem", "Number": "Plur"}
    assert [(entity.text, entity.label_) for entity in doc.ents] == [
        ("María Fernández", "PER"),
        ("Buenos Aires", "LOC"),
    ]
    assert all(0 < entity._.score <= 1 for entity in doc.ents)
    assert sum(doc.cats.values()) == pytest.approx(1, abs=1e-4)
    assert all(0 < token._.replaced < 1 for token in doc)


def test_topics_and_labels_given_at_call_time(small: Any):
    texts = {
        "deportes": "El delantero marcó dos goles y el equipo ganó el partido en el último minuto.",
        "salud": "El hospital trata a los enfermos con un medicamento nuevo contra el cáncer.",
        "economía": "El banco central subió los tipos de interés para frenar la inflación.",
    }
    for topic, doc in zip(texts, small.pipe(texts.values()), strict=True):
        assert max(doc.cats, key=doc.cats.get) == topic
    found = small.get_pipe("zero_shot").classify(
        list(texts.values()), ["fútbol", "medicina", "finanzas", "cocina"]
    )
    best = [max(row, key=lambda label: row[label]) for row in found]
    assert best == ["fútbol", "medicina", "finanzas"]


def test_a_word_that_does_not_fit(small: Any):
    doc = small("Los científicos descubrieron una nueva especie de ministro en la selva.")
    assert max(doc, key=lambda token: token._.replaced).text == "ministro"
