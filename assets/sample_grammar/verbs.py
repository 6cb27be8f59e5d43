"""Conjugation of Spanish verbs: regular, stem-changing, spelling-changing and irregular.

Rules follow the conjugation tables of the Nueva gramática de la lengua española
(RAE, 2009), chapter 4. Persons are "1s 2s 3s 1p 2p 3p"; tenses are `TENSES`.
"""

from __future__ import annotations

from functools import cache

from sample_grammar.lexicon import words
from sample_grammar.verb_tables import (
    FUTURE_STEMS,
    IRREGULAR,
    PARTICIPLES,
    PREFIXED,
    STEM_CHANGES,
    STRESSED_WEAK,
    STRONG_PRETERITES,
    YO_FORMS,
)

PERSONS = ("1s", "2s", "3s", "1p", "2p", "3p")
TENSES = ("pres", "pret", "imp", "fut", "cond", "subj", "subjimp", "perf", "plup", "inf", "ger",
          "part", "imper")  # fmt: skip

_ENDINGS = {
    "ar": {
        "pres": "o as a amos áis an",
        "pret": "é aste ó amos asteis aron",
        "imp": "aba abas aba ábamos abais aban",
        "subj": "e es e emos éis en",
    },
    "er": {
        "pres": "o es e emos éis en",
        "pret": "í iste ió imos isteis ieron",
        "imp": "ía ías ía íamos íais ían",
        "subj": "a as a amos áis an",
    },
    "ir": {
        "pres": "o es e imos ís en",
        "pret": "í iste ió imos isteis ieron",
        "imp": "ía ías ía íamos íais ían",
        "subj": "a as a amos áis an",
    },
}
_FUTURE = words("é ás á emos éis án")
_CONDITIONAL = words("ía ías ía íamos íais ían")
_HABER = {
    "perf": words("he has ha hemos habéis han"),
    "plup": words("había habías había habíamos habíais habían"),
}
_STRESSED = (0, 1, 2, 5)
_DIPHTHONGS = {"ie": ("e", "ie"), "ue": ("o", "ue"), "i": ("e", "i"), "uue": ("u", "ue")}
_ACCENTS = {"a": "á", "e": "é", "i": "í", "o": "ó", "u": "ú"}


@cache
def conjugate(verb: str, tense: str, person: str = "3s") -> str:
    """The form of `verb` (an infinitive without "se"); `part` is the masculine singular.

    Raises:
        KeyError: a tense that is not in `TENSES`.
    """
    index = PERSONS.index(person)
    if tense == "inf":
        return verb
    if tense == "ger":
        return _gerund(verb)
    if tense == "part":
        return _participle(verb)
    if tense in _HABER:
        return f"{_HABER[tense][index]} {_participle(verb)}"
    if tense in ("fut", "cond"):
        endings = _FUTURE if tense == "fut" else _CONDITIONAL
        return _future_stem(verb) + endings[index]
    if tense == "subjimp":
        return _past_subjunctive(verb, index)
    if tense == "imper":
        return conjugate(verb, "pres", "3s") if index == 1 else conjugate(verb, "subj", person)
    return _simple(verb, tense)[index]


@cache
def _simple(verb: str, tense: str) -> list[str]:
    if tense in IRREGULAR.get(verb, {}):
        return IRREGULAR[verb][tense].split()
    prefix, base = _base(verb)
    if tense in IRREGULAR.get(base, {}):
        return [prefix + form for form in IRREGULAR[base][tense].split()]
    if tense == "pret" and base in STRONG_PRETERITES:
        stem = prefix + STRONG_PRETERITES[base]
        third = "eron" if stem.endswith("j") else "ieron"
        return [stem + ending for ending in ("e", "iste", "o", "imos", "isteis", third)]
    if tense == "subj" and base in YO_FORMS:
        stem = prefix + YO_FORMS[base][:-1]
        return [stem + ending for ending in _ENDINGS[_group(verb)]["subj"].split()]
    endings = _ENDINGS[_group(verb)][tense].split()
    forms = [_form(verb, tense, index, ending) for index, ending in enumerate(endings)]
    if tense == "pres" and base in YO_FORMS:
        forms[0] = prefix + YO_FORMS[base]
    return forms


