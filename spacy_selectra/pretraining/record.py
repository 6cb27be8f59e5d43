"""run.json: what a run was made from and with."""

from __future__ import annotations

import hashlib
import platform
from datetime import datetime, timezone
from importlib import metadata
from typing import Any

import torch

from spacy_selectra.corpus.manifest import Manifest
from spacy_selectra.errors import OtherRunError
from spacy_selectra.pretraining.settings import PretrainingSettings

RECORD_FILE = "run.json"
_PACKAGES = ("spacy-selectra", "torch", "transformers", "tokenizers", "numpy", "safetensors")
# what fixes shapes, data and the stream of random numbers
_FIXED_TRAINING = {"batch_size", "accumulation", "max_length", "seed"}


def run_identity(settings: PretrainingSettings, manifest: Manifest) -> dict[str, Any]:
    """What must be the same when a run is resumed: networks, objective, data, order, seed.

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
    """Refuse to resume a run that was something else.

    Raises:
        OtherRunError: lists every difference.
    """
    differences = []
    for section, values in expected.items():
        earlier = found.get(section, {})
        for key in sorted(values.keys() | earlier.keys()):
            if values.get(key) != earlier.get(key):
                differences.append(
                    f"{section}.{key} was {_short(earlier.get(key))}, is {_short(values.get(key))}"
                )
    if differences:
        raise OtherRunError(
            f"{output}: cannot resume with another configuration ({'; '.join(differences)}); "
            "use another output directory"
        )


def run_record(identity: dict[str, Any], device: torch.device, precision: str) -> dict[str, Any]:
    """Identity, versions and machine."""
    return {
        "identity": identity,
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), **_versions()},
        "device": _device_name(device),
        "precision": precision,
        "threads": torch.get_num_threads(),
    }


def _contents(manifest: Manifest) -> str:
    """SHA-256 over the digests of the training shards: the same text wherever it lies."""
    digest = hashlib.sha256()
    for shard in manifest.splits["train"].shards:
        digest.update(bytes.fromhex(shard.sha256))
    return digest.hexdigest()


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} {platform.machine()} {torch.backends.cpu.get_cpu_capability()}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 24 else text[:12] + "..."
