"""Checkpoints: complete, verified, and never a half-written one.

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
        step: optimiser steps made.
        tensors: group, name, tensor (on the CPU).
        state: whatever else was saved; JSON values.
    """

    step: int
    tensors: dict[str, dict[str, Tensor]]
    state: dict[str, Any]


def save_checkpoint(
    output: Path, step: int, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any]
) -> Path:
    """Write `output/checkpoint-STEP` in one step.

    Raises:
        SelectraError: it cannot be written, for instance because the disk is full; what was
            there before is still there.
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
            f"{directory}: could not be written ({error}); earlier checkpoints are untouched"
        ) from error
    return directory


def load_checkpoint(directory: Path) -> Checkpoint:
    """Read one checkpoint and verify every byte of it.

    Raises:
        SelectraError: something is missing, damaged or of another format version.
    """
    content = read_json(directory / STATE_FILE)
    if not isinstance(content, dict) or content.get("format") != FORMAT_VERSION:
        raise SelectraError(f"{directory}: not a checkpoint of format {FORMAT_VERSION}")
    tensors: dict[str, dict[str, Tensor]] = {}
    try:
        for name, digest in content["files"].items():
            if sha256_of(directory / name) != digest:
                raise SelectraError(f"{directory / name}: differs from what was written")
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
    """The newest checkpoint that is whole; a damaged one is passed over with a warning.

    Raises:
        SelectraError: there are checkpoints, but none is whole.
    """
    damaged = []
    for directory in reversed(checkpoints(output)):
        try:
            return load_checkpoint(directory)
        except SelectraError as error:
            damaged.append(directory.name)
            print(f"warning: checkpoint passed over: {error}", file=sys.stderr)
    if damaged:
        raise SelectraError(
            f"{output}: no checkpoint is whole ({', '.join(damaged)}); "
            "start again in another directory"
        )
    return None


def prune(output: Path, keep: int, newest: int) -> None:
    """Delete all but the `keep` checkpoints up to step `newest`, which has just been written.

    Later ones are damaged, else the run would not be here.
    """
    found = [(_step_of(directory), directory) for directory in checkpoints(output)]
    kept = [directory for step, directory in found if step <= newest][-keep:]
    for _, directory in found:
        if directory not in kept:
            # renamed first: what a kill leaves must not look like a checkpoint
            aside = directory.with_name(f".{directory.name}.old-{os.getpid()}")
            try:
                os.replace(directory, aside)
            except OSError:
                continue
            shutil.rmtree(aside, ignore_errors=True)


def remove_leftovers(output: Path) -> None:
    """Delete what a killed run left half written."""
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


# States of torch's random generators, of every process: they draw the dropout noise.


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

    With another number of processes, or on another kind of device, than when the states were
    taken, generators start anew from `seed` and the number of the process.

    Args:
        states: what the main process read; other processes give anything.
        world: the processes.
        device: where the model is.
        seed: of the run.
    """
    states = world.from_main(dict(states))
    stored = states.get("torch")
    if stored is None or len(stored) != world.size:
        seed_process(world, seed)
        return
    # torch reads the state as numbers and wants them aligned, as a row of a matrix may not be
    torch.set_rng_state(stored[world.rank].clone())
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"][world.rank].clone(), device)


def seed_process(world: World, seed: int) -> None:
    """Start the generators of this process; the main one's are those of a single process."""
    torch.manual_seed(seed + 1_000_003 * world.rank)
