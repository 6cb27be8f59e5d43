"""Reading .cfg files: variables, overrides, and an error for every unknown key."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from confection import Config
from pydantic import BaseModel, ConfigDict, ValidationError

from spacy_selectra.errors import SelectraError


class Settings(BaseModel):
    """Base of every section of a configuration file: immutable, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


SettingsT = TypeVar("SettingsT", bound=Settings)


def read_config(path: str | Path, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Read a .cfg file, apply `section.key` overrides, fill in `${section.key}` variables.

    Raises:
        SelectraError: missing or malformed file, or an override of a section that is not there.
    """
    if not Path(path).is_file():
        raise SelectraError(f"{path}: no such configuration file")
    try:
        return dict(Config().from_disk(path, overrides=dict(overrides or {})))
    except Exception as error:  # confection raises several unrelated types
        raise SelectraError(f"{path}: {error}") from error


def parse_settings(schema: type[SettingsT], values: Mapping[str, Any], source: str) -> SettingsT:
    """Validate a (nested) mapping against `schema`.

    Raises:
        SelectraError: one message that lists every unknown key (with the nearest known
            one), missing key and value of the wrong type.
    """
    try:
        return schema.model_validate(dict(values))
    except ValidationError as error:
        lines = [_explain(schema, problem) for problem in error.errors()]
        raise SelectraError(f"{source}: " + "; ".join(lines)) from error


def _explain(schema: type[Settings], problem: Mapping[str, Any]) -> str:
    place = [str(part) for part in problem["loc"]]
    name = ".".join(place)
    if problem["type"] == "extra_forbidden":
        known = _fields_at(schema, place[:-1])
        near = difflib.get_close_matches(place[-1], known, n=1)
        hint = f", did you mean '{near[0]}'?" if near else f" (known here: {', '.join(known)})"
        return f"unknown key '{name}'{hint}"
    if problem["type"] == "missing":
        return f"missing key '{name}'"
    return f"'{name}': {problem['msg']} (found {problem['input']!r})"


def _fields_at(schema: type[Settings], place: list[str]) -> list[str]:
    current: Any = schema
    for part in place:
        field = getattr(current, "model_fields", {}).get(part)
        current = field.annotation if field else None
    return sorted(getattr(current, "model_fields", {}))