def _form(verb: str, tense: str, index: int, ending: str) -> str:
    stem, group = verb[:-2], _group(verb)
    _, base = _base(verb)
    change = STEM_CHANGES.get(base)
    if tense in ("pres", "subj") and index in _STRESSED:
        if change:
            stem = _change(stem, *_DIPHTHONGS[change])
        elif base in STRESSED_WEAK:
            stem = stem[:-1] + _ACCENTS[stem[-1]]
    elif change and group == "ir" and ((tense == "subj") or (tense == "pret" and index in (2, 5))):
        stem = _change(stem, "o", "u") if change == "ue" else _change(stem, "e", "i")
    return _join(stem, ending, verb)


def _join(stem: str, ending: str, verb: str) -> str:
    """Stem and ending with the spelling that keeps the sound of the last consonant."""
    front = ending[0] in "eéií"
    if verb.endswith("ar"):
        if front:
            for old, new in (("gu", "gü"), ("c", "qu"), ("g", "gu"), ("z", "c")):
                if stem.endswith(old):
                    return stem[: -len(old)] + new + ending
        return stem + ending
    if verb.endswith("uir") and not verb.endswith("guir"):
        if ending[0] in "aeoáéó":
            return stem + "y" + ending
        if ending in ("ió", "ieron", "iendo"):
            return stem + "y" + ending[1:]
        return stem + ending
    if stem[-1] in "aeo" and ending[0] == "i":
        if ending in ("ió", "ieron", "iendo"):
            return stem + "y" + ending[1:]
        return stem + "í" + ending[1:]
    if stem[-1] in "ñ" and ending in ("ió", "ieron", "iendo"):
        return stem + ending[1:]
    if not front:
        if stem.endswith("gu"):
            return stem[:-1] + ending
        if stem.endswith("g"):
            return stem[:-1] + "j" + ending
        if stem.endswith("c"):
            return stem[:-1] + ("zc" if stem[-2] in "aeiou" else "z") + ending
    return stem + ending


def _gerund(verb: str) -> str:
    prefix, base = _base(verb)
    if "ger" in IRREGULAR.get(base, {}):
        return prefix + IRREGULAR[base]["ger"]
    if verb.endswith("ar"):
        return verb[:-2] + "ando"
    stem, change = verb[:-2], STEM_CHANGES.get(base)
    if change and verb.endswith("ir"):
        stem = _change(stem, "o", "u") if change == "ue" else _change(stem, "e", "i")
    return _join(stem, "iendo", verb)


def _participle(verb: str) -> str:
    prefix, base = _base(verb)
    if base in PARTICIPLES:
        return prefix + PARTICIPLES[base]
    if verb.endswith("ar"):
        return verb[:-2] + "ado"
    if verb.endswith("uir"):
        return verb[:-2] + "ido"
    return _join(verb[:-2], "ido", verb)


def _future_stem(verb: str) -> str:
    prefix, base = _base(verb)
    return prefix + FUTURE_STEMS.get(base, base.replace("í", "i"))


def _past_subjunctive(verb: str, index: int) -> str:
    stem = _simple(verb, "pret")[5][: -len("ron")]
    if index == 3:
        return stem[:-1] + _ACCENTS[stem[-1]] + "ramos"
    return stem + ("ra", "ras", "ra", "", "rais", "ran")[index]


def _group(verb: str) -> str:
    return verb[-2:].replace("í", "i")


def _base(verb: str) -> tuple[str, str]:
    return PREFIXED.get(verb, ("", verb))


def _change(stem: str, old: str, new: str) -> str:
    position = stem.rfind(old)
    return stem[:position] + new + stem[position + len(old) :]
