"""Where no name goes on: the rules on examples, and decoding against all tags that keep them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spacy_selectra.text.boundaries import (
    SEPARATOR,
    SPACED,
    after_boundaries,
    boundaries,
    separates,
)
from spacy_selectra.text.entity_probabilities import EntityProbabilities
from spacy_selectra.text.iob import (
    Stretches,
    begin_anew,
    best_tags,
    entities_of,
    log_probabilities,
    tag_count,
)

QUICK = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],  # machines pause
)

# "‖" stands for a boundary.
CASES = [
    # items
    "Ana Gil‖\nLuis Mora‖\nPedro Ruiz",
    "Ana Gil‖\r\nLuis Mora",
    "Ana Gil‖\rLuis Mora",
    "Ana Gil‖\u2028Luis Mora",
    "Ana Gil,‖\nLuis Mora,‖\nPedro Ruiz y\nCarmen Vega",
    "‖-‖ Ana Gil‖\n‖-‖ Luis Mora",
    "1. Ana Gil‖\n2. Luis Mora",
    "a) Ana Gil‖\nb) Luis Mora",
    "Asistentes:‖\nAna Gil",
    "Banco Santander‖\nCalle Mayor, 3, 2º izquierda‖\n28001 Madrid",
    "Nombre: Ana Gil‖\nLugar de nacimiento: Bilbao‖\nNacionalidad: española",
    "Ana Gil, directora general‖\nLuis Mora, secretario",
    "Ana Gil gana en Bilbao‖\nLuis Mora pierde en Cádiz",
    "Telefónica‖\nwww.telefonica.es",
    "Universidad\nde Granada",
    # paragraphs, pages
    "habló con Ignacio‖\n\nGalán viajó",
    "habló con Ignacio‖\n \t\nGalán viajó",
    "habló con Ignacio‖\u2029Galán viajó",
    "habló con Ignacio‖\fGalán viajó",
    # cells
    "Ana Gil‖\tBilbao",
    "Ana Gil‖    Bilbao",
    "Ana Gil ‖|‖ Bilbao",
    "Ana Gil‖;‖ Luis Mora",
    "Ana Gil ‖•‖ Luis Mora",
    "Ana Gil ‖/‖ Luis Mora ‖·‖ Pedro Ruiz ‖–‖ Carmen Vega ‖-‖ Juan",
    "Castilla-La Mancha y AC/DC",
    "Real Madrid–Sevilla",
    "Ana Gil‖👉🏽‖Luis Mora ‖👨\u200d👩\u200d👧‖ Pedro ‖➡️‖ Juan",
    "Nintendo® Switch™ a 20 °C",
    "Ana Gil ‖｜‖ Bilbao ‖║‖ Cádiz ‖⇒‖ Lugo",
    '"Ana Gil‖","‖Bilbao"',
    "Ana Gil‖\\r\\n‖Luis Mora‖\\n‖Pedro",
    "Ana Gil‖  Bilbao‖\nLuis Mora‖  Cádiz",
    "Ana  Gil viajó\nayer a  Madrid",
    "1‖ Ana Gil‖\n2‖ Luis Mora‖\n3‖ Pedro Ruiz",
    "20 Minutos‖\nEl País",
    # running text
    "El presidente de Iberdrola, Ignacio\nGalán, viajó a Bilbao.",
    "El presidente de Iberdrola, Ignacio\nGalán, viajó a Bilbao con el\nlehendakari",
    "Se lo dijo el Ministerio de\nEconomía",
    "El\npresidente\nde\nIberdrola,\nIgnacio\nGalán,\nse\nreunió\nayer",
    "Vive en Nueva\nYork desde hace\ntres años y en San\nSebastián pasa el\nverano",
    "Ignacio  Galán",
    "Lo dijo el Sr.\nGalán, que viajó ayer.",
    "El juez de la Audiencia\nNacional. Así lo dijo",
]


@pytest.mark.parametrize("marked", CASES)
def test_boundaries(marked: str):
    text = marked.replace("‖", "")
    found = boundaries(text).tolist()
    shown = text
    for place in reversed(found):
        shown = shown[:place] + "‖" + shown[place:]
    assert shown == marked


@QUICK
@given(st.lists(st.sampled_from(["Ana", "Gil", "de", "viajó.", "3", "-", " ", "\n"]), max_size=30))
def test_line_ends_of_all_systems_are_the_same(parts: list[str]):
    text = "".join(parts)
    found = [boundaries(text.replace("\n", end)).tolist() for end in ("\n", "\r", "\u2028")]
    assert found[0] == found[1] == found[2]
    longer = text.replace("\n", "\r\n")
    places = [place - longer.count("\r", 0, place) for place in boundaries(longer)]
    assert places == found[0]


@QUICK
@given(st.text())
def test_every_line_adds_to_what_is_found(text: str):
    found, more = boundaries(text), boundaries(text, every_line=True)
    assert set(found) <= set(more)
    assert list(more) == sorted(more)
    assert all(0 <= place <= len(text) for place in more)
    breaks = [n for n, character in enumerate(text) if character == "\n"]
    for place in breaks:
        begin = len(text[:place].rstrip())
        assert begin in more


@QUICK
@given(st.text(alphabet=st.characters(categories=["L", "N", "Po", "Sm"])))
def test_a_line_is_cut_at_separators_only(text: str):
    cut = SEPARATOR.search(text) or SPACED.fullmatch(text)
    assert bool(len(boundaries(text))) == bool(cut)


def test_words_after_boundaries():
    text = "Ana Gil\n\nLuis | Mora"
    words = text.replace("|", " ").split()
    begins = np.array([text.index(word) for word in words])
    ends = begins + [len(word) for word in words]
    assert after_boundaries(text, begins, ends).tolist() == [False, False, True, True]
    assert after_boundaries("", begins[:0], ends[:0]).tolist() == []


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("|", True),
        ("|---|", True),
        ("👨\u200d👩\u200d👧", True),
        ("Gil;Bilbao", True),
        ('Gil","Bilbao', True),
        ("Gil</li><li", True),
        ("Gil\\nLuis", True),
        ("C♯", False),
        ("»", False),
        ("/", False),
        ("Madrid-Barajas", False),
        ("Nintendo®", False),
        ("", False),
    ],
)
def test_words_that_hold_separators(word: str, expected: bool):
    assert separates(word) == expected


def allowed(tags: tuple[int, ...], firsts: list[int]) -> bool:
    """Whether every I follows B or I of its type, and none lies behind a boundary."""
    before = (0, *tags)
    return all(
        tag == 0 or tag % 2 == 1 or (last in (tag, tag - 1) and place not in firsts)
        for place, (last, tag) in enumerate(zip(before, tags, strict=False))
    )


@QUICK
@given(st.integers(1, 5), st.sets(st.integers(1, 4)), st.integers(0, 2**32 - 1))
def test_no_entity_goes_on_behind_a_boundary(length: int, places: set[int], seed: int):
    firsts = sorted(place for place in places if place < length)
    scores = np.random.default_rng(seed).normal(0, 2, (length, tag_count(2)))
    bounded = begin_anew(scores, np.array(firsts, dtype=np.int64))
    logs = log_probabilities(bounded)
    found: dict[tuple[int, ...], float] = {}
    for tags in product(range(tag_count(2)), repeat=length):
        if allowed(tags, firsts):
            found[tags] = float(np.exp(logs[np.arange(length), list(tags)].sum()))
    best = best_tags(bounded, [length])
    assert tuple(best.tolist()) == max(found, key=lambda tags: found[tags])
    total = sum(found.values())
    for reading in EntityProbabilities(Stretches(bounded, [length])).readings(1e-6, kinds=2)[0]:
        entity = reading[:3]
        mass = sum(
            value
            for tags, value in found.items()
            if entity in entities_of(np.array(tags), [length])[0]
        )
        assert reading.probability == pytest.approx(mass / total, rel=1e-6)
        assert not any(reading.start < place < reading.end for place in firsts)


def test_begin_anew_moves_probability_to_all_types_in_their_proportions():
    probabilities = np.array([[0.1, 0.2, 0.3, 0.1, 0.3]])
    bounded = np.exp(log_probabilities(begin_anew(np.log(probabilities), np.array([0]))))
    np.testing.assert_allclose(bounded, [[0.1, 0.6, 0.0, 0.3, 0.0]], atol=1e-12)
    assert begin_anew(probabilities, np.zeros(0, dtype=np.int64)) is probabilities
