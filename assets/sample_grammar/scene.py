"""The grammar: templates are filled from a scene in which every role keeps its referent.

A template is Spanish text with choices `[one|other|]` and slots in braces:

=========================  =====================================================================
`{el:cook}`, `{unos:x}`    determiner and noun; the determiner's form also gives the number
`{el:cook/per}`            a noun for a person, in the gender of the person `per`
`{el:new>cook}`            with an adjective before the noun (word or class)
`{-s:x}`, `{x}`            bare plural, bare singular; or the name, when `x` is a name
`{per}`, `{per!last}`      a person: full name when first met, then surname; or the form told
`{town}`, `{town#1}`       a town; its region or country; `{near}` is a town of the same region
`{dish}`, `{dish#1}`       a class of related nouns; its second noun
`{win*.pret@club}`         a verb (or class of verbs) in a tense, agreeing with a role or "3p"
`{taste~dish}`             an adjective (or class) agreeing with a role
`{#2-9}`                   a number; `{year}`, `{date}`, `{score}` … see `quantities`
=========================  =====================================================================

A digit at the end of a role's name makes another role of the same class.
"""

from __future__ import annotations

import re
from typing import Any

from sample_grammar import morphology, quantities, surface
from sample_grammar.dice import Dice
from sample_grammar.entities import ENTITY_ROLES, Entity, Person, Town, all_names
from sample_grammar.morphology import Adjective, Noun, PersonNoun
from sample_grammar.pools import Lexicon, Split
from sample_grammar.verbs import PERSONS, TENSES, conjugate

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{([^{}]*)\}")
_PLURAL_DETERMINERS = {
    "los": "el",
    "unos": "un",
    "estos": "este",
    "esos": "ese",
    "aquellos": "aquel",
    "sus": "su",
    "mis": "mi",
    "tus": "tu",
    "nuestros": "nuestro",
    "algunos": "algún",
    "muchos": "mucho",
    "pocos": "poco",
    "otros": "otro",
    "todos": "todo",
    "varios": "varios",
    "cuántos": "cuánto",
}


