"""Checkpoints, written atomically and verified when they are read.

A checkpoint is a directory `checkpoint-STEP` with one safetensors file for each group of tensors
and `state.json`, which holds everything else and the SHA-256 of the other files.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from spacy_selectra.errors import SelectraError
from spacy_selectra.util.distributed import World
from spacy_selectra.util.files import atomic_directory, read_json, sha256_of, write_json

FORMAT_VERSION = 1
STATE_FILE = "state.json"
_NAME = re.compile(r"^checkpoint-(\d+)$")
_LEFTOVER = re.compile(
    r"^\.(run\.json|config\.cfg|\w+\.jsonl|checkpoint-\d+|discriminator|generator)\.(tmp|old)-\d+$"
)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in memory.

    Attributes:
        step: optimiser steps done.
        tensors: by group, then by name; on the CPU.
        state: everything else; JSON values.
    """

    step: int
    tensors: dict[str, dict[str, Tensor]]
    state: dict[str, Any]


def save_checkpoint(
    output: Path, step: int, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any]
) -> Path:
    """Write `output/checkpoint-STEP` to a temporary name and rename it.

    Raises:
        SelectraError: it cannot be written, for instance because the disk is full; earlier
            checkpoints are unchanged.
    """
    directory = output / f"checkpoint-{step}"
    try:
        with atomic_directory(directory) as temporary:
            for group, named in tensors.items():
                plain = {name: tensor.detach().contiguous() for name, tensor in named.items()}
                save_file(plain, temporary / f"{group}.safetensors")
            digests = {path.name: sha256_of(path) for path in sorted(temporary.iterdir())}
            content = {"format": FORMAT_VERSION, "step": step, "files": digests, "state": state}
            write_json(temporary / STATE_FILE, content)
    except SafetensorError as error:
        raise SelectraError(
            f"{directory}: could not be written ({error}); earlier checkpoints are unchanged"
        ) from error
    return directory


def load_checkpoint(directory: Path) -> Checkpoint:
    """Read one checkpoint and verify its checksums.

    Raises:
        SelectraError: files are missing or damaged, or have another format version.
    """
    content = read_json(directory / STATE_FILE)
    if not isinstance(content, dict) or content.get("format") != FORMAT_VERSION:
        raise SelectraError(f"{directory}: not a checkpoint of format {FORMAT_VERSION}")
    tensors: dict[str, dict[str, Tensor]] = {}
    try:
        for name, digest in content["files"].items():
            if sha256_of(directory / name) != digest:
                raise SelectraError(f"{directory / name}: damaged (its checksum is wrong)")
            tensors[Path(name).stem] = load_file(directory / name)
        return Checkpoint(int(content["step"]), tensors, content["state"])
    except (OSError, SafetensorError, KeyError, AttributeError) as error:
        raise SelectraError(f"{directory}: damaged ({error})") from error


def checkpoints(output: Path) -> list[Path]:
    """Checkpoint directories of a run, oldest first."""
    if not output.is_dir():
        return []
    found = [path for path in output.iterdir() if path.is_dir() and _NAME.match(path.name)]
    return sorted(found, key=_step_of)


def latest_checkpoint(output: Path) -> Checkpoint | None:
    """The newest intact checkpoint; damaged ones are skipped with a warning.

    Raises:
        SelectraError: there are checkpoints, and all are damaged.
    """
    damaged = []
    for directory in reversed(checkpoints(output)):
        try:
            return load_checkpoint(directory)
        except SelectraError as error:
            damaged.append(directory.name)
            print(f"warning: checkpoint skipped: {error}", file=sys.stderr)
    if damaged:
        raise SelectraError(
            f"{output}: all checkpoints are damaged ({', '.join(damaged)}); "
            "start again in another directory"
        )
    return None


def prune(output: Path, keep: int, newest: int) -> None:
    """Delete all but the `keep` last checkpoints up to step `newest`, which was just written.

    Checkpoints of later steps are deleted too: the run skipped them because they are damaged.
    """
    found = [(_step_of(directory), directory) for directory in checkpoints(output)]
    kept = [directory for step, directory in found if step <= newest][-keep:]
    for _, directory in found:
        if directory not in kept:
            # renamed first, so that an interrupted deletion leaves no apparent checkpoint
            aside = directory.with_name(f".{directory.name}.old-{os.getpid()}")
            try:
                os.replace(directory, aside)
            except OSError:
                continue
            shutil.rmtree(aside, ignore_errors=True)


def remove_leftovers(output: Path) -> None:
    """Delete incomplete files of a killed run."""
    for path in output.iterdir() if output.is_dir() else ():
        if _LEFTOVER.match(path.name):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _step_of(directory: Path) -> int:
    match = _NAME.match(directory.name)
    assert match is not None
    return int(match[1])


# States of torch's random generators of all processes, which draw dropout masks.


def random_state(world: World, device: torch.device) -> dict[str, Tensor]:
    """The states of all processes, (size, bytes) uint8 for each kind of device."""
    states = {"torch": world.gather(torch.get_rng_state())}
    if device.type == "cuda":
        states["cuda"] = world.gather(torch.cuda.get_rng_state(device))
    return states


def restore_random_state(
    states: Mapping[str, Tensor], world: World, device: torch.device, seed: int
) -> None:
    """Set the generators of this process.

    If the number of processes has changed, they are seeded from `seed` and the rank instead.

    Args:
        states: from `random_state`; only that of the main process is used.
        world: the processes.
        device: of the model.
        seed: of the run.
    """
    states = world.from_main(dict(states))
    stored = states.get("torch")
    if stored is None or len(stored) != world.size:
        seed_process(world, seed)
        return
    # cloned, as torch needs aligned memory, which a row of a matrix may not have
    torch.set_rng_state(stored[world.rank].clone())
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"][world.rank].clone(), device)


def seed_process(world: World, seed: int) -> None:
    """Seed the generators of this process; rank 0 gets the seed of a single process."""
    torch.manual_seed(seed + 1_000_003 * world.rank)
