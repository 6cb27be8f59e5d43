"""Numbers, dates, scores, money and the like."""

from __future__ import annotations

from collections.abc import Callable

from sample_grammar.dice import Dice
from sample_grammar.lexicon import words

_WORDS = words("cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce")
MONTHS = words(
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
)
WEEKDAYS = words("lunes martes miércoles jueves viernes sábado domingo")
_HOURS = words(
    "las_dos las_tres las_cuatro las_cinco las_seis las_siete las_ocho las_nueve las_diez"
)


def number(value: int) -> str:
    """The number in words up to twelve, else in digits with a point for thousands."""
    if value < len(_WORDS):
        return _WORDS[value]
    return f"{value:,}".replace(",", ".")


def _date(dice: Dice) -> str:
    return f"{dice.between(2, 28)} de {dice.choice(MONTHS)}"


def _hour(dice: Dice) -> str:
    hour = dice.choice(_HOURS).replace("_", " ")
    return hour + dice.choice(["", " y media", " y cuarto", " menos cuarto"])


def _score(dice: Dice) -> str:
    low = dice.between(0, 2)
    return f"{low + dice.between(1, 3)}-{low}"


def _decimal(low: int, high: int) -> Callable[[Dice], str]:
    return lambda dice: f"{dice.between(low, high)},{dice.between(1, 9)}"


def _integer(low: int, high: int, step: int = 1) -> Callable[[Dice], str]:
    return lambda dice: number(low + step * dice.below((high - low) // step + 1))


# Roles that stand for a quantity; like any role they keep their value within a scene.
QUANTITIES: dict[str, Callable[[Dice], str]] = {
    "num": lambda dice: number(dice.between(2, 12)),
    "year": lambda dice: str(dice.between(1960, 2024)),
    "birth": lambda dice: str(dice.between(1930, 1975)),
    "recent": lambda dice: str(dice.between(2001, 2023)),
    "oldyear": lambda dice: str(dice.between(1480, 1890)),
    "railyear": lambda dice: str(dice.between(1850, 1925)),
    "month": lambda dice: dice.choice(MONTHS),
    "weekday": lambda dice: dice.choice(WEEKDAYS),
    "date": _date,
    "hour": _hour,
    "clock": lambda dice: f"{dice.between(8, 22)}:{dice.choice(['00', '15', '30', '45'])}",
    "score": _score,
    "pct": _decimal(1, 18),
    "million": _integer(3, 90),
    "euros": _integer(200, 9900, 50),
    "people": _integer(13, 950),
    "crowd": _integer(2000, 60000, 500),
    "km": _integer(13, 240),
    "meters": _integer(60, 2900, 10),
    "minute": _integer(13, 89),
    "age": _integer(18, 79),
    "degrees": _integer(13, 41),
    "grams": _integer(50, 600, 25),
    "milliliters": _integer(50, 500, 25),
    "oven": _integer(160, 220, 5),
    "cooking": _integer(15, 60, 5),
    "article": _integer(13, 140),
    "population": _integer(3000, 90000, 100),
}
