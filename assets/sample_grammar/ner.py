"""Named entities in the format of CoNLL-2002: `token TAG`, IOB2, a blank line between sentences."""

from __future__ import annotations

from collections.abc import Set

from sample_grammar import surface
from sample_grammar.dice import Dice
from sample_grammar.pools import Split
from sample_grammar.registers.all import LABELLED, TOPICS, lexicon
from sample_grammar.registers.names import SENTENCES
from sample_grammar.scene import Scene

# Of 100 sentences: from topics, from templates of ambiguous names; the rest from these and genres.
_TOPIC_SHARE, _AMBIGUOUS_SHARE = 50, 25
# Of 100 sentences without any name, those that are kept.
_NAMELESS_KEPT = 25


def sentences(seed: str, split: Split, count: int, forbidden: Set[str] = frozenset()) -> list[str]:
    """`count` different sentences with marked names (see `surface`), from the pools of `split`.

    None of them, without its marks, is in `forbidden`.
    """
    dice = Dice(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        kind = dice.below(100)
        if kind < _AMBIGUOUS_SHARE:
            template = dice.choice(SENTENCES)
        else:
            registers = TOPICS if kind < _AMBIGUOUS_SHARE + _TOPIC_SHARE else LABELLED
            template = dice.choice(dice.choice(registers).sentences)
        if template.count("{") < 2:
            continue
        marked = Scene(dice, lexicon(), split, split).fill(template)
        if surface.plain(marked) == marked and not dice.chance(_NAMELESS_KEPT):
            continue
        if surface.plain(marked) not in forbidden:
            found.setdefault(marked)
    return list(found)


def to_conll(marked_sentences: list[str]) -> str:
    """The sentences in two columns."""
    blocks = (
        "".join(f"{token} {tag}\n" for token, tag in surface.tagged_tokens(marked))
        for marked in marked_sentences
    )
    return "\n".join(blocks)
