"""Keep the sentences of a test file that another file does not have.

Treebanks of the same texts are split in different ways: sentences of the entities' training data
are in the test file of the tags, and the other way round. One model trained on both is judged on
the rest.

    python benchmarks/disjoint.py TEST OUT --without TRAIN [--without MORE]

Files are in CoNLL columns or CoNLL-U, also compressed; sentences are compared by their words,
without case and spaces.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from spacy_selectra.corpus.lines import numbered_lines
from spacy_selectra.util.files import write_text

FEWEST = 5  # words of a sentence that counts as the same


def sentences(path: Path) -> Iterator[tuple[list[str], str]]:
    """Lines of each sentence, and its words in one string."""
    lines: list[str] = []
    for _, line in (*numbered_lines(path), (0, "")):
        if line.strip():
            lines.append(line)
        elif lines:
            yield lines, key(lines)
            lines = []


def key(lines: list[str]) -> str:
    """The words of a sentence without spaces; empty if there are few."""
    words = []
    until = 0
    for line in lines:
        if line.startswith("#") and "\t" not in line:
            continue
        fields = line.split("\t") if "\t" in line else line.split()
        if len(fields) == 10:  # CoNLL-U: "3-4 del" stands for its parts, "3.1" is no word
            first, _, last = fields[0].partition("-")
            if "." in first or (not last and int(first) <= until):
                continue
            until = int(last or first)
            words.append(fields[1])
        else:
            words.append(fields[0])
    return "".join(words).replace("_", "").lower() if len(words) >= FEWEST else ""


def main() -> None:
    parser = argparse.ArgumentParser(description="Test sentences that training files do not have.")
    parser.add_argument("test", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--without", type=Path, action="append", required=True)
    given = parser.parse_args()
    known = {words for path in given.without for _, words in sentences(path)} - {""}
    found = list(sentences(given.test))
    kept = [lines for lines, words in found if words not in known]
    given.out.parent.mkdir(parents=True, exist_ok=True)
    write_text(given.out, "".join("\n".join(lines) + "\n\n" for lines in kept))
    print(f"{given.out}: {len(kept):,} of {len(found):,} sentences")


if __name__ == "__main__":
    main()
