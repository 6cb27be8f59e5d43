"""The grammar: inflection, agreement of noun phrases and verbs, and the surface rules."""

from __future__ import annotations

import pytest
from sample_grammar import surface
from sample_grammar.dice import Dice
from sample_grammar.morphology import (
    Adjective,
    Noun,
    PersonNoun,
    agree,
    noun,
    person_noun,
    pluralize,
)
from sample_grammar.pools import SPLITS, Lexicon
from sample_grammar.registers.all import REGISTERS, lexicon
from sample_grammar.scene import Scene
from sample_grammar.verbs import PERSONS, conjugate


def scene(seed: str = "test") -> Scene:
    return Scene(Dice(seed), lexicon(), "train", None)


@pytest.mark.parametrize(
    ("verb", "tense", "forms"),
    [
        ("ganar", "pres", "gano ganas gana ganamos ganáis ganan"),
        ("buscar", "pret", "busqué buscaste buscó buscamos buscasteis buscaron"),
        ("empezar", "subj", "empiece empieces empiece empecemos empecéis empiecen"),
        ("pedir", "pret", "pedí pediste pidió pedimos pedisteis pidieron"),
        ("dormir", "subj", "duerma duermas duerma durmamos durmáis duerman"),
        ("construir", "pres", "construyo construyes construye construimos construís construyen"),
        ("leer", "pret", "leí leíste leyó leímos leísteis leyeron"),
        ("conocer", "subj", "conozca conozcas conozca conozcamos conozcáis conozcan"),
        ("traducir", "pret", "traduje tradujiste tradujo tradujimos tradujisteis tradujeron"),
        ("mantener", "pres", "mantengo mantienes mantiene mantenemos mantenéis mantienen"),
        ("jugar", "pres", "juego juegas juega jugamos jugáis juegan"),
        ("enviar", "pres", "envío envías envía enviamos enviáis envían"),
        ("ser", "subjimp", "fuera fueras fuera fuéramos fuerais fueran"),
        ("hacer", "fut", "haré harás hará haremos haréis harán"),
        ("descubrir", "perf", "he has ha hemos habéis han"),
    ],
)
def test_verbs_are_conjugated(verb: str, tense: str, forms: str) -> None:
    expected = forms.split()
    if tense == "perf":
        expected = [f"{form} descubierto" for form in expected]
    assert [conjugate(verb, tense, person) for person in PERSONS] == expected


def test_gerunds_and_participles() -> None:
    assert [conjugate(v, "ger") for v in ("pedir", "leer", "huir", "freír")] == [
        "pidiendo",
        "leyendo",
        "huyendo",
        "friendo",
    ]
    assert [conjugate(v, "part") for v in ("escribir", "devolver", "leer", "incluir")] == [
        "escrito",
        "devuelto",
        "leído",
        "incluido",
    ]


@pytest.mark.parametrize(
    ("singular", "plural"),
    [
        ("piñón", "piñones"),
        ("luz", "luces"),
        ("crisis", "crisis"),
        ("país", "países"),
        ("rubí", "rubíes"),
        ("árbol", "árboles"),
        ("examen", "exámenes"),
        ("ley", "leyes"),
        ("cómic", "cómics"),
        ("maíz", "maíces"),
        ("baúl", "baúles"),
        ("jersey", "jerséis"),
    ],
)
def test_plurals(singular: str, plural: str) -> None:
    assert pluralize(singular) == plural


def test_nouns_of_several_words() -> None:
    assert noun("aceite_de_oliva", "m").plural == "aceites de oliva"
    assert noun("tarjeta+gráfico", "f").plural == "tarjetas gráficas"
    assert person_noun("secretario+general").feminine.plural == "secretarias generales"
    assert person_noun("actor/actriz").feminine.singular == "actriz"


def test_adjectives_agree() -> None:
    assert [Adjective("español").form(g, p) for g in "mf" for p in (False, True)] == [
        "español",
        "españoles",
        "español",
        "españoles",
    ]
    assert agree("trabajador", "f", True) == "trabajadoras"
    assert agree("mayor", "f", False) == "mayor"
    assert agree("inglés", "f", False) == "inglesa"
    assert agree("gran", "m", True) == "grandes"


