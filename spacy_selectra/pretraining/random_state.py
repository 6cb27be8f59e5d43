"""States of torch's random generators, of every process: they draw the dropout noise."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from spacy_selectra.pretraining.distributed import World


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
