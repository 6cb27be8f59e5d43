"""`load_encoder`: one call for our checkpoints, other Spanish encoders and the hub."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from spacy_selectra.encoder.checkpoint import read_checkpoint
from spacy_selectra.encoder.electra import SelectraEncoder
from spacy_selectra.encoder.serialization import encoder_from_tensors
from spacy_selectra.encoder.transformers_models import TransformersEncoder
from spacy_selectra.errors import SelectraError
from spacy_selectra.util.files import expanded, read_json

# Everything a model and its tokenizer need; no pickles, no training leftovers.
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

    ELECTRA checkpoints, of whatever head, get our own encoder; every other model type an
    adapter around transformers' AutoModel with the same two calls. The result is in
    evaluation mode on the CPU, in float32.

    Args:
        path_or_hub_id: a model directory, or an id such as "Recognai/selectra_small".

    Raises:
        SelectraError: nothing there, no network, or no safetensors weights.
    """
    directory = resolve_model(path_or_hub_id)
    if read_json(directory / "config.json").get("model_type") == "electra":
        config, tensors = read_checkpoint(directory)
        return encoder_from_tensors(config, tensors)
    return TransformersEncoder.from_directory(directory)


def resolve_model(path_or_hub_id: str | Path) -> Path:
    """The local directory of a model, downloaded (or found in the cache) if it is a hub id.

    A spaCy pipeline, installed or in a directory (also that of one component), stands for the
    discriminator that it holds, as pipelines with `selectra_replaced` do.

    Args:
        path_or_hub_id: a model's or pipeline's directory, the name of an installed pipeline, or
            an id such as "Recognai/selectra_small".

    Raises:
        SelectraError: nothing of that kind, or a pipeline without a discriminator.
    """
    if not isinstance(path_or_hub_id, (str, Path)) or not str(path_or_hub_id).strip():
        raise SelectraError(
            f"a model is named by a directory, a pipeline or a hub id, not by {path_or_hub_id!r}"
        )
    directory = expanded(path_or_hub_id)
    if directory.is_dir():
        return _encoder_within(directory)
    name = str(path_or_hub_id)
    module = name.replace("-", "_")  # as pip calls it
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
            f"{name}: no such directory or installed pipeline, and the model hub did not give it "
            f"({error})"
        ) from error


def _installed_pipeline(name: str) -> Path | None:
    """Directory of the package of that name, if it is one of a spaCy pipeline."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    directory = Path(spec.origin).parent
    return directory if (directory / "meta.json").is_file() else None


def _encoder_within(directory: Path) -> Path:
    """The discriminator in a pipeline's directory, or in its package; other directories as they
    are.

    Raises:
        SelectraError: a pipeline without one.
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
    raise SelectraError(
        f"{directory}: this pipeline holds no discriminator beside its transformer; name the "
        "directory of a pretraining or a hub id, or, to train with spaCy, give the pipeline itself "
        "as `source` of [components.transformer]"
    )


# Finding the two networks of a pretraining: in a directory, in a run's output, on the hub.


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
