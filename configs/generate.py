"""Write the .cfg files of `selectra pretrain` and `selectra finetune`, and docs/settings.md.

Run `python configs/generate.py`. Descriptions come from the settings in `pretraining/config.py` and
`finetuning/config.py`; values and the reasons for them from `configs/recipes.py`.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

from recipes import RECIPES, Recipe

from spacy_selectra.finetuning.config import FinetuneSettings
from spacy_selectra.pretraining.config import PretrainingSettings
from spacy_selectra.util.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 100


def generated_files() -> dict[Path, str]:
    """Every generated file and its text."""
    found = {
        ROOT / "configs" / f"{name}.cfg": config_file(_schema(name), recipe)
        for name, recipe in RECIPES.items()
    }
    found[ROOT / "docs" / "settings.md"] = settings_page()
    return found


def config_file(schema: type[Settings], recipe: Recipe) -> str:
    """A configuration file with every setting of a schema, each below its description."""
    left = dict(recipe.values)
    blocks = [_comment(recipe.about)]
    for section, settings in _sections(schema).items():
        lines = [_comment(recipe.notes.get(section, "")), f"[{section}]"]
        above = ""
        for key, field in settings.model_fields.items():
            name = f"{section}.{key}"
            if field.description != above:
                lines.append(_comment(field.description or ""))
            above = field.description
            lines.append(_comment(recipe.notes.get(name, "")))
            value = left.pop(name) if name in left else field.get_default()
            lines.append(f"{key} = {json.dumps(value)}")
        blocks.append("\n".join(line for line in lines if line))
    if unknown := {*left, *recipe.notes} - _names(schema):
        raise ValueError(f"no such settings: {', '.join(sorted(unknown))}")
    return "\n\n".join(blocks) + "\n"


def settings_page() -> str:
    """The reference of all settings, in Markdown."""
    parts = [
        "# Settings\n\nThe settings of the configuration files of `selectra pretrain` and "
        "`selectra finetune`. Each can be\nchanged on the command line: `--training.batch_size 64`."
        " `python configs/generate.py` writes this\npage and the files in `configs/` from the "
        "descriptions in the code."
    ]
    for title, command, schema in (
        ("Pretraining", "pretrain", PretrainingSettings),
        ("Fine-tuning", "finetune", FinetuneSettings),
    ):
        parts.append(f"## {title}\n\n`selectra {command}`, `configs/{command}_*.cfg`.")
        for section, settings in _sections(schema).items():
            summary = (settings.__doc__ or "").split("\n\n")[0].split(": ", 1)[1]
            rows = [
                f"### {title}: {section}",
                f"{summary[0].upper()}{' '.join(summary[1:].split())}",
                "| setting | values | default | meaning |\n|---|---|---|---|",
            ]
            schemas = settings.model_json_schema()["properties"]
            rows[-1] += "".join(
                f"\n| `{key}` | {_values(schemas[key])} | "
                f"{'required' if field.is_required() else f'`{json.dumps(field.get_default())}`'} "
                f"| {field.description} |"
                for key, field in settings.model_fields.items()
            )
            parts.append("\n\n".join(rows))
    return "\n\n".join(parts) + "\n"


def _schema(name: str) -> type[Settings]:
    return PretrainingSettings if name.startswith("pretrain") else FinetuneSettings


def _sections(schema: type[Settings]) -> dict[str, type[Settings]]:
    return {name: field.annotation for name, field in schema.model_fields.items()}  # pyright: ignore[reportReturnType]


def _names(schema: type[Settings]) -> set[str]:
    sections = _sections(schema)
    return {*sections, *(f"{s}.{key}" for s, cls in sections.items() for key in cls.model_fields)}


def _comment(text: str) -> str:
    """Comment lines, wrapped; indented lines (commands) are kept as they are."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        if not paragraph or paragraph.startswith(" "):
            lines.append(f"# {paragraph}".rstrip())
        else:
            lines += textwrap.wrap(paragraph, WIDTH, initial_indent="# ", subsequent_indent="# ")
    return "\n".join(lines) if text else ""


def _values(schema: dict[str, Any]) -> str:
    """Type and bounds of a setting from its JSON schema; null is left out."""
    if "anyOf" in schema:
        return " or ".join(_values(part) for part in schema["anyOf"] if part != {"type": "null"})
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kinds = {"array": "list of strings", "boolean": "true or false"}
    kind = "path" if schema.get("format") == "path" else schema["type"]
    bounds = [
        f"{sign} {schema[bound]:g}"
        for bound, sign in (
            ("minimum", "≥"),
            ("exclusiveMinimum", "&gt;"),
            ("maximum", "≤"),
            ("exclusiveMaximum", "&lt;"),
        )
        if bound in schema
    ]
    return f"{kinds.get(kind, kind)} {' and '.join(bounds)}".strip()


if __name__ == "__main__":
    for path, text in generated_files().items():
        path.write_text(text, encoding="utf-8")
