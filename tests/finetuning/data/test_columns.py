"""Column files: the layout is decided once, and every line has to fit it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.dataset import TaggedWords, read_split
from spacy_selectra.finetuning.tasks.registry import TASKS

NER, POS = TASKS["ner"], TASKS["pos"]
WORD = st.text(st.sampled_from("aé#-5%\u00a0"), min_size=1, max_size=5).filter(str.strip)
PHRASE = st.lists(WORD, min_size=1, max_size=3).map(" ".join)
# a word "# ..." whose tag no other line has cannot be told from a comment
WORDS = PHRASE.filter(lambda phrase: not phrase.startswith("# "))


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_words_with_spaces_between_tabs(tmp_path: Path):
    path = write(tmp_path / "a.tsv", "5 000\tB-NUM\neuros\tI-NUM\nel 3 de mayo\tB-DATE\n")
    assert read_split(NER, path) == [
        TaggedWords(["5 000", "euros", "el 3 de mayo"], ["B-NUM", "I-NUM", "B-DATE"])
    ]


def test_one_tab_anywhere_decides_for_the_whole_file(tmp_path: Path):
    path = write(tmp_path / "a.tsv", "Ana B-PER\n\nel 3 de mayo\tB-DATE\n")
    with pytest.raises(SelectraError, match=r"line 1: a word without a tag .* separated by tabs"):
        read_split(NER, path)


def test_types_with_spaces(tmp_path: Path):
    path = write(tmp_path / "a.tsv", "Cabo\tB-LUGAR GEOGRÁFICO\nGata\tI-LUGAR GEOGRÁFICO\n")
    assert read_split(NER, path)[0].tags == ["B-LUGAR GEOGRÁFICO", "I-LUGAR GEOGRÁFICO"]


@pytest.mark.parametrize("separator", ["\t", " "])
@pytest.mark.parametrize(
    "comment",
    [
        "# text = El grupo O",
        "# id 1f\tdomain=es",  # MultiCoNER
        "# sent_id = 7",
        "# x =",
        "# newdoc",
        "#begin document (a); part 000",  # CoNLL-2012
    ],
)
def test_comments_before_a_sentence(tmp_path: Path, separator: str, comment: str):
    lines = "".join(f"{word}{separator}_{separator}_{separator}O\n" for word in ("El", "grupo"))
    path = write(tmp_path / "a.conll", f"{comment}\n{lines}\n{comment}\n{lines}#end document\n")
    path = write(tmp_path / "a.conll", Path(path).read_text("utf-8").replace("#end", "\n#end"))
    for spec in (NER, POS):
        assert read_split(spec, path) == [TaggedWords(["El", "grupo"], ["O", "O"])] * 2


@pytest.mark.parametrize("separator", ["\t", " "])
def test_a_hash_that_is_a_word(tmp_path: Path, separator: str):
    words = ["#", "#", "#España", "#", "1", "O"]
    path = write(tmp_path / "a.conll", "".join(f"{word}{separator}O\n" for word in words))
    assert read_split(NER, path) == read_split(POS, path) == [TaggedWords(words, ["O"] * 6)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Ana NP B-PER\nva O\n", "line 2: 2 columns separated by spaces, but line 1 has 3; if"),
        ("Ana O\n5 000 B-NUM\n", "line 2: 3 columns separated by spaces, but line 1 has 2"),
        ("Ana\tO\na\tx\tO\n", "line 2: 3 columns separated by tabs, but line 1 has 2"),
        ("Ana\tNP\tO\na\tNP\t\n", "line 2: 2 columns separated by tabs, but line 1 has 3"),
        ("Ana O\nva\n", r"line 2: a word without a tag \('va'\)"),
        ("Ana\tO\n\tO\n", "line 2: a tag without a word"),
        ("Ana O\n# x y z\nva O\n", "line 2: not a word with its tag; comments"),
        (
            "Cabo B-LUGAR GEOGRÁFICO\nde I-LUGAR\n",
            "line 1: 'GEOGRÁFICO' is not an entity tag|line 2",
        ),
        ("0\tEl\tO\n1\tgrupo\tO\n\n0\tVa\tO\n", "the first column has numbers"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_line(tmp_path: Path, text: str, message: str):
    with pytest.raises(SelectraError, match=message):
        read_split(NER, write(tmp_path / "a.conll", text))


def test_conllu_under_another_name(tmp_path: Path):
    lines = [f"{n}\t{word}\t_\tX\t_\t_\t_\t_\t_\t_\n" for n, word in (("1-2", "al"), (1, "a"))]
    path = write(tmp_path / "a.conll", "# text = al\n" + "".join(lines) + lines[1])
    with pytest.raises(SelectraError, match=r"has numbers.*\.conllu"):
        read_split(POS, path)


@settings(deadline=None)
@given(
    sentences=st.lists(st.lists(st.tuples(WORDS, PHRASE), min_size=1), min_size=1),
    between=st.lists(PHRASE, max_size=2),
)
def test_nothing_is_lost_between_tabs(
    tmp_path_factory: pytest.TempPathFactory,
    sentences: list[list[tuple[str, str]]],
    between: list[str],
):
    """Words and tags come back as written, or the file is refused."""
    rows = [["\t".join([word, *between, tag]) for word, tag in rows] for rows in sentences]
    text = "\n\n".join("\n".join(lines) for lines in rows)
    path = write(tmp_path_factory.getbasetemp() / "any.tsv", text)
    words = [word for rows in sentences for word, _ in rows]
    if len(words) > 2 and all(re.fullmatch(r"\d+(-\d+)?", word) for word in words):
        with pytest.raises(SelectraError, match="has numbers"):
            read_split(POS, path)
        return
    found = read_split(POS, path)
    clean = [[(word, " ".join(tag.split())) for word, tag in rows] for rows in sentences]
    assert [list(zip(s.words, s.tags, strict=True)) for s in found] == clean


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\tO\nAna\tB-PER\n", "line 1: a tag without a word"),
        ("Ana\tB-PER|B-LOC\n", r"line 1: 'B-PER\|B-LOC' is more than one tag per word"),
        ("Ana\tB-PER,O\n", "is more than one tag"),
        ("## uno\nAna\tB-PER\n", "line 1: a word without a tag"),
        ("Ana,B-PER\n", "line 1: a word without a tag"),
    ],
)
def test_lines_that_say_too_little_or_too_much(tmp_path: Path, text: str, message: str):
    with pytest.raises(SelectraError, match=message):
        read_split(NER, write(tmp_path / "a.conll", text))


def test_types_may_hold_a_hyphen_or_a_bar(tmp_path: Path):
    path = write(tmp_path / "a.conll", "Ana\tB-PER-NAME\nGil\tI-PER-NAME\nx\tB-A|B\n")
    assert read_split(NER, path)[0].tags == ["B-PER-NAME", "I-PER-NAME", "B-A|B"]
