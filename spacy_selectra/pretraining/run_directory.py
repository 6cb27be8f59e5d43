"""The output directory of a run, and run.json: the identity and metadata of the run."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from spacy_selectra.corpus.packed.format import Manifest, Split
from spacy_selectra.errors import OtherRunError, SelectraError
from spacy_selectra.pretraining.checkpoints import (
    Checkpoint,
    latest_checkpoint,
    remove_leftovers,
)
from spacy_selectra.pretraining.config import (
    ObjectiveSettings,
    OptimizerSettings,
    PretrainingSettings,
    TrainingSettings,
)
from spacy_selectra.pretraining.network_settings import EncoderSettings
from spacy_selectra.util.files import read_json
from spacy_selectra.util.settings import Settings


def open_run(
    output: Path,
    identity: dict[str, Any],
    *,
    resume: str = "auto",
    replace: bool = False,
    sources: Sequence[str | Path] = (),
) -> Checkpoint | None:
    """The checkpoint to resume from; None for a new run.

    Incomplete files of a killed run are deleted.

    Args:
        output: directory of the run.
        identity: of `run_identity`.
        resume: "never" requires an empty directory.
        replace: delete a run with another identity.
        sources: inputs of the run, which must not be deleted with it.

    Raises:
        OtherRunError: the directory holds a run with another identity; `replace` is not set.
        SelectraError: `output` is a file, holds something else or a damaged run, or is not empty
            and `resume` is "never".
    """
    if output.exists() and not output.is_dir():
        raise SelectraError(f"{output}: is a file, not a directory")
    remove_leftovers(output)
    if not output.is_dir() or not any(output.iterdir()):
        return None
    if resume == "never":
        raise SelectraError(
            f"{output}: is not empty; use another directory, or --resume auto to continue this run"
        )
    if not (output / RECORD_FILE).is_file():
        raise SelectraError(
            f"{output}: is not empty and holds no pretraining run; use another directory"
        )
    earlier = read_json(output / RECORD_FILE)
    if not isinstance(earlier, dict) or "identity" not in earlier:
        raise SelectraError(f"{output / RECORD_FILE}: damaged; use another directory")
    try:
        check_identity(earlier["identity"], identity, str(output))
    except OtherRunError:
        if not replace:
            raise
        delete_run(output, sources)
    return latest_checkpoint(output)


def delete_run(output: Path, sources: Sequence[str | Path] = ()) -> None:
    """Empty the directory, run.json last, so that an interrupted deletion can be repeated.

    Raises:
        SelectraError: one of `sources` is in the directory; nothing is deleted.
    """
    for source in sources:
        if Path(source).resolve().is_relative_to(output.resolve()):
            raise SelectraError(
                f"{source}: is in {output}, which would be deleted first; use another output "
                "directory"
            )
    for path in sorted(output.iterdir(), key=lambda path: path.name == RECORD_FILE):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


# run.json: identity and metadata of a run.


RECORD_FILE = "run.json"
_PACKAGES = ("spacy-selectra", "torch", "transformers", "tokenizers", "numpy", "safetensors")
# These determine shapes, the order of the data and the stream of random numbers.
_FIXED_TRAINING = {"batch_size", "gradient_accumulation_steps", "max_length", "seed"}

_SECTIONS: dict[str, type[Settings]] = {
    "encoder": EncoderSettings,
    "objective": ObjectiveSettings,
    "optimizer": OptimizerSettings,
    "training": TrainingSettings,
}


def run_identity(settings: PretrainingSettings, manifest: Manifest) -> dict[str, Any]:
    """What must not change when a run is resumed: networks, objective, data, order and seed.

    Length of the run, learning rate, precision, device, logging and checkpoints may change.
    """
    return {
        "encoder": settings.encoder.model_dump(mode="json"),
        "generator": settings.generator.model_dump(mode="json"),
        "objective": settings.objective.model_dump(mode="json"),
        "optimizer": settings.optimizer.model_dump(include={"method", "bias_correction"}),
        "training": settings.training.model_dump(mode="json", include=_FIXED_TRAINING),
        "data": {"tokenizer": manifest.tokenizer_sha256, "corpus": _contents(manifest)},
    }


def check_identity(found: dict[str, Any], expected: dict[str, Any], output: str) -> None:
    """Compare the identity of a stored run with that of this one.

    Raises:
        OtherRunError: they differ; the message lists every difference.
    """
    differences = []
    for section, values in expected.items():
        earlier = found.get(section, {})
        if section in _SECTIONS:
            known = _SECTIONS[section]
            earlier = known.with_new_names(earlier)
            # a setting newer than the run had the effect of its default
            younger = values.keys() & known.model_fields.keys() - earlier.keys()
            earlier |= {key: known.model_fields[key].default for key in younger}
        for key in sorted(values.keys() | earlier.keys()):
            if values.get(key) != earlier.get(key):
                differences.append(
                    f"{section}.{key} was {_short(earlier.get(key))}, is {_short(values.get(key))}"
                )
    if differences:
        raise OtherRunError(
            f"{output}: cannot resume with a different configuration ({'; '.join(differences)}); "
            "use another output directory"
        )


def run_record(
    identity: dict[str, Any],
    settings: PretrainingSettings,
    manifest: Manifest,
    device: torch.device,
    precision: str,
    world_size: int = 1,
    recipe: Path | None = None,
) -> dict[str, Any]:
    """Content of run.json for a new run.

    Args:
        identity: of `run_identity`.
        settings: all of them, defaults included.
        manifest: of the packed corpus.
        device: of this process.
        precision: the one used, not "auto".
        world_size: number of processes.
        recipe: directory of the git repository to record; the working directory if None.

    Returns:
        `identity` and `settings`; `data` (digests and counts); `git` (commit, and whether tracked
        files differ from it), None without git; `started`, UTC;
        `versions`; `device`, `precision` and `world_size`; `parts`, empty (see `add_part`).
    """
    return {
        "identity": identity,
        "settings": settings.model_dump(mode="json"),
        "data": _data(manifest),
        "git": _git_state(recipe or Path.cwd()),
        **_surroundings(device, precision, world_size),
        "parts": [],
    }


def add_part(
    record: dict[str, Any],
    device: torch.device,
    precision: str,
    world_size: int = 1,
    step: int | None = None,
) -> dict[str, Any]:
    """A copy of `record` with one more entry in `parts`, for a resumed run.

    Args:
        record: content of run.json.
        device: of this process.
        precision: the one used, not "auto".
        world_size: number of processes.
        step: of the checkpoint to resume from.

    Returns:
        The record. The new part names only versions that differ from those of the first part.
    """
    part = _surroundings(device, precision, world_size)
    earlier = record.get("versions", {})
    found = part["versions"]
    part["versions"] = {
        name: found.get(name)
        for name in sorted(found.keys() | earlier.keys())
        if found.get(name) != earlier.get(name)
    }
    return record | {"parts": [*record.get("parts", []), {"step": step, **part}]}


def _surroundings(device: torch.device, precision: str, world_size: int) -> dict[str, Any]:
    return {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), **_versions()},
        "device": _device(device),
        "precision": precision,
        "world_size": world_size,
    }


def _data(manifest: Manifest) -> dict[str, Any]:
    """Digests and counts, without the path: the same data may be moved."""
    splits = {}
    for name, split in manifest.splits.items():
        counts = split.model_dump(include={"documents", "sequences", "tokens", "unknown"})
        splits[name] = {"sha256": _contents(manifest, name) if split.shards else None, **counts}
    return {
        "tokenizer_sha256": manifest.tokenizer_sha256,
        "vocab_size": manifest.vocab_size,
        "sequence_length": manifest.sequence_length,
        **splits,
    }


def _contents(manifest: Manifest, split: Split = "train") -> str:
    """SHA-256 over the digests of a split's shards."""
    digest = hashlib.sha256()
    for shard in manifest.splits[split].shards:
        digest.update(bytes.fromhex(shard.sha256))
    return digest.hexdigest()


def _git_state(directory: Path) -> dict[str, Any] | None:
    """Commit, and whether tracked files differ from it; None outside of a repository."""
    commit = _git(directory, "rev-parse", "HEAD")
    changes = _git(directory, "status", "--porcelain", "--untracked-files=no")
    if commit is None or changes is None:
        return None
    return {"commit": commit, "dirty": bool(changes)}


def _git(directory: Path, *arguments: str) -> str | None:
    try:
        result = subprocess.run(
            ["git", "-C", str(directory), *arguments],
            capture_output=True,
            text=True,
            timeout=20,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},  # do not write the index
        )
    except (OSError, subprocess.SubprocessError, UnicodeError):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _device(device: torch.device) -> dict[str, Any]:
    """Processor and accelerator of this machine, without the host name."""
    found: dict[str, Any] = {
        "type": device.type,
        "cpu": _cpu_model(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }
    if device.type == "cuda":
        found |= {
            "name": torch.cuda.get_device_name(device),
            "count": torch.cuda.device_count(),
            "memory": torch.cuda.get_device_properties(device).total_memory,
            "cuda": torch.version.cuda,
        }
    return found


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError):  # not Linux
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 24 else text[:12] + "..."
