"""Generator and discriminator, trained together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from spacy_selectra.encoder.config import EncoderConfig, generator_config, preset
from spacy_selectra.encoder.heads import Discriminator, Generator, GeneratorHead, tie_embeddings
from spacy_selectra.encoder.layout import PackedLayout
from spacy_selectra.pretraining.generator_loss import TableCast, vocabulary_loss
from spacy_selectra.pretraining.masking import MaskedBatch
from spacy_selectra.pretraining.network_settings import EncoderSettings, GeneratorSettings


@dataclass(frozen=True)
class Losses:
    """Losses of a batch, as sums, so that the parts of a batch add up exactly.

    Attributes:
        total: weighted and normalised loss, the scalar to differentiate.
        mlm: sum of the generator's losses over masked pieces, detached.
        rtd: sum of the discriminator's losses over all pieces, detached.
        correction: sum of the corrective LM head's losses over masked pieces, detached; 0
            without that head.
        correct: number of pieces the discriminator classified correctly, scalar int64.
    """

    total: Tensor
    mlm: Tensor
    rtd: Tensor
    correction: Tensor
    correct: Tensor

    def figures(self) -> Tensor:
        """(4,) float64: `mlm`, `rtd`, `correction`, `correct`."""
        found = self.mlm, self.rtd, self.correction, self.correct
        return torch.stack([figure.to(torch.float64) for figure in found])


def encoder_config(settings: EncoderSettings, vocab_size: int, pad_id: int = 0) -> EncoderConfig:
    """The preset with the sizes that `[encoder]` replaces.

    Raises:
        SelectraError: unknown preset, or sizes that do not fit together.
    """
    found = preset(settings.preset, vocab_size)
    return dataclasses.replace(found, pad_token_id=pad_id, **settings.sizes())


def new_networks(
    encoder: EncoderSettings, generator: GeneratorSettings, vocab_size: int, pad_id: int = 0
) -> tuple[Generator, Discriminator]:
    """Both networks with random weights from torch's global generator.

    Raises:
        SelectraError: unknown preset, or sizes that do not fit together.
    """
    discriminator = Discriminator(encoder_config(encoder, vocab_size, pad_id))
    return Generator(generator_config(discriminator.config, generator.scale)), discriminator


class PretrainingModel(nn.Module):
    """Both networks with tied embeddings.

    Args:
        generator: masked language model; its embeddings are replaced by the discriminator's.
        discriminator: the model to keep.
        mlm_weight: weight of the generator's mean loss per masked piece.
        rtd_weight: weight of the discriminator's mean loss per piece.
        corrective_lm_weight: weight of the corrective LM head, which predicts the original at
            the masked positions from the discriminator's hidden states (COCO-LM: Meng et al.
            2021, section 3.1) and is dropped after pretraining; 0 for none, as in ELECTRA.
    """

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        mlm_weight: float = 1.0,
        rtd_weight: float = 50.0,
        corrective_lm_weight: float = 0.0,
    ) -> None:
        super().__init__()
        tie_embeddings(generator, discriminator)
        # registered first, so that shared parameters have the discriminator's names
        self.discriminator = discriminator
        self.generator = generator
        self.corrector = GeneratorHead(discriminator.config) if corrective_lm_weight > 0 else None
        self._compiled = False
        self._cast = TableCast()
        self.mlm_weight, self.rtd_weight = mlm_weight, rtd_weight
        self.corrective_lm_weight = corrective_lm_weight

    def forward(
        self,
        batch: MaskedBatch,
        masked: int | Tensor | None = None,
        pieces: int | Tensor | None = None,
    ) -> Losses:
        """Losses of a batch, or of a part of one.

        Args:
            batch: packed and masked.
            masked: number of masked pieces, by which the generator's loss is divided; that of
                the whole batch if `batch` is a part of it, None for that of `batch`.
            pieces: number of pieces, by which the discriminator's loss is divided; likewise.
        """
        if self._compiled or not torch.is_grad_enabled():
            table = self.discriminator.encoder.embeddings.word_embeddings.weight
            return self._losses(batch, table, masked, pieces)
        embeddings = self.discriminator.encoder.embeddings
        words = embeddings.word_embeddings
        tied = TiedEmbeddings(words.weight, words.padding_idx)
        embeddings.lookup = tied
        try:
            return self._losses(batch, tied.table, masked, pieces)
        finally:
            embeddings.lookup = None

    def _losses(
        self,
        batch: MaskedBatch,
        table: Tensor,
        masked: int | Tensor | None,
        pieces: int | Tensor | None,
    ) -> Losses:
        layout = batch.layout
        if self._compiled and self.device.type == "cpu":  # compiled code handles any size
            layout = PackedLayout.from_lengths(batch.lengths)
        masked = max(1, len(batch.positions)) if masked is None else masked
        pieces = max(1, layout.total) if pieces is None else pieces
        targets = batch.input_ids[batch.positions]
        seen = self.generator.encoder(batch.masked_ids, layout, batch.type_ids)
        mlm, samples = self._predict(
            self.generator.head, table, seen[batch.positions], targets, batch.uniforms
        )
        corrupted, replaced = replace(batch.input_ids, batch.positions, samples)
        hidden = self.discriminator.encoder(corrupted, layout, batch.type_ids)
        verdicts = self.discriminator.head(hidden)
        rtd = discriminator_loss(verdicts, replaced)
        correction = hidden.new_zeros(())
        if self.corrector is not None:
            correction, _ = self._predict(self.corrector, table, hidden[batch.positions], targets)
        return Losses(
            total=mlm * (self.mlm_weight / masked)
            + rtd * (self.rtd_weight / pieces)
            + correction * (self.corrective_lm_weight / masked),
            mlm=mlm.detach(),
            rtd=rtd.detach(),
            correction=correction.detach(),
            correct=((verdicts.detach() > 0) == replaced).sum(),
        )

    def _predict(
        self,
        head: GeneratorHead,
        table: Tensor,
        hidden: Tensor,
        targets: Tensor,
        uniforms: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        projected = head.project(hidden)
        return vocabulary_loss(projected, table, head.bias, targets, uniforms, self._cast)

    def compile_encoders(self, backend: str | Callable[..., Any] = "inductor") -> None:
        """Compile both encoders, with dynamic shapes, as lengths change from batch to batch.

        Args:
            backend: torch.compile's.
        """
        self._compiled = True
        for network in (self.generator, self.discriminator):
            network.encoder.compile(dynamic=True, backend=backend)

    @property
    def loss_weights(self) -> tuple[float, float, float]:
        """Weights of the means of `Losses.mlm`, `rtd` and `correction` in the total loss."""
        return self.mlm_weight, self.rtd_weight, self.corrective_lm_weight

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.discriminator.encoder.device


# The discriminator's half of replaced-token detection (Clark et al. 2020, section 2).


def replace(input_ids: Tensor, positions: Tensor, samples: Tensor) -> tuple[Tensor, Tensor]:
    """Put the generator's samples (M,) into the text (T,).

    Returns:
        The corrupted ids (T,), and (T,) bool labels: which pieces differ from the original.
        A sample that equals it counts as original (Clark et al. 2020, section 2).
    """
    corrupted = input_ids.index_copy(0, positions, samples)
    return corrupted, corrupted != input_ids


def discriminator_loss(logits: Tensor, replaced: Tensor) -> Tensor:
    """Binary cross-entropy of logits (T,) and labels (T,) bool, summed over all T pieces.

    [CLS] and [SEP] count too, as in the original code. The sum is a scalar, float32 or wider.
    """
    wide = torch.promote_types(logits.dtype, torch.float32)
    return F.binary_cross_entropy_with_logits(logits.to(wide), replaced.to(wide), reduction="sum")


# One gradient for an embedding table with two lookups and one output layer.
#
# Autograd would make a dense (V, E) gradient for each of the three uses and add them up. Those of
# the lookups are nearly all zeros, yet with a large vocabulary they are most of the memory traffic
# of the backward pass. Here lookups only record their rows, which are added to the dense gradient
# of the output layer.


class TiedEmbeddings:
    """A (V, E) table for one forward and backward pass.

    Args:
        table: the parameter; gets the gradient of everything done through this object.
        padding: row whose lookups have no gradient, as in `torch.nn.Embedding`.

    Attributes:
        table: the weight of the output layer. Without this use there is no dense gradient to add
            the rows to, and the gradients of lookups are lost.
    """

    def __init__(self, table: Tensor, padding: int | None) -> None:
        self._rows: list[tuple[Tensor, Tensor]] = []
        self._padding = padding
        self.table = _Collect.apply(table, self._rows)

    def __call__(self, ids: Tensor) -> Tensor:
        """(T,) ids to (T, E) rows."""
        found = _Lookup.apply(self.table, ids, self._padding, self._rows)
        assert isinstance(found, Tensor)
        return found


class _Collect(torch.autograd.Function):
    """Identity; its backward pass runs after those of all uses of the table."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: list[tuple[Tensor, Tensor]]) -> Tensor:
        ctx.rows = rows
        return table.view_as(table)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, None]:
        for ids, gradient in ctx.rows:
            grads[0].index_add_(0, ids, gradient)
        ctx.rows.clear()
        return grads[0], None


class _Lookup(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        table: Tensor,
        ids: Tensor,
        padding: int | None,
        rows: list[tuple[Tensor, Tensor]],
    ) -> Tensor:
        ctx.save_for_backward(ids)
        ctx.padding, ctx.rows = padding, rows
        return table.index_select(0, ids)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[None, None, None, None]:
        (ids,) = ctx.saved_tensors
        gradient = grads[0]
        if ctx.padding is not None:
            gradient = gradient.masked_fill((ids == ctx.padding)[:, None], 0)
        ctx.rows.append((ids, gradient))
        return None, None, None, None
