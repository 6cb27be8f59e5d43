"""Draw what the shipped pipeline finds into docs/entities.svg: `python docs/entities.py`.

The picture of the README. displaCy draws entities as HTML only, which GitHub does not show.
"""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from spacy.tokens import Doc

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "entities.svg"
SENTENCES = ROOT / "assets" / "ordinary.txt"
# displaCy's colours.
COLORS = {"PER": "#aa9cfc", "LOC": "#ff9561", "ORG": "#7aecec", "MISC": "#c887fb"}
WIDTH, MARGIN, LINE, SIZE, SPACE = 960, 16, 34, 16, 6  # pixels


def draw(docs: list[Doc]) -> str:
    """An SVG of the sentences, a new line for each, with their entities marked."""
    shapes: list[str] = []
    x, y = MARGIN, MARGIN + LINE / 2
    for doc in docs:
        for text, label, space in _stretches(doc):
            shape, width = _entity(text, label) if label else _words(text)
            if x + width > WIDTH - MARGIN:
                x, y = MARGIN, y + LINE
            shapes.append(f'<g transform="translate({x:.0f},{y:.0f})">{shape}</g>')
            x += width + (SPACE if space else 0)
        x, y = MARGIN, y + LINE
    height = y - LINE / 2 + MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
            f'width="{WIDTH}" height="{height:.0f}" font-size="{SIZE}" '
            'font-family="Verdana, DejaVu Sans, sans-serif" fill="#222">',
            f'<rect width="{WIDTH}" height="{height:.0f}" rx="8" fill="#fff"/>',
            *shapes,
            "</svg>\n",
        ]
    )


def _stretches(doc: Doc) -> list[tuple[str, str, str]]:
    """Entities and the words between them: text, label ("" for words), white space behind."""
    with doc.retokenize() as retokenizer:
        for entity in doc.ents:
            retokenizer.merge(entity)
    return [(token.text, token.ent_type_, token.whitespace_) for token in doc]


def _words(text: str) -> tuple[str, float]:
    return _text(0, text, SIZE), _width(text, SIZE)


def _entity(text: str, label: str) -> tuple[str, float]:
    words, tag = _width(text, SIZE), _width(label, 10)
    width = words + tag + 20
    box = f'<rect y="-19" width="{width:.0f}" height="27" rx="5" fill="{COLORS[label]}"/>'
    return box + _text(7, text, SIZE) + _text(words + 13, label, 10), width


def _text(x: float, text: str, size: int) -> str:
    # textLength holds the width where the reader has another font
    return (
        f'<text x="{x:.0f}" font-size="{size}" '
        f'textLength="{_width(text, size):.0f}">{escape(text)}</text>'
    )


def _width(text: str, size: int) -> float:
    font = FontProperties(family="DejaVu Sans", size=size)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]


if __name__ == "__main__":
    import spacy

    nlp = spacy.load("es_selectra_tiny")
    sentences = SENTENCES.read_text(encoding="utf-8").splitlines()
    PICTURE.write_text(draw(list(nlp.pipe(sentences))), encoding="utf-8")
