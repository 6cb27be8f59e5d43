"""What users give to components, checked whenever they give it: settings and columns."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any, Generic, TypeVar

import numpy as np

from spacy_selectra.errors import SelectraError

T = TypeVar("T")


class Checked(Generic[T]):
    """An attribute that takes certain values only, and keeps the one it has if given another.

    Args:
        fits: whether a value is one of them.
        meaning: what they are, for the error: "threshold = 2 is not MEANING".
    """

    def __init__(self, fits: Callable[[Any], bool], meaning: str) -> None:
        self._fits, self._meaning = fits, meaning

    def __set_name__(self, owner: type, name: str) -> None:
        """Remember the attribute's name."""
        self._name = name

    def __get__(self, component: Any, owner: type | None = None) -> T:
        """The value that was set."""
        if component is None:
            raise AttributeError(self._name)
        return vars(component)[self._name]

    def __set__(self, component: Any, value: T) -> None:
        """Set a value.

        Raises:
            SelectraError: it is not one that fits.
        """
        if not self._fits(value):
            raise SelectraError(
                f"component '{component.name}': {self._name} = {value!r} is not {self._meaning}"
            )
        vars(component)[self._name] = value


def is_share(value: Any) -> bool:
    """Whether a value is a number in [0, 1]."""
    return isinstance(value, Real) and not isinstance(value, bool) and 0 <= value <= 1  # pyright: ignore[reportOperatorIssue]


def is_flag(value: Any) -> bool:
    """Whether a value is True or False."""
    return isinstance(value, (bool, np.bool_))


def is_name(value: Any) -> bool:
    """Whether a value is a string with something to see."""
    return isinstance(value, str) and bool(value.strip())


def flag() -> Checked[bool]:
    """A setting that is on or off."""
    return Checked(is_flag, "True or False")


def one_of(choices: tuple[str, ...]) -> Checked[str]:
    """A setting that is one of some names."""
    return Checked(
        lambda value: isinstance(value, str) and value in choices, f"one of {', '.join(choices)}"
    )


def strings(
    what: str, values: Iterable[Any], text_of: Callable[[Any], Any] = lambda item: item
) -> list[str]:
    """A column as a list of plain strings.

    Args:
        what: "labels" or "texts", for errors.
        values: a list, generator, or column of pandas or numpy.
        text_of: gives the text of an item; that of a string is itself.

    Raises:
        SelectraError: it is a single string, a table or a mapping, cannot be looped over, or holds
            something else than strings that are text.
    """
    if isinstance(values, str | bytes):
        raise SelectraError(f"{what} must be a list of strings, not the string {values!r}")
    # looping over these gives names of columns, keys, or rows
    if isinstance(values, Mapping) or getattr(values, "ndim", 1) != 1:
        raise SelectraError(
            f"{what} must be a list or a single column of strings, not a {type(values).__name__}"
        )
    if not isinstance(values, Iterable):
        raise SelectraError(f"{what} must be a list of strings, not {type(values).__name__}")
    found = []
    for place, item in enumerate(values, 1):
        text = text_of(item)
        if not isinstance(text, str):
            raise SelectraError(f"{what} must be strings, item {place} is {type(item).__name__}")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise SelectraError(f"{what}: item {place} holds half a surrogate pair") from error
        found.append(str(text))
    return found


def mapping(what: str, value: Any) -> Mapping[Any, Any]:
    """What has to be a mapping.

    Raises:
        SelectraError: it is none.
    """
    if not isinstance(value, Mapping):
        raise SelectraError(f"{what} must be a mapping, not {type(value).__name__}")
    return value


def check_flag(what: str, value: Any) -> bool:
    """What has to be True or False.

    Raises:
        SelectraError: it is neither.
    """
    if not is_flag(value):
        raise SelectraError(f"{what} = {value!r} is not True or False")
    return bool(value)


def own_extension(kind: Any, name: str, default: Any) -> None:
    """See that an attribute that a component writes is registered as the component means it.

    It takes well under a microsecond if nothing is amiss, so it can be asked before every batch:
    users may register another one at any time (`force=True`).

    Args:
        kind: Doc, Span or Token.
        name: of the attribute, after `._.`.
        default: its value where the component has written none.

    Raises:
        SelectraError: it is registered with a getter, setter or method, so what the component
            writes could not be read.

    Warns:
        UserWarning: it is registered with another default, so values of another meaning may be
            overwritten, and be read where the component has written none. Said once.
    """
    if not kind.has_extension(name):
        kind.set_extension(name, default=default)
        return
    given, *functions = kind.get_extension(name)
    where = f"{kind.__name__}._.{name}"
    if any(functions):
        raise SelectraError(
            f"{where} is registered with a getter, setter or method of another origin, which hides "
            f"what this component writes: remove it with {kind.__name__}.remove_extension('{name}')"
            " or give it another name"
        )
    if given is default or (type(given) is type(default) and given == default):
        return
    if where not in _announced:
        _announced.add(where)
        warnings.warn(
            f"{where} is registered with the default {given!r} by something else; a component "
            f"writes its own values to it, over those that are there, and where it writes none "
            f"{given!r} is read and not {default!r}: give your attribute another name (said once)",
            UserWarning,
            stacklevel=2,
        )


# Attributes of which `own_extension` has warned.
_announced: set[str] = set()
