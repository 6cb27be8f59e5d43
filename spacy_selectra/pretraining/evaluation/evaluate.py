"""Evaluation of generator and discriminator on held-out text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spacy_selectra.corpus.packed.format import PackedCorpus
from spacy_selectra.corpus.packed.loader import sequence_batches
from spacy_selectra.encoder.checkpoint import load_discriminator, load_generator
from spacy_selectra.encoder.heads import Discriminator, Generator
from spacy_selectra.encoder.predict import inference
from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.evaluation.metrics import (
    auc_interval,
    best_f1,
    detection_metrics,
    log_loss,
    precision_at_recall,
    threshold_table,
)
from spacy_selectra.pretraining.evaluation.plots import (
    check_drawing,
    predictions_figure,
    save_drawing,
)
from spacy_selectra.pretraining.generator_loss import score_and_sample
from spacy_selectra.pretraining.masking import Masker
from spacy_selectra.pretraining.model import replace
from spacy_selectra.pretraining.run_directory import RECORD_FILE
from spacy_selectra.text.tokenizer import longest_sequence, read_vocabulary
from spacy_selectra.util.extras import required
from spacy_selectra.util.progress import Progress

BATCH_SEQUENCES = 16


@dataclass(frozen=True)
class Heldout:
    """Text for evaluation, and how it is masked.

    Attributes:
        corpus: usually the heldout split.
        masker: its masks and random numbers depend only on its seed and the number of the
            sequence, so all checkpoints are evaluated on the same ones.
        max_length: truncate sequences to this many pieces; None for the encoder's positions.
        sequences: maximum number of sequences, evenly spaced over the corpus; None for all.
        precision: as for `spacy_selectra.encoder.precision`.
    """

    corpus: PackedCorpus
    masker: Masker
    max_length: int | None = None
    sequences: int | None = None
    precision: str = "auto"

    def predictions(
        self,
        generator: Generator,
        discriminator: Discriminator,
        after_batch: Callable[[int], object] = lambda sequences: None,
    ) -> Predictions:
        """Mask the text, fill it in with the generator and classify it with the discriminator.

        All pieces count, [CLS] and [SEP] included, as in the original code. There is no dropout.

        Args:
            generator: fills in masked pieces.
            discriminator: classifies pieces as original or replaced.
            after_batch: called with the number of sequences in each batch; it may raise to stop.
        """
        max_length = self.max_length or discriminator.config.max_position_embeddings
        logits: list[np.ndarray] = []
        labels: list[np.ndarray] = []
        pieces: list[np.ndarray] = []
        lengths: list[int] = []
        mlm_loss, mlm_correct, masked = 0.0, 0, 0
        batches = sequence_batches(self.corpus, BATCH_SEQUENCES, max_length, self.sequences)
        with inference(self.precision, discriminator, generator) as device:
            for batch in batches:
                part = self.masker(batch.input_ids, batch.lengths, batch.type_ids, batch.first)
                part = part.to(device)
                layout = part.layout
                scores = generator(part.masked_ids, layout, part.type_ids, part.positions)
                targets = part.input_ids[part.positions]
                loss, samples = score_and_sample(scores, targets, part.uniforms)
                corrupted, replaced = replace(part.input_ids, part.positions, samples)
                judged = discriminator(corrupted, layout, part.type_ids)
                logits.append(judged.float().cpu().numpy())
                labels.append(replaced.cpu().numpy())
                pieces.append(part.input_ids.to(torch.int32).cpu().numpy())
                lengths += part.lengths
                mlm_loss += float(loss)
                mlm_correct += int((scores.argmax(dim=1) == targets).sum())
                masked += len(targets)
                after_batch(len(part.lengths))
        return Predictions(
            logits=np.concatenate(logits),
            replaced=np.concatenate(labels),
            input_ids=np.concatenate(pieces),
            lengths=np.asarray(lengths),
            masked=masked,
            mlm_correct=mlm_correct,
            mlm_loss=mlm_loss,
        )


@dataclass(frozen=True)
class EvaluationSettings:
    """Settings of `evaluate_discriminator`.

    Attributes:
        mask_prob: share of pieces to predict: 0.15, as in ELECTRA small and base (Clark et al.
            2020, table 6), whatever a run was trained with, so that runs can be compared.
        sequences: maximum number of sequences, evenly spaced over the corpus; None for all.
        seed: of masks and samples.
        bootstrap: bootstrap replicates for a confidence interval of the AUC; 0 for none.
        precision: as for `spacy_selectra.encoder.precision`.
        device: device of the networks.

    Raises:
        SelectraError: a value out of range.
    """

    mask_prob: float = 0.15
    sequences: int | None = None
    seed: int = 0
    bootstrap: int = 0
    precision: str = "auto"
    device: str = "cpu"

    def __post_init__(self) -> None:
        if not 0 < self.mask_prob < 1:
            raise SelectraError(f"mask_prob must be between 0 and 1 (found {self.mask_prob})")
        if self.bootstrap < 0 or (self.sequences is not None and self.sequences < 1):
            raise SelectraError("sequences must be at least 1, and bootstrap at least 0")


def evaluate_discriminator(
    directory: Path,
    data: Path,
    generator_directory: Path | None = None,
    settings: EvaluationSettings | None = None,
    *,
    curves: Path | None = None,
    quiet: bool = True,
) -> dict[str, Any]:
    """Evaluate networks on disk on the held-out split of a packed corpus.

    Args:
        directory: a pretraining output, or a discriminator's directory with its tokenizer.
        data: packed corpus.
        generator_directory: directory of the generator; None for `generator` in the same parent
            directory as the discriminator.
        settings: the defaults if None.
        curves: file for a figure of ROC, precision and recall, calibration and scores.
        quiet: no progress on stderr.

    Returns:
        `discriminator`, `data`, `split`, `seed`, `mask_prob`; `Predictions.measures`;
        `without_special`, the discriminator's measures without special tokens; `thresholds`,
        `best_f1` and `precision_at_recall`, for choosing a detector's threshold; with `bootstrap`
        also `auc_interval`, the ends of the 95% confidence interval.

    Raises:
        SelectraError: a directory is missing or holds something else, the corpus was packed
            with another vocabulary, or `curves` cannot be drawn.
    """
    settings = settings or EvaluationSettings()
    required("sklearn.metrics")  # fail now, not after the work
    if curves is not None:
        check_drawing(curves)
    directory, generator_directory = _directories(directory, generator_directory)
    discriminator = load_discriminator(directory).to(settings.device)
    generator = load_generator(generator_directory).to(settings.device)
    if generator.config.vocab_size != discriminator.config.vocab_size:
        raise SelectraError(
            f"{generator_directory}: vocabulary of {generator.config.vocab_size} entries, "
            f"the discriminator's has {discriminator.config.vocab_size}"
        )
    vocabulary = read_vocabulary(directory)
    corpus = PackedCorpus(data, "heldout", vocabulary)
    masker = Masker(
        discriminator.config.vocab_size,
        vocabulary.special_ids,
        vocabulary.mask_id,
        share=settings.mask_prob,
        seed=settings.seed,
        longest=corpus.manifest.sequence_length,
    )
    longest = longest_sequence(directory, discriminator.config.max_position_embeddings)
    heldout = Heldout(corpus, masker, longest, settings.sequences, settings.precision)
    total = min(settings.sequences or corpus.n_sequences, corpus.n_sequences)
    with Progress("evaluating", total, "sequences", quiet=quiet) as progress:
        predictions = heldout.predictions(generator, discriminator, progress.update)
    replaced, logits = predictions.replaced, predictions.logits
    result = {
        "discriminator": str(directory),
        "data": str(data),
        "split": "heldout",
        "seed": settings.seed,
        "mask_prob": settings.mask_prob,
        **predictions.measures(),
        "without_special": predictions.without(vocabulary.special_ids),
        "thresholds": threshold_table(replaced, logits),
        "best_f1": best_f1(replaced, logits),
        "precision_at_recall": precision_at_recall(replaced, logits),
    }
    if settings.bootstrap:
        interval = auc_interval(
            replaced, logits, predictions.lengths, settings.bootstrap, settings.seed
        )
        result["auc_interval"] = list(interval)
    if curves is not None:
        save_drawing(predictions_figure(replaced, logits), curves)
    return result


def _directories(directory: Path, generator: Path | None) -> tuple[Path, Path]:
    """Directories of discriminator and generator."""
    if (directory / "discriminator").is_dir():
        return directory / "discriminator", generator or directory / "generator"
    if (directory / RECORD_FILE).is_file():
        raise SelectraError(
            f"{directory}: this run is not finished; run `selectra pretrain` again to resume it"
        )
    if generator is None:
        generator = directory.parent / "generator"
        if not generator.is_dir():
            raise SelectraError(
                f"{directory}: there is no generator in {generator}; give --generator"
            )
    return directory, generator


@dataclass(frozen=True)
class Predictions:
    """Predictions for N pieces of B sequences.

    Attributes:
        logits: (N,) float32, the discriminator's logits of "replaced".
        replaced: (N,) bool labels.
        input_ids: (N,) int32, the original pieces.
        lengths: (B,) int64, pieces of each sequence.
        masked: number of masked pieces.
        mlm_correct: number of these for which the generator's most probable entry is correct.
        mlm_loss: the generator's cross-entropy in nats, summed over masked pieces.
    """

    logits: np.ndarray
    replaced: np.ndarray
    input_ids: np.ndarray
    lengths: np.ndarray
    masked: int
    mlm_correct: int
    mlm_loss: float

    def measures(self) -> dict[str, float]:
        """Measures over all pieces.

        Returns:
            `accuracy`, `precision`, `recall`, `f1`, `auc`, `average_precision`, `base_rate`,
            `calibration_error`, `brier` and `rtd_loss` (nats per piece) of the discriminator;
            `mlm_accuracy`, `sampled_mlm_accuracy` (share of samples that equal the original) and
            `mlm_loss` (nats per masked piece) of the generator; counts `pieces`, `masked`,
            `sequences`.
        """
        masked = max(1, self.masked)
        return detection_metrics(self.replaced, self.logits) | {
            "rtd_loss": log_loss(self.replaced, self.logits),
            "mlm_accuracy": self.mlm_correct / masked,
            "sampled_mlm_accuracy": 1 - int(self.replaced.sum()) / masked,
            "mlm_loss": self.mlm_loss / masked,
            "pieces": len(self.logits),
            "masked": self.masked,
            "sequences": len(self.lengths),
        }

    def without(self, ids: Sequence[int]) -> dict[str, float]:
        """The discriminator's measures over all pieces except `ids`."""
        kept = ~np.isin(self.input_ids, ids)
        return detection_metrics(self.replaced[kept], self.logits[kept])
