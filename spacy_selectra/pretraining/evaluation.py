"""How well the two networks do on text they have not seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from spacy_selectra.corpus.loader import PackedCorpus, sequence_batches
from spacy_selectra.corpus.manifest import Split
from spacy_selectra.encoder.checkpoint import load_discriminator, load_generator
from spacy_selectra.encoder.models import Discriminator, Generator
from spacy_selectra.encoder.packing import PackedLayout
from spacy_selectra.encoder.precision import precision
from spacy_selectra.errors import SelectraError
from spacy_selectra.pretraining.masking import Masker
from spacy_selectra.pretraining.metrics import detection_metrics
from spacy_selectra.pretraining.objective import generator_loss, replace
from spacy_selectra.pretraining.record import RECORD_FILE
from spacy_selectra.pretraining.vocabulary import read_vocabulary

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
) -> dict[str, float]:
    """Mask held-out text, let the generator fill it in and the discriminator judge.

    Dropout is off and masks and samples come from `seed` alone, so two checkpoints are judged on
    the same masks. All pieces count, [CLS] and [SEP] among them, as in the original code.

    Args:
        generator: fills in.
        discriminator: judges.
        corpus: usually the heldout split.
        masker: how to mask.
        seed: of masks and samples.
        sequences: stop after so many, rounded up to whole batches.
        max_length: cut sequences to this many pieces; to the encoder's positions if None.
        mode: precision, as for `spacy_selectra.encoder.precision`.

    Returns:
        `accuracy`, `precision`, `recall`, `f1`, `auc`, `base_rate`, `calibration_error` of the
        discriminator; `mlm_accuracy` and `mlm_loss` (nats a masked piece) of the generator;
        counts `pieces`, `masked`, `sequences`.
    """
    rng = torch.Generator().manual_seed(seed)
    device = discriminator.encoder.device
    max_length = max_length or discriminator.config.max_position_embeddings
    was_training = discriminator.training, generator.training
    discriminator.eval()
    generator.eval()
    logits: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    mlm_loss, mlm_correct, masked, count = 0.0, 0, 0, 0
    try:
        with torch.inference_mode(), precision(mode, device):
            for batch in sequence_batches(corpus, BATCH_SEQUENCES, max_length):
                if sequences is not None and count >= sequences:
                    break
                part = masker(batch.input_ids, batch.lengths, batch.type_ids, rng).to(device)
                layout = PackedLayout.from_lengths(part.lengths, device=device)
                scores = generator(part.masked_ids, layout, part.type_ids, part.positions)
                targets = part.input_ids[part.positions]
                loss, samples = generator_loss(scores, targets, part.uniforms)
                corrupted, replaced = replace(part.input_ids, part.positions, samples)
                verdicts = discriminator(corrupted, layout, part.type_ids)
                logits.append(verdicts.float().cpu().numpy())
                labels.append(replaced.cpu().numpy())
                mlm_loss += float(loss)
                mlm_correct += int((scores.argmax(dim=1) == targets).sum())
                masked += len(targets)
                count += len(part.lengths)
    finally:
        discriminator.train(was_training[0])
        generator.train(was_training[1])
    result = detection_metrics(np.concatenate(labels), np.concatenate(logits))
    result["mlm_accuracy"] = mlm_correct / max(1, masked)
    result["mlm_loss"] = mlm_loss / max(1, masked)
    pieces = sum(len(part) for part in labels)
    return result | {"pieces": pieces, "masked": masked, "sequences": count}


def evaluate_discriminator(
    directory: Path,
    data: Path,
    generator_directory: Path | None = None,
    *,
    split: Split = "heldout",
    seed: int = 0,
    sequences: int | None = None,
    mode: str = "auto",
    device: str = "cpu",
) -> dict[str, Any]:
    """`evaluate_networks` for networks on disk.

    Args:
        directory: a pretraining output, or a discriminator's directory with its tokenizer.
        data: packed corpus.
        generator_directory: where the generator is, if not beside the discriminator.
        split: split of the corpus.
        seed: of masks and samples.
        sequences: stop after so many, rounded up to whole batches.
        mode: precision.
        device: where to compute.

    Raises:
        SelectraError: a directory is missing or not what it should be, or the corpus was
            packed with another vocabulary.
    """
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
    masker = Masker(discriminator.config.vocab_size, vocabulary.special_ids, vocabulary.mask_id)
    result = evaluate_networks(
        generator,
        discriminator,
        corpus,
        masker,
        seed=seed,
        sequences=sequences,
        mode=mode,
    )
    return {"discriminator": str(directory), "data": str(data), "split": split, **result}
