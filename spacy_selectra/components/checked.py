"""Validation of user input to components: settings and columns."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any, Generic, TypeVar

import numpy as np

from spacy_selectra.errors import SelectraError

T = TypeVar("T")


class Checked(Generic[T]):
    """A descriptor that validates assigned values; after an error the old value stays.

    Args:
        fits: whether a value is valid.
        meaning: description of valid values, for the error: "threshold = 2 is not MEANING".
    """

    def __init__(self, fits: Callable[[Any], bool], meaning: str) -> None:
        self._fits, self._meaning = fits, meaning

    def __set_name__(self, owner: type, name: str) -> None:
        """Store the attribute's name."""
        self._name = name

    def __get__(self, component: Any, owner: type | None = None) -> T:
        """The current value."""
        if component is None:
            raise AttributeError(self._name)
        return vars(component)[self._name]

    def __set__(self, component: Any, value: T) -> None:
        """Set a value.

        Raises:
            SelectraError: invalid value.
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
    """Whether a value is a string that is not blank."""
    return isinstance(value, str) and bool(value.strip())


def flag() -> Checked[bool]:
    """A boolean setting."""
    return Checked(is_flag, "True or False")


def one_of(choices: tuple[str, ...]) -> Checked[str]:
    """A setting with a fixed set of names."""
    return Checked(
        lambda value: isinstance(value, str) and value in choices, f"one of {', '.join(choices)}"
    )


def strings(
    what: str, values: Iterable[Any], text_of: Callable[[Any], Any] = lambda item: item
) -> list[str]:
    """A column as a list of plain strings.

    Args:
        what: "labels" or "texts", for errors.
        values: a list, generator, pandas column or numpy array.
        text_of: from an item to its text; identity for strings.

    Raises:
        SelectraError: it is a single string, a table or a mapping, is not iterable, or contains
            anything other than valid strings.
    """
    if isinstance(values, str | bytes):
        raise SelectraError(f"{what} must be a list of strings, not the string {values!r}")
    # iterating over these yields column names, keys or rows
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
    """Check that a value is a mapping.

    Raises:
        SelectraError: it is not.
    """
    if not isinstance(value, Mapping):
        raise SelectraError(f"{what} must be a mapping, not {type(value).__name__}")
    return value


def check_flag(what: str, value: Any) -> bool:
    """Check that a value is True or False.

    Raises:
        SelectraError: it is not.
    """
    if not is_flag(value):
        raise SelectraError(f"{what} = {value!r} is not True or False")
    return bool(value)


def own_extension(kind: Any, name: str, default: Any) -> None:
    """Register a component's extension attribute, or check that it is registered compatibly.

    This takes well under a microsecond, so call it before every batch: users may register another
    one at any time (`force=True`).

    Args:
        kind: Doc, Span or Token.
        name: name of the attribute, after `._.`.
        default: its default.

    Raises:
        SelectraError: it is registered with a getter, setter or method, which would hide the
            values of the component.

    Warns:
        UserWarning: it is registered with another default, so it may be used for something else.
            Shown once.
    """
    if not kind.has_extension(name):
        kind.set_extension(name, default=default)
        return
    given, *functions = kind.get_extension(name)
    where = f"{kind.__name__}._.{name}"
    if any(functions):
        raise SelectraError(
            f"{where} is already registered with a getter, setter or method, which hides the "
            f"values of this component: remove it with {kind.__name__}.remove_extension('{name}')"
            " or rename it"
        )
    if given is default or (type(given) is type(default) and given == default):
        return
    if where not in _announced:
        _announced.add(where)
        warnings.warn(
            f"{where} is already registered with the default {given!r} instead of {default!r}. "
            f"A component overwrites its values, and where it sets none, the default is {given!r}: "
            f"rename your attribute (shown once)",
            UserWarning,
            stacklevel=2,
        )


# Attributes with a warning from `own_extension`.
_announced: set[str] = set()
