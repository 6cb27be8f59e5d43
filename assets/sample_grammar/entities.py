"""Named entities: persons, places, organisations and works, by split."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from sample_grammar.dice import Dice
from sample_grammar.lexicon import organizations, people, places, words, works
from sample_grammar.pools import SPLITS, Partition, Split

PER, LOC, ORG, MISC = "PER", "LOC", "ORG", "MISC"
TAGS = (PER, LOC, ORG, MISC)


@dataclass(frozen=True)
class Entity:
    """A name with its tag; `gender` is "m" or "f"; `definite`: takes the article in a sentence."""

    text: str
    tag: str
    gender: str = "m"
    definite: bool = False


@dataclass(frozen=True)
class Person:
    """A person: given name and two surnames."""

    given: str
    surname: str
    second: str
    gender: str

    def form(self, form: str) -> str:
        """The name as "full" (default), "first", "last", "both" (two surnames) or "initial"."""
        if form == "first":
            return self.given
        if form == "last":
            return self.surname
        if form == "both":
            return f"{self.given} {self.surname} {self.second}"
        if form == "initial":
            return f"{self.given[0]}. {self.surname}"
        return f"{self.given} {self.surname}"


@dataclass(frozen=True)
class Town:
    """A town with its region (of Spain) or country."""

    name: str
    region: str


class Names:
    """The pools of names of one split; see `names_of`."""

    def __init__(self, pools: dict[str, list[str]], towns: list[Town]) -> None:
        self.pools, self.towns = pools, towns

    def person(self, dice: Dice) -> Person:
        """A new person."""
        gender = dice.choice("mf")
        given = dice.choice(self.pools["women" if gender == "f" else "men"])
        surname, second = dice.sample(self.pools["surname"], 2)
        return Person(given, surname, second, gender)

    def town(self, dice: Dice) -> Town:
        """A town."""
        return dice.choice(self.towns)

    def entity(self, role: str, dice: Dice, town: Town | None = None) -> Entity:
        """A name for a role of `ROLES`; organisations prefer the given town."""
        if role in organizations.PATTERNS:
            pattern = dice.choice(organizations.PATTERNS[role])
            kind, _, text = pattern.partition(" ")
            place = (town or self.town(dice)).name
            text = text.format(
                t=place,
                s=dice.choice(self.pools["surname"]),
                c=dice.choice(self.pools["core"]),
                p=dice.choice(self.pools["party_core"]),
            )
            return Entity(text, ORG, "f" if kind == "f" else "m", kind != "-")
        if role == "ministry":
            return Entity(f"Ministerio de {dice.choice(self.pools['ministry'])}", ORG, "m", True)
        if role == "club":
            text = dice.choice(self.pools["club"])
            return Entity(text, ORG, "f" if text in _FEMININE_CLUBS else "m", True)
        if role == "townclub":
            return Entity((town or self.town(dice)).name, ORG, "m", True)
        if role == "firmname":
            return Entity(dice.choice(self.pools["surname"]), ORG)
        if role == "title":
            head, tail = dice.choice(self.pools["head"]), dice.choice(self.pools["tail"])
            return Entity(f"{head} {tail}", MISC)
        tag, feminine, definite = ROLES[role]
        text = dice.choice(self.pools[role])
        if role == "river" and town is not None and town.region in places.RIVERS_BY_REGION:
            text = dice.choice(places.RIVERS_BY_REGION[town.region])
        gender = "f" if text.partition(" ")[0] in feminine else "m"
        return Entity(text, tag, gender, definite)


# Simple roles: tag, first words that are feminine, whether the article is used.
ROLES: dict[str, tuple[str, frozenset[str], bool]] = {
    "river": (LOC, frozenset(), True),
    "mountain": (LOC, frozenset(), False),
    "quarter": (LOC, frozenset(), False),
    "song": (MISC, frozenset(), False),
    "tournament": (
        MISC,
        frozenset(words("Copa Liga Vuelta Eurocopa Supercopa Euroliga Volta")),
        True,
    ),
    "cup": (MISC, frozenset(words("Copa Vuelta Volta Behobia Clásica Carrera")), True),
    "prize": (MISC, frozenset(words("Concha Medalla")), True),
    "festival": (
        MISC,
        frozenset(words("Semana Feria Bienal Noche Romería Tomatina Fiesta Muestra")),
        True,
    ),
    "law": (MISC, frozenset(words("Ley Constitución")), True),
    "program": (MISC, frozenset(), False),
    "mission": (MISC, frozenset(), False),
}

_FEMININE_CLUBS = frozenset(["Real Sociedad", "Ponferradina"])

ENTITY_ROLES = frozenset(
    {*ROLES, *organizations.PATTERNS, "ministry", "club", "townclub", "firmname", "title"}
)


@cache
def all_names() -> dict[Split, Names]:
    """The pools of all splits; no surname, town, core of a name or title is in two of them."""
    partition = Partition()
    pools: dict[Split, dict[str, list[str]]] = {split: {} for split in SPLITS}
    towns: dict[Split, list[Town]] = {split: [] for split in SPLITS}
    for split, regions in partition.divide(list(places.TOWNS_BY_REGION)).items():
        for region in regions:
            for town in places.TOWNS_BY_REGION[region]:
                partition.remember(town, split)
                towns[split].append(Town(town, region))
            for river in places.RIVERS_BY_REGION.get(region, []):
                partition.remember(river, split)
                pools[split].setdefault("river", []).append(river)
    lists = {
        "surname": people.SURNAMES,
        "women": people.WOMEN,
        "men": people.MEN,
        "club": organizations.CLUBS,
        "ministry": organizations.MINISTRIES,
        "core": organizations.CORES,
        "party_core": organizations.PARTY_CORES,
        "mountain": places.MOUNTAINS,
        "quarter": places.QUARTERS,
        "head": works.TITLE_HEADS,
        "tail": works.TITLE_TAILS,
        "song": works.SONGS,
        "tournament": works.TOURNAMENTS,
        "cup": works.CUPS,
        "prize": works.PRIZES,
        "festival": works.FESTIVALS,
        "law": works.LAWS,
        "program": works.PROGRAMS,
        "mission": works.MISSIONS,
    }
    for name, items in lists.items():
        for split, members in partition.divide(list(dict.fromkeys(items))).items():
            pools[split][name] = [member.replace("_", " ") for member in members]
    return {split: Names(pools[split], towns[split]) for split in SPLITS}
