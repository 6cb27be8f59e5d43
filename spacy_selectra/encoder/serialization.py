"""An encoder's weights in files: transformers' names, half precision if that is exact, and the
single file of a transformer in a pipeline.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from spacy_selectra.encoder.config import EncoderConfig
from spacy_selectra.encoder.cpu.inference import forget
from spacy_selectra.encoder.electra import SelectraEncoder
from spacy_selectra.encoder.transformers_models import TransformersEncoder
from spacy_selectra.errors import SelectraError
from spacy_selectra.util.files import refuse_pointer

# Weights, configuration and tokenizer of a transformer as one safetensors file.

FORMAT = "spacy-selectra encoder 1"


def packed_encoder(encoder: Any, tokenizer: Mapping[str, Any]) -> bytes:
    """Weights by transformers' names (in half precision if that is exact), with configuration
    and tokenizer as JSON in the metadata.

    Args:
        encoder: the torch module.
        tokenizer: `PieceTokenizer.to_dict()`.
    """
    tensors = encoder_tensors(encoder)
    dtype = exact_type(tensors.values())
    stored: dict[str, Tensor] = {
        name: stored_tensor(tensor, dtype) for name, tensor in tensors.items()
    }
    about = {"format": FORMAT, "config": stored_config(encoder), "tokenizer": dict(tokenizer)}
    # a single entry, because safetensors writes several in random order
    return safetensors.torch.save(stored, {"selectra": json.dumps(about, sort_keys=True)})


def unpacked_encoder(data: bytes) -> tuple[Any, dict[str, Any]]:
    """The encoder, on the CPU, and the dictionary of its tokenizer.

    Raises:
        SelectraError: the data are damaged or not from `packed_encoder`.
    """
    about = read_metadata(data)
    try:
        tensors = safetensors.torch.load(data)
    except Exception as error:  # safetensors has its own exceptions
        raise SelectraError(f"damaged transformer weights ({error})") from error
    return encoder_from_tensors(about["config"], tensors), about["tokenizer"]


def read_metadata(data: bytes) -> dict[str, Any]:
    """Configuration and tokenizer in the metadata of `packed_encoder`'s output.

    Raises:
        SelectraError: the data are something else.
    """
    refuse_pointer("transformer/model", data)
    # safetensors: 8 bytes of header length, little-endian, then the header as JSON
    size = int.from_bytes(data[:8], "little")
    try:
        about = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["selectra"])
    except (ValueError, KeyError, TypeError) as error:
        raise SelectraError(
            "these are not the weights of a SelectraModel; was the pipeline saved with "
            "another transformer architecture?"
        ) from error
    if about.get("format") != FORMAT:
        raise SelectraError(
            f"the transformer weights have format '{about.get('format')}', but this version reads "
            f"'{FORMAT}'; update spacy-selectra"
        )
    return about


def stored_config(encoder: Any) -> dict[str, Any]:
    """The encoder's configuration without its path."""
    config = dict(encoder.config.to_dict())
    config.setdefault("model_type", "electra")
    config.pop("_name_or_path", None)
    # values that are not JSON, such as a torch type, are not needed
    return json.loads(json.dumps(config, default=str))


# Converting between encoders and tensors.


def encoder_tensors(encoder: SelectraEncoder | TransformersEncoder) -> dict[str, Tensor]:
    """All weights of an encoder, by the names of transformers' model without head."""
    if isinstance(encoder, TransformersEncoder):
        return dict(encoder.model.state_dict())
    return encoder_to_transformers(encoder.state_dict())