class Scene:
    """Roles and their referents within one document or sentence.

    Args:
        dice: source of all choices.
        lexicon: the common words.
        names: split from which names come.
        fillers: split from which common words come; None for all of them.
    """

    def __init__(self, dice: Dice, lexicon: Lexicon, names: Split, fillers: Split | None) -> None:
        self.dice, self.lexicon = dice, lexicon
        self.fillers: Split | None = fillers
        self.names = all_names()[names]
        self.bound: dict[str, Any] = {}
        self._plural: dict[str, bool] = {}
        self._mentioned: set[str] = set()

    def choose(self, template: str) -> str:
        """Settle the choices `[a|b]` of a template."""
        while match := _CHOICE.search(template):
            option = self.dice.choice(match.group(1).split("|"))
            template = template[: match.start()] + option + template[match.end() :]
        return template

    def fill(self, template: str) -> str:
        """The template as polished text with marked names."""
        text = _SLOT.sub(lambda match: self._slot(match.group(1)), self.choose(template))
        return surface.polish(text)

    def text(self, template: str) -> str:
        """The template as plain text."""
        return surface.plain(self.fill(template))

    def referent(self, role: str) -> Any:
        """What a role stands for; chosen when first asked for, then kept."""
        role = role.partition("#")[0]
        if role not in self.bound:
            self.bound[role] = self._new_referent(role)
        return self.bound[role]

    def swap(self, first: str, second: str) -> None:
        """Exchange what two roles stand for."""
        one, two = self.referent(first), self.referent(second)
        self.bound[first], self.bound[second] = two, one

    def _new_referent(self, role: str) -> Any:
        kind = role.rstrip("0123456789")
        taken = [v for k, v in self.bound.items() if k.rstrip("0123456789") == kind]
        for _ in range(50):
            candidate = self._candidate(kind)
            if candidate not in taken:
                return candidate
        raise ValueError(f"no further referent for role '{role}'")

    def _candidate(self, kind: str) -> Any:
        if kind == "per":
            return self.names.person(self.dice)
        if kind == "town":
            return self.names.town(self.dice)
        if kind == "near":
            town = self.referent("town")
            return self.dice.choice(
                [t for t in self.names.towns if t.region == town.region and t != town]
            )
        if kind in ENTITY_ROLES:
            near = self.bound.get("town") if self.dice.below(3) else None
            if kind == "river":
                near = self.referent("town")
            elif kind == "townclub":
                near = None
            return self.names.entity(kind, self.dice, near)
        if kind in quantities.QUANTITIES:
            return quantities.QUANTITIES[kind](self.dice)
        return self.word(kind)

    def word(self, kind: str) -> Any:
        """A word of a class, by the scene's split.

        Raises:
            ValueError: there is no such class.
        """
        if kind not in self.lexicon:
            raise ValueError(f"no class of words '{kind}'")
        words: list[Any] = self.lexicon.pool(kind, self.fillers)
        return self.dice.choice(words)

    def _slot(self, slot: str) -> str:
        if slot.startswith("#"):
            low, high = slot[1:].split("-")
            return quantities.number(self.dice.between(int(low), int(high)))
        if "~" in slot:
            adjective, role = slot.split("~")
            return self._adjective(adjective, *self.features(role))
        if ":" in slot:
            return self._noun_phrase(*slot.split(":"))
        name, dot, tense = slot.partition(".")
        if dot:
            return self._verb(name, *_split(tense, "@"))
        return self._bare(*_split(slot, "!"))

    def _verb(self, name: str, tense: str, subject: str) -> str:
        if tense not in TENSES:
            raise ValueError(f"no tense '{tense}'")
        verb = self.word(name[:-1]) if name.endswith("*") else name
        if tense == "part":
            gender, plural = self.features(subject) if subject else ("m", False)
            return morphology.agree(conjugate(verb, "part"), gender, plural)
        person = subject or "3s"
        if person not in PERSONS:
            person = "3p" if subject and self.features(subject)[1] else "3s"
        head, space, rest = verb.partition("_")
        return conjugate(head, tense, person) + (" " + rest.replace("_", " ") if space else "")

    def features(self, role: str) -> tuple[str, bool]:
        """Gender and whether plural, of a role as it was last mentioned."""
        if role in ("m", "f", "mp", "fp"):
            return role[0], role.endswith("p")
        referent = self.referent(role)
        if isinstance(referent, tuple):
            referent = referent[int(role.partition("#")[2] or 0)]
        plural = self._plural.get(role, getattr(referent, "usually_plural", False))
        if isinstance(referent, PersonNoun):
            referent = referent.of(self._gender_of(role))
        return getattr(referent, "gender", "m"), plural

    def _gender_of(self, role: str) -> str:
        return self.bound.setdefault(f"gender of {role}", self.dice.choice("mf"))

    def _noun_phrase(self, determiner: str, rest: str) -> str:
        before, _, rest = rest.rpartition(">")
        role, _, owner = rest.partition("/")
        referent = self.referent(role)
        plural = determiner in _PLURAL_DETERMINERS or determiner == "-s"
        lemma = _PLURAL_DETERMINERS.get(determiner, determiner)
        if isinstance(referent, Entity):
            word = surface.mark(referent.text, referent.tag)
            if not referent.definite:
                return word
            return f"{morphology.agree(lemma, referent.gender, False)} {word}"
        noun = self._noun(role, owner)
        plural = plural or (noun.usually_plural and lemma in ("el", "su"))
        self._plural[role] = plural
        word = noun.plural if plural else noun.singular
        if before:
            word = f"{self._adjective(before, noun.gender, plural)} {word}"
        if determiner in ("-s", "-"):
            return word
        return f"{morphology.article(lemma, word, noun.gender, plural)} {word}"

    def _noun(self, role: str, owner: str = "") -> Noun:
        referent = self.referent(role)
        if isinstance(referent, PersonNoun):
            key = f"gender of {role}"
            if owner:
                self.bound[key] = self.referent(owner).gender
            return referent.of(self._gender_of(role))
        if isinstance(referent, tuple):
            return referent[int(role.partition("#")[2] or 0)]
        return referent

    def _adjective(self, name: str, gender: str, plural: bool) -> str:
        lemma = name.replace("_", " ")
        if name in self.lexicon:
            word = self.word(name)
            lemma = word.lemma if isinstance(word, Adjective) else word
        return morphology.agree(lemma, gender, plural)

    def _bare(self, role: str, form: str) -> str:
        referent = self.referent(role)
        if isinstance(referent, Person):
            if not form:
                form = self._person_form(role)
            self._mentioned.add(role)
            return surface.mark(referent.form(form), "PER")
        if isinstance(referent, Town):
            if not role.endswith("#1"):
                return surface.mark(referent.name, "LOC")
            the = "la " if referent.region.startswith("Comunidad") else ""
            return the + surface.mark(referent.region, "LOC")
        if isinstance(referent, Entity):
            return surface.mark(referent.text, referent.tag)
        if isinstance(referent, str):
            return referent
        noun = self._noun(role)
        self._plural[role] = noun.usually_plural
        return noun.plural if noun.usually_plural else noun.singular

    def _person_form(self, role: str) -> str:
        if role in self._mentioned:
            return "last"
        chance = self.dice.below(20)
        return "both" if chance < 2 else "initial" if chance == 2 else "full"


def _split(text: str, separator: str) -> tuple[str, str]:
    head, _, tail = text.partition(separator)
    return head, tail
