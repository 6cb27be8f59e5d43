"""Generator and discriminator, trained together."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spacy_selectra.encoder.heads import GeneratorHead
from spacy_selectra.encoder.models import Discriminator, Generator, tie_embeddings
from spacy_selectra.encoder.packing import PackedLayout
from spacy_selectra.pretraining.masking import MaskedBatch
from spacy_selectra.pretraining.objective import (
    discriminator_loss,
    generator_loss,
    masked_loss,
    replace,
)


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
        self.mlm_weight, self.rtd_weight = mlm_weight, rtd_weight
        self.correction_weight = correction_weight

    def forward(
        self, batch: MaskedBatch, masked: int | None = None, pieces: int | None = None
    ) -> Losses:
        """Losses of a batch, or of a part of one.

        Args:
            batch: packed and masked.
            masked: number of masked pieces the generator's loss is divided by; this batch's
                if None. Give the whole batch's when this is a part of it.
            pieces: likewise the number of pieces for the discriminator's.
        """
        layout = PackedLayout.from_lengths(batch.lengths, device=batch.input_ids.device)
        logits = self.generator(batch.masked_ids, layout, batch.type_ids, batch.positions)
        mlm, samples = generator_loss(logits, batch.input_ids[batch.positions], batch.uniforms)
        del logits
        corrupted, replaced = replace(batch.input_ids, batch.positions, samples)
        hidden = self.discriminator.encoder(corrupted, layout, batch.type_ids)
        verdicts = self.discriminator.head(hidden)
        rtd = discriminator_loss(verdicts, replaced)
        correction = self._correction(hidden, batch)
        masked = max(1, len(batch.positions) if masked is None else masked)
        pieces = max(1, layout.total if pieces is None else pieces)
        return Losses(
            total=mlm * (self.mlm_weight / masked)
            + rtd * (self.rtd_weight / pieces)
            + correction * (self.correction_weight / masked),
            mlm=mlm.detach(),
            rtd=rtd.detach(),
            correction=correction.detach(),
            correct=((verdicts.detach() > 0) == replaced).sum(),
        )

    def _correction(self, hidden: Tensor, batch: MaskedBatch) -> Tensor:
        if self.corrector is None:
            return hidden.new_zeros(())
        words = self.discriminator.encoder.embeddings.word_embeddings.weight
        logits = self.corrector(hidden[batch.positions], words)
        return masked_loss(logits, batch.input_ids[batch.positions])

    def parameters_by_name(self) -> dict[str, nn.Parameter]:
        """Every parameter once, shared ones under the discriminator's name."""
        return dict(self.named_parameters())

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.discriminator.encoder.device
