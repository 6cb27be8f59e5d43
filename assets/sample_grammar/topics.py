"""Topic classification: texts of one to three sentences with one of eight topics."""

from __future__ import annotations

from collections.abc import Set

from sample_grammar.dice import Dice
from sample_grammar.pools import Split
from sample_grammar.registers.all import TOPICS, Register, lexicon
from sample_grammar.scene import Scene

LABELS = tuple(register.label for register in TOPICS)


def topic_sentences(dice: Dice, register: Register, split: Split) -> list[str]:
    """One to three sentences of a topic that share their persons, places and things."""
    templates = [t for t in register.sentences if t.count("{") > 1 and "«" not in t[:1]]
    scene = Scene(dice, lexicon(), split, split)
    return [scene.text(t) for t in dice.sample(templates, dice.between(1, 3))]


def texts(
    seed: str, split: Split, count: int, forbidden: Set[str] = frozenset()
) -> list[tuple[list[str], str]]:
    """`count` different texts, as their sentences, with labels in equal shares.

    No sentence is in `forbidden`.
    """
    dice = Dice(seed)
    found: dict[str, tuple[list[str], str]] = {}
    while len(found) < count:
        register = TOPICS[len(found) % len(TOPICS)]
        sentences = topic_sentences(dice, register, split)
        if forbidden.isdisjoint(sentences):
            found.setdefault(" ".join(sentences), (sentences, register.label))
    return dice.shuffled(list(found.values()))
