"""Generator and discriminator, trained together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from spacy_selectra.encoder.heads import GeneratorHead
from spacy_selectra.encoder.models import Discriminator, Generator, tie_embeddings
from spacy_selectra.encoder.packing import PackedLayout
from spacy_selectra.encoder.sizes import pad_rows
from spacy_selectra.pretraining.masking import MaskedBatch
from spacy_selectra.pretraining.objective import discriminator_loss, replace
from spacy_selectra.pretraining.tied_embeddings import TiedEmbeddings
from spacy_selectra.pretraining.vocabulary_loss import TableCast, vocabulary_loss


@dataclass(frozen=True)
class Losses:
    """What one batch gave; sums, so that parts of a batch add up exactly.

    Attributes:
        total: weighted and normalised loss, the scalar to differentiate.
        mlm: sum of the generator's losses over masked pieces, detached.
        rtd: sum of the discriminator's losses over all pieces, detached.
        correction: sum of the corrector's losses over masked pieces, detached; 0 without one.
        correct: pieces the discriminator judged right, scalar int64.
    """

    total: Tensor
    mlm: Tensor
    rtd: Tensor
    correction: Tensor
    correct: Tensor

    def figures(self) -> Tensor:
        """(4,) float64: all but `total`."""
        found = self.mlm, self.rtd, self.correction, self.correct
        return torch.stack([figure.to(torch.float64) for figure in found])


class PretrainingModel(nn.Module):
    """Both networks with tied embeddings.

    Args:
        generator: masked language model; its embeddings are given up for the discriminator's.
        discriminator: the model to keep.
        mlm_weight: weight of the generator's mean loss per masked piece.
        rtd_weight: weight of the discriminator's mean loss per piece.
        correction_weight: weight of naming the original at the masked pieces from the
            discriminator's hidden states, through a head that is not kept (corrective language
            modelling, Meng et al. 2021, section 3.1). ELECTRA has none of this: 0.
    """

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        mlm_weight: float = 1.0,
        rtd_weight: float = 50.0,
        correction_weight: float = 0.0,
    ) -> None:
        super().__init__()
        tie_embeddings(generator, discriminator)
        # the discriminator first: shared parameters are then known by its names
        self.discriminator = discriminator
        self.generator = generator
        self.corrector = GeneratorHead(discriminator.config) if correction_weight > 0 else None
        self._compiled = False
        self._cast = TableCast()
        self.mlm_weight, self.rtd_weight = mlm_weight, rtd_weight
        self.correction_weight = correction_weight

    def forward(
        self,
        batch: MaskedBatch,
        masked: int | Tensor | None = None,
        pieces: int | Tensor | None = None,
    ) -> Losses:
        """Losses of a batch, or of a part of one.

        Args:
            batch: packed and masked.
            masked: number of masked pieces the generator's loss is divided by; this batch's
                if None. Give the whole batch's when this is a part of it.
            pieces: likewise the number of pieces for the discriminator's.
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
        if self._compiled and self.device.type == "cpu":  # one compilation is for all sizes
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
            + correction * (self.correction_weight / masked),
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
        projected = head.project(pad_rows(hidden))
        return vocabulary_loss(projected, table, head.bias, targets, uniforms, self._cast)

    def compile_encoders(self, backend: str | Callable[..., Any] = "inductor") -> None:
        """Have torch.compile fuse what lies between the products, in both encoders.

        Lengths change from batch to batch, so one compilation must do for all of them.

        Args:
            backend: torch.compile's.
        """
        self._compiled = True
        for network in (self.generator, self.discriminator):
            network.encoder.compile(dynamic=True, backend=backend)

    def parameters_by_name(self) -> dict[str, nn.Parameter]:
        """Every parameter once, shared ones under the discriminator's name."""
        return dict(self.named_parameters())

    @property
    def loss_weights(self) -> tuple[float, float, float]:
        """Of the means of `Losses.mlm`, `rtd` and `correction` in the total."""
        return self.mlm_weight, self.rtd_weight, self.correction_weight

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.discriminator.encoder.device
