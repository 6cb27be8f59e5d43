"""Atomic writing of files: after a crash or on a full disk, the earlier version is still there."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from spacy_selectra.errors import SelectraError

# First line of a Git LFS pointer (github.com/git-lfs/git-lfs, docs/spec.md).
LFS_POINTER = b"version https://git-lfs.github.com/spec/"


def expanded(path: str | Path) -> Path:
    """Expand `~` and `~name` in a path.

    Raises:
        SelectraError: unknown home directory.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise SelectraError(f"{path}: {error} (~ is the home directory)") from error


def temporary_sibling(path: Path) -> Path:
    """A temporary name in the directory of `path`, where renaming is atomic."""
    return path.with_name(f".{path.name}.tmp-{os.getpid()}")


def partial_directory(output: Path) -> Path:
    """Directory of an unfinished output, for resuming the same command."""
    return output.with_name(output.name + ".partial")


@contextmanager
def atomic_file(path: str | Path, within: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path to write to; on success it atomically replaces `path`.

    On any error the temporary file is deleted and `path` is unchanged.

    Args:
        path: the file.
        within: directory of the temporary file, on the same file system; default that of `path`.

    Raises:
        SelectraError: the disk is full or the file cannot be written.
    """
    path = Path(path)
    temporary = temporary_sibling(path if within is None else within / path.name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _flush_to_disk(temporary)
        os.replace(temporary, path)
        _flush_directory(path.parent)
    except OSError as error:
        raise _write_error(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_directory(path: str | Path) -> Iterator[Path]:
    """Yield a temporary directory; on success it replaces `path`.

    An existing directory is renamed first and deleted when the new one is in place, so there is
    always a complete version on disk. Permissions of files are set according to the umask, as
    safetensors makes them readable for their owner only.

    Raises:
        SelectraError: the disk is full or the directory cannot be written.
    """
    path = Path(path)
    temporary = temporary_sibling(path)
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        yield temporary
        usual = temporary.stat().st_mode & 0o666
        for child in [*temporary.rglob("*"), temporary]:
            if child.is_file():
                child.chmod(child.stat().st_mode | usual)
                _flush_to_disk(child)
            elif child.is_dir():
                _flush_directory(child)
        _swap_directory(temporary, path)
    except OSError as error:
        raise _write_error(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def only_user_of(directory: str | Path) -> Iterator[None]:
    """Lock `directory` against other processes that call this.

    The directory is created if it is missing, and deleted again if it is empty at the end. The
    system releases the lock when the process ends. Without support for locks, nothing happens.

    Raises:
        SelectraError: another process has the lock, or the directory cannot be created.
    """
    directory = Path(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _write_error(directory, error) from error
    descriptor = os.open(directory, os.O_RDONLY) if os.name == "posix" else None
    try:
        if descriptor is not None:
            _lock(descriptor, directory)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)
        with suppress(OSError):
            directory.rmdir()


def _lock(descriptor: int, directory: Path) -> None:
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise SelectraError(
            f"{directory}: another process is using this directory; wait for it or stop it"
        ) from error
    except OSError:
        return  # a file system without locks


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | Path, value: Any) -> None:
    """Write JSON atomically: UTF-8, indented by two spaces, accents not escaped."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def refuse_pointer(path: str | Path, data: bytes | None = None) -> None:
    """Raise an error if a file is a Git LFS pointer.

    Args:
        path: file; ignored if it is missing or a named pipe, which can be read only once.
        data: the beginning of the file, if it has been read already.

    Raises:
        SelectraError: it is a Git LFS pointer.
    """
    if data is None:
        if not Path(path).is_file():
            return
        try:
            with Path(path).open("rb") as stream:
                data = stream.read(len(LFS_POINTER))
        except OSError:
            return
    if data.startswith(LFS_POINTER):
        raise SelectraError(
            f"{path}: is only a Git LFS pointer; run 'git lfs install' and 'git lfs pull' in its "
            "repository, or download the file itself"
        )


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises:
        SelectraError: the file is missing, not UTF-8 or not JSON.
    """
    refuse_pointer(path)
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SelectraError(f"{path}: no such file") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise SelectraError(f"{path}: not a JSON file ({error})") from error


def write_json_lines(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write one JSON object per line, atomically; returns their number."""
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    write_text(path, "".join(lines))
    return len(lines)


def read_yaml(path: str | Path) -> Any:
    """Parse a YAML file.

    Raises:
        SelectraError: it is missing or not YAML.
    """
    import srsly

    try:
        return srsly.read_yaml(Path(path))
    except (OSError, ValueError) as error:
        raise SelectraError(f"{path}: cannot be read as YAML ({error})") from error


def sha256_of(*paths: str | Path) -> str:
    """Hex SHA-256 of the concatenated contents of files."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _swap_directory(new: Path, target: Path) -> None:
    if not target.exists():
        os.replace(new, target)
        _flush_directory(target.parent)
        return
    aside = target.with_name(f".{target.name}.old-{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    os.replace(target, aside)
    try:
        os.replace(new, target)
    except BaseException:
        os.replace(aside, target)
        raise
    _flush_directory(target.parent)
    shutil.rmtree(aside, ignore_errors=True)


def _flush_to_disk(path: Path) -> None:
    with open(path, "rb+") as stream:
        os.fsync(stream.fileno())


def _flush_directory(path: Path) -> None:
    """Make a rename permanent, also after a power failure."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_error(path: Path, error: OSError) -> SelectraError:
    return SelectraError(
        f"{path}: could not be written ({error.strerror or error}); nothing was changed"
    )
