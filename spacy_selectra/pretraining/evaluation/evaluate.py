"""How well the two networks do on text they have not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spacy_selectra.corpus.packed.format import Split
from spacy_selectra.corpus.packed.loader import PackedCorpus, sequence_batches
from spacy_selectra.encoder.checkpoint import load_discriminator, load_generator
from spacy_selectra.encoder.heads import Discriminator, Generator
from spacy_selectra.encoder.precision import precision
from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.evaluation.metrics import (
    OperatingPoints,
    auc_interval,
    best_f1,
    detection_metrics,
    log_loss,
    precision_at_recall,
    threshold_table,
)
from spacy_selectra.pretraining.evaluation.plots import check_drawing, draw_predictions
from spacy_selectra.pretraining.generator_loss import score_and_sample
from spacy_selectra.pretraining.masking import Masker
from spacy_selectra.pretraining.model import replace
from spacy_selectra.pretraining.run_directory import RECORD_FILE
from spacy_selectra.text.tokenizer import longest_sequence, read_vocabulary
from spacy_selectra.util.progress import Progress

BATCH_SEQUENCES = 16


def evaluate_networks(
    generator: Generator,
    discriminator: Discriminator,
    corpus: PackedCorpus,
    masker: Masker,
    *,
    seed: int = 0,
    sequences: int | None = None,
    max_length: int | None = None,
    mode: str = "auto",
    progress: Callable[[int], None] = lambda sequences: None,
) -> dict[str, float]:
    """Measures of `collect_predictions`, which see for the arguments.

    Returns:
        `accuracy`, `precision`, `recall`, `f1`, `auc`, `average_precision`, `base_rate`,
        `calibration_error`, `brier` and `rtd_loss` (nats a piece) of the discriminator;
        `mlm_accuracy`, `sampled_mlm_accuracy` (of its samples, which count as original then) and
        `mlm_loss` (nats a masked piece) of the generator; counts `pieces`, `masked`, `sequences`.
    """
    return collect_predictions(
        generator,
        discriminator,
        corpus,
        masker,
        seed=seed,
        sequences=sequences,
        max_length=max_length,
        mode=mode,
        progress=progress,
    ).measures()


def collect_predictions(
    generator: Generator,
    discriminator: Discriminator,
    corpus: PackedCorpus,
    masker: Masker,
    *,
    seed: int = 0,
    sequences: int | None = None,
    max_length: int | None = None,
    mode: str = "auto",
    progress: Callable[[int], None] = lambda sequences: None,
) -> Predictions:
    """Mask held-out text, let the generator fill it in and the discriminator judge.

    Dropout is off and masks and samples come from `seed` and the number of sequences alone, so two
    checkpoints are judged on the same masks. All pieces count, [CLS] and [SEP] among them, as in
    the original code.

    Args:
        generator: fills in.
        discriminator: judges.
        corpus: usually the heldout split.
        masker: how to mask.
        seed: of masks and samples.
        sequences: only so many, at even distances over the corpus.
        max_length: cut sequences to this many pieces; to the encoder's positions if None.
        mode: precision, as for `spacy_selectra.encoder.precision`.
        progress: called after each batch with the number of its sequences.
    """
    masker = masker.with_seed(seed)
    device = discriminator.encoder.device
    max_length = max_length or discriminator.config.max_position_embeddings
    was_training = discriminator.training, generator.training
    discriminator.eval()
    generator.eval()
    logits: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    pieces: list[np.ndarray] = []
    lengths: list[int] = []
    mlm_loss, mlm_correct, masked = 0.0, 0, 0
    try:
        with torch.inference_mode(), precision(mode, device):
            for batch in sequence_batches(corpus, BATCH_SEQUENCES, max_length, sequences):
                part = masker(batch.input_ids, batch.lengths, batch.type_ids, batch.first).to(
                    device
                )
                layout = part.layout
                scores = generator(part.masked_ids, layout, part.type_ids, part.positions)
                targets = part.input_ids[part.positions]
                loss, samples = score_and_sample(scores, targets, part.uniforms)
                corrupted, replaced = replace(part.input_ids, part.positions, samples)
                predictions = discriminator(corrupted, layout, part.type_ids)
                logits.append(predictions.float().cpu().numpy())
                labels.append(replaced.cpu().numpy())
                pieces.append(part.input_ids.to(torch.int32).cpu().numpy())
                lengths += part.lengths
                mlm_loss += float(loss)
                mlm_correct += int((scores.argmax(dim=1) == targets).sum())
                masked += len(targets)
                progress(len(part.lengths))
    finally:
        discriminator.train(was_training[0])
        generator.train(was_training[1])
    return Predictions(
        logits=np.concatenate(logits),
        replaced=np.concatenate(labels),
        input_ids=np.concatenate(pieces),
        lengths=np.asarray(lengths),
        masked=masked,
        mlm_correct=mlm_correct,
        mlm_loss=mlm_loss,
    )


def evaluate_discriminator(
    directory: Path,
    data: Path,
    generator_directory: Path | None = None,
    *,
    split: Split = "heldout",
    seed: int = 0,
    sequences: int | None = None,
    mask_share: float = 0.15,
    mode: str = "auto",
    device: str = "cpu",
    bootstrap: int = 0,
    curves: Path | None = None,
    quiet: bool = True,
) -> dict[str, Any]:
    """Measure networks on disk, at every threshold and with and without special tokens.

    Args:
        directory: a pretraining output, or a discriminator's directory with its tokenizer.
        data: packed corpus.
        generator_directory: where the generator is, if not beside the discriminator.
        split: split of the corpus.
        seed: of masks and samples.
        sequences: only so many, at even distances over the corpus.
        mask_share: share of pieces to replace. 0.15 as in ELECTRA small and base (Clark et al.
            2020, table 6), whatever the run was trained with, so that runs can be compared.
        mode: precision.
        device: where to compute.
        bootstrap: draws for a confidence interval of the AUC; 0 for none.
        curves: draw ROC, precision-recall, calibration and scores to this file.
        quiet: no progress on stderr.

    Returns:
        `discriminator`, `data`, `split`, `seed`, `mask_share`; the measures of
        `evaluate_networks`; `without_special`, the discriminator's once more over pieces of text
        alone; `thresholds`, `best_f1`, `precision_at_recall` as in `Predictions.at_thresholds`;
        with `bootstrap` also `auc_interval`, the ends of the 95% interval.

    Raises:
        SelectraError: a directory is missing or not what it should be, the corpus was packed
            with another vocabulary, a setting is out of range, or `curves` cannot be drawn.
    """
    if not 0 < mask_share < 1:
        raise SelectraError(f"mask_share must be between 0 and 1 (found {mask_share})")
    if bootstrap < 0 or (sequences is not None and sequences < 1):
        raise SelectraError("sequences must be at least 1, and bootstrap not negative")
    if curves is not None:
        check_drawing(curves)
    if (directory / "discriminator").is_dir():
        generator_directory = generator_directory or directory / "generator"
        directory = directory / "discriminator"
    elif (directory / RECORD_FILE).is_file():
        raise SelectraError(
            f"{directory}: this run has no discriminator yet; let `selectra pretrain` finish it"
        )
    if generator_directory is None:
        sibling = directory.parent / "generator"
        if not sibling.is_dir():
            raise SelectraError(
                f"{directory}: no generator beside it to replace words with; give --generator"
            )
        generator_directory = sibling
    discriminator = load_discriminator(directory).to(device)
    generator = load_generator(generator_directory).to(device)
    if generator.config.vocab_size != discriminator.config.vocab_size:
        raise SelectraError(
            f"{generator_directory}: vocabulary of {generator.config.vocab_size} entries, "
            f"the discriminator's has {discriminator.config.vocab_size}"
        )
    corpus = PackedCorpus(data, split, tokenizer=directory)
    vocabulary = read_vocabulary(directory)
    masker = Masker(
        discriminator.config.vocab_size,
        vocabulary.special_ids,
        vocabulary.mask_id,
        share=mask_share,
        longest=corpus.manifest.sequence_length,
    )
    total = min(sequences or corpus.n_sequences, corpus.n_sequences)
    with Progress("evaluating", total, "sequences", quiet=quiet) as progress:
        predictions = collect_predictions(
            generator,
            discriminator,
            corpus,
            masker,
            seed=seed,
            sequences=sequences,
            max_length=longest_sequence(directory, discriminator.config.max_position_embeddings),
            mode=mode,
            progress=progress.update,
        )
    result = {
        "discriminator": str(directory),
        "data": str(data),
        "split": split,
        "seed": seed,
        "mask_share": mask_share,
        **predictions.measures(),
        "without_special": predictions.without(vocabulary.special_ids),
        **predictions.at_thresholds(),
    }
    if bootstrap:
        result["auc_interval"] = list(predictions.auc_interval(bootstrap, seed))
    if curves is not None:
        draw_predictions(predictions.replaced, predictions.logits, curves)
    return result


# What two networks said of a held-out text, and all that is measured on it.


@dataclass(frozen=True)
class Predictions:
    """What the discriminator thinks of N pieces of B sequences, and how the generator did.

    Attributes:
        logits: (N,) float32, of "replaced".
        replaced: (N,) bool.
        input_ids: (N,) int32, the pieces before any was replaced.
        lengths: (B,) int64, pieces of each sequence.
        masked: pieces the generator had to predict.
        mlm_correct: of these, how many its best guess hits.
        mlm_loss: its cross-entropy over them, in nats, summed.
    """

    logits: np.ndarray
    replaced: np.ndarray
    input_ids: np.ndarray
    lengths: np.ndarray
    masked: int
    mlm_correct: int
    mlm_loss: float

    def measures(self) -> dict[str, float]:
        """See `evaluate_networks`."""
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
        """The discriminator's measures over pieces that are none of `ids`."""
        kept = ~np.isin(self.input_ids, ids)
        return detection_metrics(self.replaced[kept], self.logits[kept])

    def at_thresholds(self) -> dict[str, Any]:
        """`thresholds`, `best_f1`, `precision_at_recall`: where to set a detector's threshold."""
        points = OperatingPoints.of(self.replaced, self.logits)
        return {
            "thresholds": threshold_table(self.replaced, self.logits),
            "best_f1": best_f1(points),
            "precision_at_recall": precision_at_recall(points),
        }

    def auc_interval(self, replicates: int, seed: int) -> tuple[float, float]:
        """See `metrics.auc_interval`."""
        return auc_interval(self.replaced, self.logits, self.lengths, replicates, seed)
