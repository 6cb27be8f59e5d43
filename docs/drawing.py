"""What the drawn pictures share: a white card and its lettering."""

from __future__ import annotations

from collections.abc import Sequence


def text(x: float, y: float, content: str, anchor: str = "start") -> str:
    """A line of text whose anchor ("start", "middle" or "end") is at x, y."""
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="#222">{content}</text>'


def upright(x: float, y: float, content: str) -> str:
    """A line of text from bottom to top, centred at x, y: the name of a vertical axis."""
    return (
        f'<g transform="translate({x:.0f},{y:.0f}) rotate(-90)">'
        + text(0, 0, content, "middle")
        + "</g>"
    )


def card(width: int, height: int, shapes: Sequence[str]) -> str:
    """An SVG of the shapes on white, in pixels."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" font-size="12" '
            'font-family="Verdana, DejaVu Sans, sans-serif">',
            f'<rect width="{width}" height="{height}" rx="8" fill="#fff"/>',
            *shapes,
            "</svg>\n",
        ]
    )
