"""Raw text: documents of a few paragraphs in which persons, places and things recur."""

from __future__ import annotations

from sample_grammar.dice import Dice
from sample_grammar.pools import Split
from sample_grammar.registers.all import REGISTERS, Register, lexicon
from sample_grammar.scene import Scene

# Whose names the documents of the training text use, in turn. As with any real text to pretrain
# on, names that later stand in a test have been met, without labels.
_NAMES_IN_TURN: tuple[Split, ...] = ("train", "test", "train", "dev", "train", "test", "train")
# Shorter sentences are set phrases that any two documents may share.
_TELLING_LENGTH = 40

# Registers in which every sentence stands on a line of its own.
_LINE_BY_LINE = frozenset({"chat", "legal", "press", "recipe"})


def document(
    dice: Dice,
    names: Split,
    fillers: Split | None,
    forbidden: frozenset[str],
    written: set[str] | None = None,
) -> str:
    """One document: lines are paragraphs, no blank line; no sentence is in `forbidden`.

    Its telling sentences are added to `written`.
    """
    register = dice.choice(REGISTERS)
    scene = Scene(dice, lexicon(), names, fillers)
    sentences = [_sentence(scene, dice, list(register.openings), forbidden)]
    body = dice.shuffled(register.body)
    sentences += [_sentence(scene, dice, [t], forbidden) for t in body[: dice.between(4, 9)]]
    sentences.append(_sentence(scene, dice, list(register.closings), forbidden))
    sentences = [sentence for sentence in sentences if sentence]
    if written is not None:
        written.update(s for s in sentences if len(s) > _TELLING_LENGTH)
    return "\n".join(_paragraphs(dice, register, sentences))


def train_documents(seed: str, count: int, forbidden: frozenset[str]) -> str:
    """`count` documents separated by blank lines, with names and common words of all splits."""
    dice = Dice(seed)
    documents = (
        document(dice, _NAMES_IN_TURN[i % len(_NAMES_IN_TURN)], None, forbidden)
        for i in range(count)
    )
    return "\n\n".join(documents) + "\n"


def heldout_documents(seed: str, count: int, forbidden: frozenset[str]) -> tuple[str, set[str]]:
    """`count` documents with test names, every second one with common words of test only.

    Returns:
        The text, and its sentences that no other text should hold.
    """
    dice = Dice(seed)
    fillers: tuple[Split | None, ...] = (None, "test")
    written: set[str] = set()
    documents = [document(dice, "test", fillers[i % 2], forbidden, written) for i in range(count)]
    return "\n\n".join(documents) + "\n", written


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
