"""Draw how often entities are right against their score, before and after `calibrate`.

    python benchmarks/entity_scores.py ... > scores.txt
    python docs/reliability.py scores.txt

writes docs/reliability.svg, the picture of the page on using pipelines.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import drawing

PICTURE = Path(__file__).resolve().parent / "reliability.svg"
SIDE, LEFT, TOP, WIDTH, HEIGHT = 300, 56, 20, 560, 380  # pixels
CURVES = (("test before", "as trained", "#c0392b"), ("test after", "calibrated", "#2471a3"))


def draw(results: dict) -> str:
    """An SVG of the curves of the file that the temperature was not fitted on.

    Args:
        results: what `benchmarks/entity_scores.py` prints as JSON.
    """
    shapes = [f'<rect x="{LEFT}" y="{TOP}" width="{SIDE}" height="{SIDE}" fill="none"/>']
    for tenths in range(0, 11, 2):
        x, y = _place(tenths / 10, tenths / 10)
        shapes += [
            f'<path d="M{x:.0f} {TOP}v{SIDE}M{LEFT} {y:.0f}h{SIDE}" stroke="#ddd"/>',
            drawing.text(x, TOP + SIDE + 18, f"{tenths / 10:.1f}", "middle"),
            drawing.text(LEFT - 8, y + 4, f"{tenths / 10:.1f}", "end"),
        ]
    shapes += [
        f'<path d="M{LEFT} {TOP + SIDE}l{SIDE} {-SIDE}" stroke="#999" stroke-dasharray="4 4"/>',
        drawing.text(LEFT + SIDE / 2, TOP + SIDE + 40, "score", "middle"),
        drawing.upright(16, TOP + SIDE / 2, "share that is right"),
    ]
    for number, (key, name, colour) in enumerate(CURVES):
        # bins of a few entities say nothing
        found = [bin_ for bin_ in results[key]["curve"] if bin_[2] >= 10]
        points = [_place(mean, right) for mean, right, _ in found]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        shapes.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for (x, y), (_, _, count) in zip(points, found, strict=True):
            radius = 2 + (count / 100) ** 0.5
            shapes.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{colour}"/>')
        x, y = LEFT + SIDE + 24, TOP + 20 + 24 * number
        shapes += [
            f'<circle cx="{x}" cy="{y - 4}" r="5" fill="{colour}"/>',
            drawing.text(x + 12, y, f"{name}, error {results[key]['ece']:.3f}", "start"),
        ]
    shapes.append(drawing.text(LEFT + SIDE + 18, TOP + 68, "area: number of entities", "start"))
    return drawing.card(WIDTH, HEIGHT, shapes)


def _place(score: float, right: float) -> tuple[float, float]:
    return LEFT + SIDE * score, TOP + SIDE * (1 - right)


if __name__ == "__main__":
    lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    PICTURE.write_text(draw(json.loads(lines[-1])), encoding="utf-8")
