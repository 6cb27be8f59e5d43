"""Reading .cfg files: variables, overrides, and an error for every unknown key."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from confection import Config
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from spacy_selectra.errors import SelectraError


class Settings(BaseModel):
    """Base of every section of a configuration file: immutable, no unknown keys.

    Attributes:
        renamed: old names of keys, which are read with a warning until the next minor version,
            and the new ones.
        translated: for keys (new names) whose values changed with the name, old and new values.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())
    renamed: ClassVar[Mapping[str, str]] = {}
    translated: ClassVar[Mapping[str, Mapping[Any, Any]]] = {}

    @model_validator(mode="before")
    @classmethod
    def _read_old_names(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        for old in cls.renamed.keys() & values.keys():
            new = cls.renamed[old]
            if new in values:
                raise ValueError(f"'{old}' is the old name of '{new}'; give only the new one")
            warnings.warn(f"'{old}' is called '{new}' now", FutureWarning, stacklevel=2)
        return cls.with_new_names(values)

    @classmethod
    def with_new_names(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """A section with old names of keys and their values replaced."""
        found: dict[str, Any] = {}
        for key, value in values.items():
            name = cls.renamed.get(key, key)
            if name != key:
                value = cls.translated.get(name, {}).get(value, value)
            found[name] = value
        return found


SettingsT = TypeVar("SettingsT", bound=Settings)


def read_config(path: str | Path, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Read a .cfg file, apply `section.key` overrides, fill in `${section.key}` variables.

    Raises:
        SelectraError: missing or malformed file, or an override of an unknown section.
    """
    if not Path(path).is_file():
        raise SelectraError(f"{path}: no such configuration file")
    try:
        return dict(Config().from_disk(path, overrides=dict(overrides or {})))
    except Exception as error:  # confection's errors have no common base
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
    if not place and "error" in problem.get("ctx", {}):  # from the validator of the whole file
        return str(problem["ctx"]["error"])
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
