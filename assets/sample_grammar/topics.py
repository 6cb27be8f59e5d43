"""Texts of one to three sentences with one of eight topics, or one of seven genres."""

from __future__ import annotations

from collections.abc import Sequence, Set

from sample_grammar.dice import Dice
from sample_grammar.pools import Split
from sample_grammar.registers.all import TOPICS, Register, lexicon
from sample_grammar.scene import Scene


def register_sentences(dice: Dice, register: Register, split: Split) -> list[str]:
    """One to three sentences of a register that share their persons, places and things."""
    templates = [t for t in register.sentences if t.count("{") > 1 and "«" not in t[:1]]
    scene = Scene(dice, lexicon(), split, split)
    return [scene.text(t) for t in dice.sample(templates, dice.between(1, 3))]


def texts(
    seed: str,
    split: Split,
    count: int,
    forbidden: Set[str] = frozenset(),
    registers: Sequence[Register] = TOPICS,
) -> list[tuple[list[str], str]]:
    """`count` different texts, as their sentences, with labels in equal shares.

    No sentence is in `forbidden`.
    """
    dice = Dice(seed)
    found: dict[str, tuple[list[str], str]] = {}
    while len(found) < count:
        register = registers[len(found) % len(registers)]
        sentences = register_sentences(dice, register, split)
        if forbidden.isdisjoint(sentences):
            found.setdefault(" ".join(sentences), (sentences, register.label))
    return dice.shuffled(list(found.values()))
