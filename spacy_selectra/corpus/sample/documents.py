"""Raw text: documents of a few paragraphs in which persons, places and things recur."""

from __future__ import annotations

from spacy_selectra.corpus.sample.dice import Dice
from spacy_selectra.corpus.sample.pools import Split
from spacy_selectra.corpus.sample.registers.all import REGISTERS, Register, lexicon
from spacy_selectra.corpus.sample.scene import Scene

# Registers in which every sentence stands on a line of its own.
_LINE_BY_LINE = frozenset({"chat", "legal", "recipe"})


def document(dice: Dice, names: Split, fillers: Split | None, forbidden: frozenset[str]) -> str:
    """One document: lines are paragraphs, no blank line; no sentence is in `forbidden`."""
    register = dice.choice(REGISTERS)
    scene = Scene(dice, lexicon(), names, fillers)
    sentences = [_sentence(scene, dice, list(register.openings), forbidden)]
    body = dice.shuffled(register.body)
    sentences += [_sentence(scene, dice, [t], forbidden) for t in body[: dice.between(4, 9)]]
    sentences.append(_sentence(scene, dice, list(register.closings), forbidden))
    return "\n".join(_paragraphs(dice, register, [s for s in sentences if s]))


def train_documents(seed: str, count: int, forbidden: frozenset[str]) -> str:
    """`count` documents separated by blank lines, with train names and all common words."""
    dice = Dice(seed)
    return "\n\n".join(document(dice, "train", None, forbidden) for _ in range(count)) + "\n"


def heldout_documents(seed: str, count: int, forbidden: frozenset[str]) -> str:
    """`count` documents with test names, every second one with common words of test only."""
    dice = Dice(seed)
    fillers: tuple[Split | None, ...] = (None, "test")
    return (
        "\n\n".join(document(dice, "test", fillers[i % 2], forbidden) for i in range(count)) + "\n"
    )


def _sentence(scene: Scene, dice: Dice, options: list[str], forbidden: frozenset[str]) -> str:
    """A sentence from one of the templates, or "" if it would be a forbidden one."""
    text = scene.text(dice.choice(options))
    return "" if text in forbidden else text


def _paragraphs(dice: Dice, register: Register, sentences: list[str]) -> list[str]:
    if register.name in _LINE_BY_LINE:
        return sentences
    lines: list[str] = []
    while sentences:
        size = dice.between(2, 5)
        lines.append(" ".join(sentences[:size]))
        sentences = sentences[size:]
    return lines
