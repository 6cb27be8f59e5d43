"""Words and names of the sample, by class. Lists only: grammar is in the parent package."""

from __future__ import annotations


def words(text: str) -> list[str]:
    """The words of a list written as running text."""
    return text.split()


def lines(block: str) -> list[str]:
    """The lines of a block; one that begins with a space continues the line before."""
    result: list[str] = []
    for line in block.strip("\n").splitlines():
        if line.startswith(" ") and result:
            result[-1] += " " + line.strip()
        elif line.strip():
            result.append(line.strip())
    return result
