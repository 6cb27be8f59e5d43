"""From marked text to sentences: contractions, e/u, capitals, and tokens with IOB2 tags.

While a sentence is being built, a name stands between a character that tells its tag and a
closing character, all of them from Unicode's private use area.
"""

from __future__ import annotations

import re

from sample_grammar.entities import TAGS

_CLOSE = "\ue000"
_OPEN = {tag: chr(0xE001 + index) for index, tag in enumerate(TAGS)}
_TAG_OF = {char: tag for tag, char in _OPEN.items()}
_MARKS = "[\ue000-\ue004]"

_CONTRACTIONS = ((re.compile(r"\b([Dd])e el\b"), r"\1el"), (re.compile(r"\b([Aa]) el\b"), r"\1l"))
_Y_BEFORE_I = re.compile(rf"\by (?={_MARKS}?(?:[IiÍí]|[Hh][ií](?![aeé])))")
_O_BEFORE_O = re.compile(rf"\bo (?={_MARKS}?(?:[OoÓó]|[Hh][oó]))")
_SENTENCE_START = re.compile(rf"(?:^—?|(?<=[.?!…] ))[¿¡«(]*{_MARKS}?[a-záéíóúüñ]")
_TOKEN = re.compile(
    r"EE\.UU\.|(?:Sr|Sra|Dr|Dra)\.|[A-ZÁÉÍÓÚÑ]\.(?= )"
    r"|\d+(?:[.,:-]\d+)*|[^\W\d_]+(?:[-/][^\W\d_]+)*|°C|\S"
)


def mark(text: str, tag: str) -> str:
    """The name between its marks."""
    return f"{_OPEN[tag]}{text}{_CLOSE}"


def polish(marked: str) -> str:
    """Contractions, e for y, u for o, single spaces, and capitals at the start of sentences."""
    text = " ".join(marked.split(" "))
    text = re.sub(r" +", " ", text).strip()
    text = re.sub(r" ([,.;:?!»)])", r"\1", text)
    for pattern, replacement in _CONTRACTIONS:
        text = pattern.sub(replacement, text)
    text = _Y_BEFORE_I.sub("e ", text)
    text = _O_BEFORE_O.sub("u ", text)
    return _SENTENCE_START.sub(lambda match: match.group()[:-1] + match.group()[-1].upper(), text)


def plain(marked: str) -> str:
    """The text without marks."""
    return re.sub(_MARKS, "", marked)


def tagged_tokens(marked: str) -> list[tuple[str, str]]:
    """Tokens with IOB2 tags, split as spaCy's Spanish tokenizer splits them."""
    result: list[tuple[str, str]] = []
    for piece in re.split(f"([\ue001-\ue004][^{_CLOSE}]*{_CLOSE})", marked):
        if piece and piece[0] in _TAG_OF:
            tag, prefix = _TAG_OF[piece[0]], "B"
            for word in piece[1:-1].split(" "):
                result.append((word, f"{prefix}-{tag}"))
                prefix = "I"
        else:
            result.extend((token, "O") for token in _TOKEN.findall(piece))
    return result
