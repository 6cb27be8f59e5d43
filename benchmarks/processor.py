"""The processor a figure was measured on, which every benchmark names."""

from __future__ import annotations

import json
import os
import platform
import re
from pathlib import Path
from typing import Any

# What decides how fast products are, as Linux calls it.
_INSTRUCTIONS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "VNNI",
    "avx512_bf16": "bfloat16",
    "amx_tile": "AMX",
}


def processor() -> dict[str, Any]:
    """Its name, what tells it from others of that name, and how many cores there are."""
    found: dict[str, str] = {}
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            found.setdefault(key.strip(), value.strip())
    flags = set(found.get("flags", "").split())
    numbers = ", ".join(
        f"{key} {found[field]}"
        for key, field in (("family", "cpu family"), ("model", "model"), ("stepping", "stepping"))
        if field in found
    )
    return {
        "name": found.get("model name") or platform.processor() or platform.machine(),
        "numbers": numbers,
        "instructions": [name for flag, name in _INSTRUCTIONS.items() if flag in flags],
        "missing": [name for flag, name in _INSTRUCTIONS.items() if flag not in flags],
        "cores": os.cpu_count(),
    }


def described(about: dict[str, Any]) -> str:
    """A line for a person."""
    has = ", ".join(about["instructions"]) or "no known instructions"
    lacks = "".join(f", no {name}" for name in about["missing"])
    return f"{about['name']} ({about['numbers']}; {has}{lacks}), {about['cores']} cores"


def file_name(about: dict[str, Any]) -> str:
    """A name for a file of results."""
    text = " ".join([about["name"], about["numbers"], *about["instructions"]])
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\(r\)|\(tm\)", "", text.lower())).strip("-")


def conclude(record: dict[str, Any]) -> None:
    """End a benchmark: the processor for a person, and everything as one line of JSON."""
    about = processor()
    print(f"\nProcessor: {described(about)}")
    print(json.dumps({**record, "processor": about}, ensure_ascii=False))
