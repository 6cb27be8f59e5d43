"""Draw names found in ordinary Spanish against speed, from the tables of docs/small.md:
`python docs/comparison.py` writes docs/comparison.svg.
"""

from __future__ import annotations

from pathlib import Path

import drawing

PAGE = Path(__file__).resolve().parent / "small.md"
PICTURE = PAGE.with_name("comparison.svg")
ENTITIES = ("`transformer`, `ner`", "`tok2vec`, `ner`")  # rows without the other components
LEFT, TOP, ACROSS, DOWN, WIDTH, HEIGHT = 64, 24, 420, 240, 520, 320  # pixels
NAMES = 128
LEAST, STEP = 60, 20  # of the vertical axis
THOUSANDS = 16  # end of the horizontal axis
COLOURS = ("#2471a3", "#148f77", "#c0392b")


def draw(page: str) -> str:
    """An SVG of the pipelines that both tables of the page have."""
    speeds, names = measured(page)
    shapes = []
    for thousands in range(0, THOUSANDS + 1, 4):
        x, _ = _place(1000 * thousands, LEAST)
        shapes += [
            f'<path d="M{x:.0f} {TOP}v{DOWN}" stroke="#ddd"/>',
            drawing.text(x, TOP + DOWN + 18, f"{thousands:,},000" if thousands else "0", "middle"),
        ]
    for count in range(LEAST, NAMES + 1, STEP):
        _, y = _place(0, count)
        shapes += [
            f'<path d="M{LEFT} {y:.0f}h{ACROSS}" stroke="#ddd"/>',
            drawing.text(LEFT - 8, y + 4, str(count), "end"),
        ]
    shapes += [
        drawing.text(LEFT + ACROSS / 2, TOP + DOWN + 40, "words per second, two cores", "middle"),
        drawing.upright(18, TOP + DOWN / 2, f"names right, of {NAMES}"),
    ]
    both = [name for name in names if name in speeds]
    for name, colour in zip(both, COLOURS, strict=True):
        x, y = _place(speeds[name], names[name])
        shapes += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="{colour}"/>',
            drawing.text(x, y - 12, name, "middle"),
        ]
    return drawing.card(WIDTH, HEIGHT, shapes)


def measured(page: str) -> tuple[dict[str, float], dict[str, float]]:
    """Words per second of transformer (or tok2vec) and entities, and names right, by pipeline."""
    speeds: dict[str, float] = {}
    names: dict[str, float] = {}
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        name, _, part = cells[0].partition(", ")
        if len(cells) == 7 and part in ENTITIES:
            speeds[name] = float(cells[1].replace(",", ""))
        elif len(cells) == 5 and cells[1].isdecimal():
            names[name] = float(cells[1])
    return speeds, {name.removesuffix(" 1.0.0"): right for name, right in names.items()}


def _place(speed: float, right: float) -> tuple[float, float]:
    return (
        LEFT + ACROSS * speed / (1000 * THOUSANDS),
        TOP + DOWN * (1 - (right - LEAST) / (NAMES - LEAST)),
    )


if __name__ == "__main__":
    PICTURE.write_text(draw(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
