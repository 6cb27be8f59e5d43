"""Splitting words and names into train, dev and test, so that no filler is shared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from sample_grammar.lexicon import lines, words
from sample_grammar.morphology import (
    Adjective,
    Noun,
    PersonNoun,
    noun,
    person_noun,
)

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")
_SHARES: dict[Split, float] = {"train": 0.62, "dev": 0.14, "test": 0.24}

Word = Noun | PersonNoun | Adjective | str | tuple[Noun, ...]

# Words that many names share and that therefore tell nothing about the split.
GENERIC = frozenset(
    words("""
Real Premio Ley Copa Liga Torneo Trofeo Festival Fiesta Semana Feria Día Plan Sierra Club CF Juegos
Código Estatuto Medalla BC SC Cine Libro Jazz Cabo Montes Picos Santa San La El Los Las Reina Rey
Nacional Acuerdo Tratado Castilla Costa Rica Mundial Volta Vuelta Tour Bienal Muestra Encuentro
Canción Vals Fandango Rumba Zamba Noche Aires Arenas Andorra Reglamento Pacto Nobel Casa Basket
Popular Trabajadores España II III VI IX X OS Maratón Carrera Masters Clásica Descenso Giro Madrid
Conde Premio
""")
)


class Partition:
    """Assigns every item to one split, and remembers it for whoever meets the item again.

    Within a list the split furthest behind its share receives the next item, so that even a
    short list has members in every split. A word met before, alone or inside a longer name,
    keeps its split: a surname that is also a town stays on the town's side.
    """

    def __init__(self) -> None:
        self._known: dict[str, Split] = {}

    def divide(self, items: Sequence[str]) -> dict[Split, list[str]]:
        """The items by split, in their own order."""
        result: dict[Split, list[str]] = {split: [] for split in SPLITS}
        for count, item in enumerate(items, start=1):
            split = self._split_of(item)
            if split is None:
                split = max(SPLITS, key=lambda s: _SHARES[s] * count - len(result[s]))
            self.remember(item, split)
            result[split].append(item)
        return result

    def remember(self, item: str, split: Split) -> None:
        """Fix the split of an item and of its telling words."""
        for key in (item, *_telling_words(item)):
            self._known.setdefault(key, split)

    def _split_of(self, item: str) -> Split | None:
        for key in (item, *_telling_words(item)):
            if key in self._known:
                return self._known[key]
        return None


def _telling_words(name: str) -> list[str]:
    words = [word for part in name.split("_") for word in part.split()]
    return [word for word in words if word[0].isupper() and word not in GENERIC]


class Lexicon:
    """The common words by class and split.

    Args:
        blocks: texts with lines `class.kind: word word …`, where kind is `m` or `f` (nouns),
            `p` (nouns for persons), `a` (adjectives), `v` (verbs, shared by all splits) or `t`
            (tuples of related nouns, each `noun/gender`, joined by commas).

    Raises:
        ValueError: two blocks define the same class.
    """

    def __init__(self, blocks: Iterable[str]) -> None:
        self._classes: dict[str, list[Word]] = {}
        home: dict[str, int] = {}
        for number, block in enumerate(blocks):
            for line in lines(block):
                name, _, words = line.partition(":")
                name, _, kind = name.partition(".")
                if home.setdefault(name, number) != number:
                    raise ValueError(f"class of words '{name}' is defined in two places")
                self._classes.setdefault(name, []).extend(_parse(w, kind) for w in words.split())
        partition = Partition()
        self._pools: dict[str, dict[Split, list[Word]]] = {}
        for name, words in self._classes.items():
            if isinstance(words[0], str):
                self._pools[name] = {split: list(words) for split in SPLITS}
                continue
            split_words = partition.divide([_lemma(word) for word in words])
            by_lemma = {_lemma(word): word for word in words}
            self._pools[name] = {
                split: [by_lemma[lemma] for lemma in dict.fromkeys(lemmas)]
                for split, lemmas in split_words.items()
            }

    def __contains__(self, name: str) -> bool:
        return name in self._classes

    def __iter__(self):
        return iter(self._classes)

    def pool(self, name: str, split: Split | None) -> list[Word]:
        """The words of a class in a split, or in all splits for None."""
        if split is None:
            return self._classes[name]
        return self._pools[name][split]


def templates(block: str) -> list[str]:
    """The templates of a block of text, one a line; an indented line continues the one before."""
    return lines(block)


def _parse(word: str, kind: str) -> Word:
    if kind == "p":
        return person_noun(word)
    if kind == "a":
        return Adjective(word.replace("_", " "))
    if kind == "v":
        return word
    if kind == "t":
        pairs = [item.rpartition("/") for item in word.split(",")]
        return tuple(noun(text, gender) for text, _, gender in pairs)
    return noun(word, kind)


def _lemma(word: Word) -> str:
    if isinstance(word, tuple):
        return word[0].lemma
    return word if isinstance(word, str) else word.lemma
