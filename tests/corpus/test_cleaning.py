from __future__ import annotations

import unicodedata

import pytest

from spacy_selectra.corpus.cleaning import Cleaner, CleaningSettings, clean_text
from spacy_selectra.errors import SelectraError
from tests.corpus.conftest import SENTENCE, as_documents

GOOD = "En la plaza de la ciudad había una fuente que todos los vecinos cuidaban con cariño."


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        (unicodedata.normalize("NFD", SENTENCE), SENTENCE),
        ("uno\u00a0 \tdos \r\n\r\n  tres\u2028cuatro ", "uno dos\ntres\ncuatro"),
        ("ca\u00adsa\u200b y\x00 \ufeffpan\ufffd", "casa y pan"),
        ("n\u200b\u0303", "ñ"),
        ("😀 «¿qué?»", "😀 «¿qué?»"),
        ("<p>La reuni&oacute;n dur&oacute; tres horas.</p>", "La reunión duró tres horas."),
        ("<h1>Uno</h1><P class='x'>dos&nbsp;<b>tre</b>s<br/>cuatro", "Uno\ndos tres\ncuatro"),
        ("<script>if (a < b) x();</script>uno<!-- dos\ntres --> cuatro", "uno cuatro"),
        ('&laquo;S&#237;&raquo; &#xF1; <a href="x?a=1&amp;b=2">AT&amp;T</a>', "«Sí» ñ AT&T"),
        ("reunio&#769;n", "reunión"),
        ("<tr><td>Ana</td><td>Gil</td></tr><tr><th a=1>uno", "Ana Gil\nuno"),
        ("<a href='x>y' alt=\"<\">Ana</a> <p title=it's>Gil", "Ana\nGil"),
        ("<?xml version='1.0'?><![CDATA[Ana]]> <o:p></o:p><svg><path d='M0'/></svg>Gil", "Ana Gil"),
        ("<form><input value=3><textarea>Ana</textarea></form><noscript>no</noscript>", "Ana"),
        ("si a < b y c > d, <3 y <nombre>; A&B, Q&A; &nada;", None),
    ],
)
def test_clean_text(dirty: str, clean: str | None) -> None:
    clean = clean or dirty  # text that only looks like markup
    assert clean_text(dirty) == clean
    assert clean_text(clean) == clean


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("corto", "too short"),
        (GOOD * 50, "too long"),
        ("12:30 -- 45,7% // 88 == 99 ** 7 :: 3,141592653589793238462643383279", "few letters"),
        ("The fountain stood on the square and everybody took care of it.", "few Spanish function"),
    ],
)
def test_reasons_to_drop(text: str, reason: str) -> None:
    cleaner = Cleaner(CleaningSettings(max_characters=1000))
    kept = list(cleaner.clean(as_documents([text, GOOD])))
    assert [document.text for document in kept] == [GOOD]
    dropped = {name: count for name, count in cleaner.dropped.items() if count}
    assert len(dropped) == 1
    assert next(iter(dropped)).startswith(reason)
    assert (cleaner.read, cleaner.kept) == (2, 1)


def test_duplicates_are_dropped_after_normalisation() -> None:
    copies = [GOOD, GOOD.upper(), GOOD.replace(" ", "  "), unicodedata.normalize("NFD", GOOD)]
    cleaner = Cleaner()
    assert len(list(cleaner.clean(as_documents(copies)))) == 1
    assert cleaner.dropped["duplicate"] == 3
    keeping = Cleaner(CleaningSettings(deduplicate=False))
    assert len(list(keeping.clean(as_documents(copies)))) == 4


def test_share_out_of_range() -> None:
    with pytest.raises(SelectraError, match="min_letters must be between 0 and 1"):
        Cleaner(CleaningSettings(min_letters=60))
