"""Atomic writing: what was on disk stays until the new version is complete."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from spacy_selectra.errors import SelectraError
from spacy_selectra.util.files import (
    atomic_directory,
    atomic_file,
    read_json,
    sha256_of,
    write_json,
    write_text,
)


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_file_is_replaced_only_when_complete(tmp_path: Path):
    path = tmp_path / "notes.txt"
    write_text(path, "niño")
    with pytest.raises(RuntimeError, match="half way"), atomic_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("half way")
    assert path.read_text(encoding="utf-8") == "niño"
    assert leftovers(tmp_path) == []


def test_directory_is_replaced_only_when_complete(tmp_path: Path):
    path = tmp_path / "model"
    with atomic_directory(path) as temporary:
        (temporary / "weights").write_text("first")
    with pytest.raises(RuntimeError, match="half way"), atomic_directory(path) as temporary:
        (temporary / "weights").write_text("second")
        raise RuntimeError("half way")
    assert (path / "weights").read_text() == "first"
    with atomic_directory(path) as temporary:
        (temporary / "other").write_text("third")
    assert sorted(child.name for child in path.iterdir()) == ["other"]
    assert leftovers(tmp_path) == []


def test_full_disk_is_one_clear_error_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "result.json"
    write_json(path, {"score": 1})

    def no_space(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(SelectraError, match=r"result\.json.*No space left on device"):
        write_json(path, {"score": 2})
    monkeypatch.undo()
    assert read_json(path) == {"score": 1}
    assert leftovers(tmp_path) == []


def test_json_keeps_accents_readable(tmp_path: Path):
    write_json(tmp_path / "a.json", {"ciudad": "Cádiz"})
    assert "Cádiz" in (tmp_path / "a.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("content", [b"{", b'{"a": "\xf1"}'])
def test_broken_json_names_the_file(tmp_path: Path, content: bytes):
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(SelectraError, match=r"broken\.json: not a JSON file"):
        read_json(path)


def test_missing_json(tmp_path: Path):
    with pytest.raises(SelectraError, match="no such file"):
        read_json(tmp_path / "none.json")


def test_digest_covers_all_files_in_order(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"ab")
    (tmp_path / "b").write_bytes(b"c")
    (tmp_path / "c").write_bytes(b"abc")
    assert sha256_of(tmp_path / "a", tmp_path / "b") == sha256_of(tmp_path / "c")
    assert sha256_of(tmp_path / "b", tmp_path / "a") != sha256_of(tmp_path / "c")


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_others_may_read_what_a_directory_holds(tmp_path: Path):
    with atomic_directory(tmp_path / "model") as temporary:
        save_file({"a": np.zeros(2)}, temporary / "weights.safetensors")
        (temporary / "script.sh").touch(0o700)
        (temporary / "config.json").write_text("{}")
    usual, weights, script = (
        stat.S_IMODE((tmp_path / "model" / name).stat().st_mode)
        for name in ("config.json", "weights.safetensors", "script.sh")
    )
    assert weights == usual
    assert script == usual | 0o700
