"""The sections of a pretraining configuration file on generator and discriminator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from spacy_selectra.encoder.config import DROPOUTS
from spacy_selectra.util.settings import Settings


def _size() -> Any:
    return Field(None, ge=1, description="Replaces the size of the preset; null keeps it.")


class EncoderSettings(Settings):
    """`[encoder]`: the discriminator, which is the model that is kept."""

    renamed: ClassVar[Mapping[str, str]] = {"warm_start": "init_embeddings"}
    translated: ClassVar[Mapping[str, Mapping[Any, Any]]] = {
        "init_embeddings": {True: "cooccurrence", False: "random"}
    }

    preset: str = Field(
        "small",
        description="Sizes of the network: tiny, small, medium or base. Ignored with `init_from`.",
    )
    init_from: str | None = Field(
        None,
        description="Start from these weights instead of random ones: the output directory of a "
        "pretraining (both networks are used), or a discriminator's directory or hub id.",
    )
    vocabulary: Literal["keep", "replace"] = Field(
        "keep",
        description="With `init_from`: keep its vocabulary (an error if [paths] has another) or "
        "replace it by that of [paths]. Entries in both keep their embeddings; a new entry starts "
        "from the mean of the pieces that the old tokenizer splits it into.",
    )
    stack: int = Field(
        1,
        ge=1,
        description="With `init_from`: number of times its layers are repeated (progressive "
        "stacking). A shallow network trains faster in the beginning, when the loss falls quickly.",
    )
    stack_method: Literal["copies", "identity"] = Field(
        "copies",
        description="copies puts copies of all layers on top; identity puts copies of each layer "
        "after it, with outputs of zero, so that the deep network begins where the shallow one "
        "ended.",
    )
    train_rows: Path | None = Field(
        None,
        description="A repair.json written by `vocab repair`: train only the embeddings of the "
        "entries it lists and freeze all other weights.",
    )
    init_embeddings: Literal["random", "cooccurrence"] = Field(
        "random",
        description="cooccurrence computes the initial token embeddings from co-occurrence counts "
        "and spelling, and initialises some attention heads to attend to the previous or the next "
        "piece. Short runs then skip most of the plateau at the beginning.",
    )
    embedding_size: int | None = Field(
        None,
        ge=1,
        description="Replaces the size of the preset; null keeps it. With `init_from`: the hidden "
        "size, to move the projection of narrower embeddings into them; the generator then starts "
        "from random weights.",
    )
    hidden_size: int | None = _size()
    num_hidden_layers: int | None = _size()
    num_attention_heads: int | None = _size()
    intermediate_size: int | None = _size()
    max_position_embeddings: int | None = Field(
        None, ge=8, description="Longest sequence in pieces; null for the preset's 512."
    )
    hidden_dropout_prob: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Dropout on embeddings and layers in pretraining; null for 0.1.",
    )
    attention_probs_dropout_prob: float | None = Field(
        None, ge=0, lt=1, description="Dropout on attention weights in pretraining; null for 0.1."
    )
    initializer_range: float | None = Field(
        None,
        gt=0,
        description="Standard deviation of the initial weights; null for 0.02, which suits hidden "
        "sizes from 768. Smaller networks learn faster from larger weights.",
    )

    def sizes(self) -> dict[str, Any]:
        """Sizes and probabilities that replace those of the preset."""
        others = {"preset", "init_from", "vocabulary", "stack", "stack_method"}
        others |= {"train_rows", "init_embeddings"}
        return self.model_dump(exclude=others, exclude_none=True)

    def dropouts(self) -> dict[str, float]:
        """Probabilities of dropout that replace those of the preset or the checkpoint."""
        return {name: value for name, value in self.sizes().items() if name in DROPOUTS}


class GeneratorSettings(Settings):
    """`[generator]`: the small masked language model that proposes replacements."""

    scale: float = Field(0.25, gt=0, le=1, description="Its width as a fraction of the encoder's.")
    init_from: str | None = Field(
        None,
        description="Start from this generator instead of a random one: a directory or hub id. "
        "Its embeddings are replaced by those of encoder.init_from.",
    )
    copied_layers: int | None = Field(
        None,
        ge=1,
        description="If encoder.init_from has no generator: start it as a copy of so many lower "
        "layers of the discriminator, in their width. It is a useful model within 100 steps, a "
        "random one of a quarter of the width after many hundreds.",
    )


def check_networks(
    encoder: EncoderSettings, generator: GeneratorSettings, *, corrective_lm: bool
) -> None:
    """Check both sections.

    Args:
        encoder: section `[encoder]`.
        generator: section `[generator]`.
        corrective_lm: whether there is a corrective LM head.

    Raises:
        ValueError: settings contradict each other.
    """
    if encoder.init_from is None:
        _check_new(encoder, generator)
    else:
        _check_loaded(encoder, generator, corrective_lm)


def _check_new(encoder: EncoderSettings, generator: GeneratorSettings) -> None:
    needing = {
        "encoder.vocabulary": encoder.vocabulary == "replace",
        "encoder.train_rows": encoder.train_rows is not None,
        "encoder.stack": encoder.stack > 1,
        "encoder.stack_method": encoder.stack_method != "copies",
        # its embeddings would be replaced by the random ones of a new discriminator
        "generator.init_from": generator.init_from is not None,
        "generator.copied_layers": generator.copied_layers is not None,
    }
    if named := [name for name, needs in needing.items() if needs]:
        raise ValueError(f"{named[0]} needs a discriminator to start from; set encoder.init_from")


def _check_loaded(
    encoder: EncoderSettings, generator: GeneratorSettings, corrective_lm: bool
) -> None:
    may_change = {*DROPOUTS, "embedding_size"}
    if changed := [name for name in encoder.sizes() if name not in may_change]:
        raise ValueError(
            "the checkpoint of encoder.init_from has its own sizes; remove "
            f"encoder.{', encoder.'.join(changed)}"
        )
    if encoder.init_embeddings != "random":
        raise ValueError(
            "encoder.init_from brings trained embeddings; set encoder.init_embeddings = random"
        )
    if encoder.embedding_size is not None and generator.init_from is not None:
        raise ValueError(
            "generator.init_from: the generator shares the embeddings, whose size "
            "encoder.embedding_size changes; remove one of them"
        )
    if encoder.train_rows is None:
        return
    if encoder.stack > 1:
        raise ValueError("encoder.train_rows would leave new layers untrained; set stack = 1")
    if corrective_lm:
        raise ValueError(
            "encoder.train_rows would leave the corrective LM head untrained; set "
            "objective.corrective_lm_weight = 0"
        )
