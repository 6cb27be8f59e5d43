"""`load_encoder`: loading our checkpoints, other encoders, and models from the hub."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from spacy_selectra.encoder.checkpoint import read_checkpoint
from spacy_selectra.encoder.electra import SelectraEncoder
from spacy_selectra.encoder.pipeline_weights import extracted_encoder
from spacy_selectra.encoder.serialization import encoder_from_tensors
from spacy_selectra.encoder.transformers_models import TransformersEncoder
from spacy_selectra.errors import SelectraError
from spacy_selectra.util.files import expanded, read_json

# All files of a model and its tokenizer, without pickles and training files.
HUB_FILES = [
    "config.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "tokenizer*.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
]


def load_encoder(path_or_hub_id: str | Path) -> SelectraEncoder | TransformersEncoder:
    """Read an encoder from a directory or from the Hugging Face Hub.

    ELECTRA checkpoints, with any head, become our own encoder. Other models become a
    `TransformersEncoder` with the same interface. The result is on the CPU, in evaluation mode
    and float32.

    Args:
        path_or_hub_id: a model directory, or an id such as "Recognai/selectra_small".

    Raises:
        SelectraError: no such model, no network, or no safetensors weights.
    """
    directory = resolve_model(path_or_hub_id)
    if read_json(directory / "config.json").get("model_type") == "electra":
        config, tensors = read_checkpoint(directory)
        return encoder_from_tensors(config, tensors)
    return TransformersEncoder.from_directory(directory)


def resolve_model(path_or_hub_id: str | Path) -> Path:
    """The local directory of a model, downloaded (or from the cache) if it is a hub id.

    For a spaCy pipeline, installed or in a directory (also that of one component), this is the
    discriminator in it, if a component has one of its own, else the encoder of its transformer,
    which fine-tuning has changed (`pipeline_weights.extracted_encoder`).

    Args:
        path_or_hub_id: a model's or pipeline's directory, the name of an installed pipeline, or
            an id such as "Recognai/selectra_small".

    Raises:
        SelectraError: no such model, or a pipeline without an encoder of this library.
    """
    if not isinstance(path_or_hub_id, (str, Path)) or not str(path_or_hub_id).strip():
        raise SelectraError(
            f"a model must be a directory, a pipeline or a hub id, not {path_or_hub_id!r}"
        )
    directory = expanded(path_or_hub_id)
    if directory.is_dir():
        return _encoder_within(directory)
    name = str(path_or_hub_id)
    module = name.replace("-", "_")  # pip's spelling of the name
    if module.isidentifier() and (installed := _installed_pipeline(module)):
        return _encoder_within(installed)
    if name.count("/") > 1 or name.startswith((".", "/", "~")):
        raise SelectraError(f"{name}: no such model directory")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=HUB_FILES))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise SelectraError(
            f"{name}: no such directory or installed pipeline, and not found on the model hub "
            f"({error})"
        ) from error


def _installed_pipeline(name: str) -> Path | None:
    """Directory of an installed package of a spaCy pipeline; None if there is none."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    directory = Path(spec.origin).parent
    return directory if (directory / "meta.json").is_file() else None


def _encoder_within(directory: Path) -> Path:
    """The discriminator or encoder in a pipeline's directory or package; other directories are
    returned.

    Raises:
        SelectraError: a pipeline without either.
    """
    if (directory / "config.json").is_file():
        return directory
    if not (directory / "meta.json").is_file():
        above = directory.parent
        is_component = (above / "meta.json").is_file() and (directory / "model").is_file()
        return _encoder_within(above) if is_component else directory
    if not (directory / "config.cfg").is_file():  # a package, with the pipeline in a folder
        inner = next((path.parent for path in sorted(directory.glob("*/config.cfg"))), directory)
        return _encoder_within(inner)
    for file in sorted(directory.glob("*/config.json")):
        stored = read_json(file)
        kinds = stored.get("architectures") if isinstance(stored, dict) else None
        if kinds == ["ElectraForPreTraining"] and any(file.parent.glob("*.safetensors")):
            return file.parent
    if (directory / "transformer" / "model").is_file():
        return extracted_encoder(directory / "transformer" / "model")
    raise SelectraError(
        f"{directory}: this pipeline has no encoder; give a pretraining's directory or a hub id"
    )


# Finding the two networks of a pretraining: in a directory, in a run's output, on the hub.


def find_discriminator(path_or_hub_id: str | Path) -> tuple[Path, Path | None]:
    """Directory of a discriminator, and of its generator if it is in the same run.

    Args:
        path_or_hub_id: a discriminator's directory, a pretraining output with `discriminator/`
            (and `generator/`), or the hub id of a discriminator.

    Raises:
        SelectraError: no such model, or no safetensors weights.
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
    """Directory of a generator, or of that in a pretraining output; errors likewise."""
    directory = resolve_model(path_or_hub_id)
    if (directory / "generator").is_dir():
        directory = directory / "generator"
    _check_weights(path_or_hub_id, directory, "AutoModelForMaskedLM")
    return directory


def _check_weights(name: str | Path, directory: Path, kind: str) -> None:
    if any(directory.glob("*.safetensors")):
        return
    raise SelectraError(
        f"{name}: has no safetensors weights, and a pickle is never loaded. Convert it once if "
        f'you trust it: python -c "from transformers import {kind}, AutoTokenizer; '
        f"[part.from_pretrained('{name}').save_pretrained('OUT') "
        f'for part in ({kind}, AutoTokenizer)]", then use OUT'
    )
