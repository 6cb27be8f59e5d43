"""Finding the two networks of a pretraining: in a directory, in a run's output, on the hub."""

from __future__ import annotations

from pathlib import Path

from spacy_selectra.encoder.load import resolve_model
from spacy_selectra.errors import SelectraError


def find_discriminator(path_or_hub_id: str | Path) -> tuple[Path, Path | None]:
    """Directory of a discriminator, and of the generator trained with it if that lies beside it.

    Args:
        path_or_hub_id: a discriminator's directory, a pretraining output with `discriminator/`
            (and `generator/`), or the hub id of a discriminator.

    Raises:
        SelectraError: nothing there, or no safetensors weights.
    """
    directory = resolve_model(path_or_hub_id)
    generator = None
    if (directory / "discriminator").is_dir():
        if (directory / "generator").is_dir():
            generator = directory / "generator"
        directory = directory / "discriminator"
    _check_weights(path_or_hub_id, directory, "AutoModelForPreTraining")
    return directory, generator


def find_generator(path_or_hub_id: str | Path) -> Path:
    """Directory of a generator, or of the one in a pretraining output. Errors likewise."""
    directory = resolve_model(path_or_hub_id)
    if (directory / "generator").is_dir():
        directory = directory / "generator"
    _check_weights(path_or_hub_id, directory, "AutoModelForMaskedLM")
    return directory


def _check_weights(name: str | Path, directory: Path, kind: str) -> None:
    if any(directory.glob("*.safetensors")):
        return
    raise SelectraError(
        f"{name}: has no safetensors weights, and a pickle is never loaded. Convert it once where "
        f'you trust it: python -c "from transformers import {kind}, AutoTokenizer; '
        f"[part.from_pretrained('{name}').save_pretrained('OUT') "
        f'for part in ({kind}, AutoTokenizer)]", then use OUT'
    )