def test_every_noun_phrase_of_the_lexicon_agrees() -> None:
    """Articles, nouns and adjectives, against an independent rule for each ending."""
    words = lexicon()
    s = scene()
    checked = 0
    for name in words:
        for word in words.pool(name, None):
            if not isinstance(word, Noun):
                continue
            s.bound = {name: word}
            got = s.text(f"{{el:{name}}} {{rojo~{name}}}").lower()
            article, last = got.split(" ")[0], got.split(" ")[-1]
            plural = word.usually_plural
            stressed = word.singular.split(" ")[0] in ("agua", "área", "arma", "aula", "alma")
            assert last == f"roj{'a' if word.gender == 'f' else 'o'}{'s' if plural else ''}"
            expected = {"m": ("el", "los"), "f": ("la", "las")}[word.gender][plural]
            assert article == ("el" if stressed and not plural else expected), got
            many = s.text(f"{{los:{name}}} {{rojo~{name}}} {{ser.pres@{name}}}")
            assert many.endswith(f"roj{'a' if word.gender == 'f' else 'o'}s son")
            checked += 1
    assert checked > 500


def test_verb_and_participle_follow_their_subject() -> None:
    s = scene()
    s.bound = {"dish": (noun("lenteja*", "f"), noun("chorizo", "m"))}
    assert s.text("{el:dish} {estar.imp@dish} {servir.part@dish} con {dish#1}.") == (
        "Las lentejas estaban servidas con chorizo."
    )
    s.bound = {"worker": person_noun("panadero"), "gender of worker": "f"}
    assert s.text("{los:worker} {cansado~worker} {dormir.pret@worker}.") == (
        "Las panaderas cansadas durmieron."
    )


def test_a_person_decides_the_gender_of_the_profession() -> None:
    for seed in range(30):
        s = scene(str(seed))
        text = s.text("{el:performer/per} {per!full} {nacido~per}")
        person = s.referent("per")
        assert text.endswith("nacida" if person.gender == "f" else "nacido")
        assert text.startswith("La " if person.gender == "f" else "El ")


@pytest.mark.parametrize(
    ("rough", "polished"),
    [
        ("voy a el puerto de el norte", "Voy al puerto del norte"),
        ("padre y hijo", "Padre e hijo"),
        ("agua y hielo", "Agua y hielo"),
        ("siete o ocho", "Siete u ocho"),
        ("¿qué? ¡no!  ¿quién ?", "¿Qué? ¡No! ¿Quién?"),
        ("—¿dónde? —preguntó ella.", "—¿Dónde? —preguntó ella."),
    ],
)
def test_polishing(rough: str, polished: str) -> None:
    assert surface.polish(rough) == polished


def test_contraction_spares_names() -> None:
    text = surface.plain(surface.polish(f"volvió de {surface.mark('El Ejido', 'LOC')}"))
    assert text == "Volvió de El Ejido"


def test_tokens_carry_iob2_tags() -> None:
    marked = f"El {surface.mark('Real Betis', 'ORG')} ganó 3-1 en {surface.mark('Cádiz', 'LOC')}."
    assert surface.tagged_tokens(marked) == [
        ("El", "O"),
        ("Real", "B-ORG"),
        ("Betis", "I-ORG"),
        ("ganó", "O"),
        ("3-1", "O"),
        ("en", "O"),
        ("Cádiz", "B-LOC"),
        (".", "O"),
    ]


@pytest.mark.parametrize("register", REGISTERS, ids=lambda register: register.name)
def test_every_template_can_be_filled(register) -> None:
    """From every split: no unknown class or tense, no empty pool, no leftover notation."""
    for split in SPLITS:
        for index, template in enumerate(register.sentences):
            s = Scene(Dice(f"{split}{index}"), lexicon(), split, split)
            text = s.text(template)
            assert not set("{}[]|~_*@#") & set(text), text
            assert "  " not in text
            assert " de el " not in text
            assert " a el " not in text
            assert text[0].isupper() or text[0] in "—¿¡«" or text[0].isdigit()


def test_a_role_keeps_its_referent() -> None:
    s = scene()
    first, second = s.text("{el:furniture}"), s.text("{el:furniture}")
    assert first == second
    assert s.referent("furniture2") != s.referent("furniture")


def test_a_class_has_one_home() -> None:
    with pytest.raises(ValueError, match="two places"):
        Lexicon(["a.m: uno", "a.m: otro"])


def test_persons_have_both_genders_forms() -> None:
    people = [w for name in lexicon() for w in lexicon().pool(name, None)]
    for word in people:
        if isinstance(word, PersonNoun):
            assert word.masculine.gender == "m"
            assert word.feminine.gender == "f"
