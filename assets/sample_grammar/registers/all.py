"""All registers, and the lexicon of their words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import ModuleType

from sample_grammar.lexicon import general
from sample_grammar.pools import Lexicon
from sample_grammar.registers import (
    biography,
    chat,
    culture,
    economy,
    encyclopedia,
    food,
    legal,
    novel,
    politics,
    press,
    recipe,
    review,
    science,
    society,
    sports,
    technology,
)


@dataclass(frozen=True)
class Register:
    """The templates of one kind of document; `label` is its topic or genre, "" if it has none."""

    name: str
    label: str
    openings: tuple[str, ...]
    body: tuple[str, ...]
    closings: tuple[str, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """All templates."""
        return self.openings + self.body + self.closings


def _register(module: ModuleType) -> Register:
    return Register(
        module.__name__.rpartition(".")[2],
        getattr(module, "LABEL", ""),
        tuple(module.OPENINGS),
        tuple(module.BODY),
        tuple(module.CLOSINGS),
    )


_TOPIC_MODULES = (sports, politics, economy, culture, science, food, society, technology)
_GENRE_MODULES = (novel, encyclopedia, biography, recipe, legal, chat, review)

TOPICS = tuple(_register(module) for module in _TOPIC_MODULES)
GENRES = tuple(_register(module) for module in _GENRE_MODULES)
LABELLED = TOPICS + GENRES
REGISTERS = (*LABELLED, _register(press))


@cache
def lexicon() -> Lexicon:
    """The common words of all registers."""
    modules = (general, *_TOPIC_MODULES, *_GENRE_MODULES, press)
    return Lexicon(module.WORDS for module in modules)
