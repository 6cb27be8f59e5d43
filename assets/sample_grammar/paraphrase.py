"""Sentence pairs that say the same ("1") or not ("0") with mostly the same words, after PAWS.

A pair that does not say the same differs in the roles of two participants (Zhang et al. 2019,
"PAWS: Paraphrase Adversaries from Word Scrambling", section 3), in any of the wordings.
"""

from __future__ import annotations

from sample_grammar.dice import Dice
from sample_grammar.pools import Split
from sample_grammar.registers.all import lexicon
from sample_grammar.registers.rewordings import REWORDINGS
from sample_grammar.scene import Scene

Pair = dict[str, str]


def pairs(seed: str, split: Split, count: int) -> list[Pair]:
    """`count` different pairs, labels in equal shares."""
    dice = Dice(seed)
    found: dict[tuple[str, str], str] = {}
    while len(found) < count:
        label = str(len(found) % 2)
        group = dice.choice(REWORDINGS)
        scene = Scene(dice, lexicon(), split, split)
        first, second = dice.sample(group.forms, 2)
        sentence = scene.text(first)
        if label == "0":
            scene.swap(*group.swap)
            second = dice.choice(group.forms)
        found.setdefault((sentence, scene.text(second)), label)
    rows = [
        {"sentence1": one, "sentence2": two, "label": label} for (one, two), label in found.items()
    ]
    return dice.shuffled(rows)