def encoder_from_tensors(
    config: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> SelectraEncoder | TransformersEncoder:
    """Build an encoder from weights, without initialising random ones.

    Args:
        config: content of a `config.json`; its `model_type` decides between our encoder
            (electra) and `TransformersEncoder`.
        tensors: weights by the names of transformers' model without head; they may have the
            prefix of a model with a head, whose tensors are ignored. Half precision becomes
            float32.

    Raises:
        SelectraError: a weight is missing or has the wrong shape.
    """
    tensors = in_full_precision(tensors)
    if config.get("model_type", "electra") != "electra":
        return TransformersEncoder.from_tensors(config, tensors)
    bare = {name.removeprefix("electra."): tensor for name, tensor in tensors.items()}
    with torch.device("meta"):
        encoder = SelectraEncoder(EncoderConfig.from_dict(config))
    assign(encoder, encoder_state(encoder, bare, "weights"), "weights")
    return encoder.eval()


def as_encoder(network: Any) -> SelectraEncoder | TransformersEncoder:
    """Convert transformers' model, with or without head, to an encoder; encoders are returned.

    ELECTRA's weights are copied to our encoder; other models are wrapped.

    Raises:
        SelectraError: a variant of ELECTRA that our encoder does not support.
    """
    if isinstance(network, (SelectraEncoder, TransformersEncoder)):
        return network
    bare = network.base_model
    if bare.config.model_type != "electra":
        return TransformersEncoder(bare).eval()
    tensors = {name: tensor.clone() for name, tensor in bare.state_dict().items()}
    return encoder_from_tensors(bare.config.to_dict(), tensors)


def assign(module: nn.Module, state: Mapping[str, Tensor], source: str | Path) -> None:
    """Set the weights of a module on the meta device.

    Raises:
        SelectraError: a tensor has the wrong shape; the message begins with `source`.
    """
    try:
        module.load_state_dict(dict(state), assign=True)
    except RuntimeError as error:
        raise SelectraError(
            f"{source}: weights and config.json do not fit together: {error}"
        ) from error
    module.requires_grad_(True)


# Names; the main difference to transformers is the fused q, k, v.


_LAYER = re.compile(r"^layers\.(\d+)\.")
_RENAMED = {
    "embeddings.layer_norm.": "embeddings.LayerNorm.",
    ".attention_output.": ".attention.output.dense.",
    ".attention_norm.": ".attention.output.LayerNorm.",
    ".intermediate.": ".intermediate.dense.",
    ".output.": ".output.dense.",
    ".output_norm.": ".output.LayerNorm.",
}
_PROJECTIONS = ("query", "key", "value")


def encoder_to_transformers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert the state of a `SelectraEncoder` to the names of transformers' `ElectraModel`."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        layer = _LAYER.match(name)
        if layer is None:
            renamed[_rename(name)] = tensor
            continue
        prefix, rest = f"encoder.layer.{layer[1]}", name[layer.end() - 1 :]
        if rest.startswith(".qkv."):
            parts = tensor.chunk(3)
            for projection, part in zip(_PROJECTIONS, parts, strict=True):
                kind = rest.removeprefix(".qkv.")
                renamed[f"{prefix}.attention.self.{projection}.{kind}"] = part
        else:
            renamed[prefix + _rename(rest)] = tensor
    return renamed


def encoder_state(
    encoder: SelectraEncoder, tensors: Mapping[str, Tensor], source: str | Path
) -> dict[str, Tensor]:
    """State of an encoder from the tensors of transformers' `ElectraModel`.

    Args:
        encoder: the encoder, for the required names.
        tensors: by transformers' names, without the prefix `electra.`.
        source: their origin, for errors.

    Raises:
        SelectraError: a tensor is missing.
    """
    state: dict[str, Tensor] = {}
    try:
        for name in encoder.state_dict():
            layer = _LAYER.match(name)
            if layer is None:
                state[name] = tensors[_rename(name)]
                continue
            prefix, rest = f"encoder.layer.{layer[1]}", name[layer.end() - 1 :]
            if rest.startswith(".qkv."):
                kind = rest.removeprefix(".qkv.")
                names = [f"{prefix}.attention.self.{part}.{kind}" for part in _PROJECTIONS]
                state[name] = torch.cat([tensors[part] for part in names])
            else:
                state[name] = tensors[prefix + _rename(rest)]
    except KeyError as error:
        raise SelectraError(f"{source}: no weight {error} for this configuration") from error
    return state


def _rename(name: str) -> str:
    for ours, theirs in _RENAMED.items():
        if ours in name:
            return name.replace(ours, theirs)
    return name


# Half precision halves the size, with rounding errors of 0.05%. Weights are rounded in memory, so
# that measurements use the stored weights. Files are then in half precision, which is exact and
# therefore automatic.

HALF_BITS = 10  # stored bits of float16's fraction


def round_to_half(module: nn.Module, bits: int = HALF_BITS) -> None:
    """Round each weight to float16, in place.

    Args:
        module: its weights are changed.
        bits: bits of the fraction that are kept; the others are 0, which makes compressed files
            smaller. 7 is the precision of bfloat16.

    Raises:
        SelectraError: a weight is outside of the range of float16 (65,504).
    """
    rounded = {name: _half(weight.detach(), bits) for name, weight in module.named_parameters()}
    for name, weight in rounded.items():
        if not torch.isfinite(weight).all():
            raise SelectraError(f"'{name}' has weights that are too large for half precision")
    forget(module)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            weight.copy_(rounded[name])


def exact_type(tensors: Iterable[Tensor]) -> torch.dtype | None:
    """float16 if it can represent all floating-point tensors exactly, else None."""
    floating = [tensor.detach() for tensor in tensors if tensor.is_floating_point()]
    exact = all(torch.equal(tensor.half().to(tensor.dtype), tensor) for tensor in floating)
    return torch.float16 if exact and floating else None


def stored_tensor(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    """A copy on the CPU for a file; floating-point tensors in `dtype`, unless that is None."""
    kept = dtype if tensor.is_floating_point() else None
    return tensor.detach().to("cpu", kept).contiguous().clone()


def in_full_precision(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, floating-point ones as float32."""
    return {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }


def _half(weight: Tensor, bits: int) -> Tensor:
    half = weight.half()
    dropped = HALF_BITS - bits
    if not dropped:
        return half
    stored = half.view(torch.int16).to(torch.int32)
    # sign and magnitude: a carry out of the fraction rightly increases the exponent
    magnitude = ((stored & 0x7FFF) + (1 << (dropped - 1))) >> dropped << dropped
    magnitude = torch.where(torch.isfinite(half), magnitude, stored & 0x7FFF)
    return (magnitude | (stored & 0x8000)).to(torch.int16).view(torch.float16)
