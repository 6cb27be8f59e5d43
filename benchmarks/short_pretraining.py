"""What each part of the recipe for short runs is worth: same text, same number of steps.

    python benchmarks/short_pretraining.py corpus/tiny training/tiny/tokenizer --steps 400

Prints one row a variant: pieces seen, loss of the generator in nats a masked piece, area under the
ROC curve of the discriminator on held-out text, and the effective rank of its last hidden states
(exponential of the entropy of their spectrum), which says how much of the text is left there for
fine-tuning. AUCs of generators of different strength do not compare: the better one is harder to
see through.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spacy_selectra.corpus.loader import BatchLoader, PackedCorpus
from spacy_selectra.encoder.models import Discriminator
from spacy_selectra.encoder.precision import precision
from spacy_selectra.pretraining.build import build_model
from spacy_selectra.pretraining.evaluation import evaluate_networks
from spacy_selectra.pretraining.masking import Masker
from spacy_selectra.pretraining.model import PretrainingModel
from spacy_selectra.pretraining.optimizer import build_optimizer
from spacy_selectra.pretraining.schedule import Schedule
from spacy_selectra.pretraining.settings import PretrainingSettings, read_settings
from spacy_selectra.pretraining.vocabulary import Vocabulary, read_vocabulary
from spacy_selectra.pretraining.warm_start import warm_start

CONFIG = Path(__file__).parents[1] / "configs" / "pretrain_sample.cfg"
ADAM = {"optimizer.method": "adam", "optimizer.learning_rate": 7e-4}
COLD = {"encoder.warm_start": False}
PLAIN = {"objective.correction_weight": 0.0}
VARIANTS: dict[str, dict[str, Any]] = {
    "ELECTRA (Adam)": {**ADAM, **COLD, **PLAIN},
    "Adam, warm start": {**ADAM, **PLAIN},
    "Muon": {**COLD, **PLAIN},
    "Muon, warm start": PLAIN,
    "Muon, warm start, correction": {},
}


def train(
    settings: PretrainingSettings, corpus: PackedCorpus, vocabulary: Vocabulary, steps: int
) -> tuple[PretrainingModel, int]:
    """Both networks after `steps` steps, and the pieces they saw."""
    torch.manual_seed(settings.training.seed)
    model = build_model(settings, vocabulary.size, vocabulary.pad_id)
    if settings.encoder.warm_start:
        warm_start(model, corpus, vocabulary)
    parameters = model.parameters_by_name()
    optimizer = build_optimizer(parameters, settings.optimizer)
    schedule = Schedule(
        peak=settings.optimizer.learning_rate,
        max_steps=steps,
        warmup_steps=min(settings.schedule.warmup_steps, steps // 4),
    )
    training, objective = settings.training, settings.objective
    masker = Masker(
        vocabulary.size,
        vocabulary.special_ids,
        vocabulary.mask_id,
        objective.mask_share,
        objective.mask_token_share,
    )
    loader = BatchLoader(corpus, training.batch_size, seed=0, max_length=training.max_length)
    rng = torch.Generator().manual_seed(0)
    seen = 0
    for step in range(steps):
        batch = next(loader)
        part = masker(batch.input_ids, batch.lengths, batch.type_ids, rng)
        with precision(training.precision):
            model(part).total.backward()
        torch.nn.utils.clip_grad_norm_(parameters.values(), settings.optimizer.max_gradient_norm)
        optimizer.set_learning_rate(schedule.learning_rate(step))
        optimizer.step()
        optimizer.zero_grad()
        seen += len(batch.input_ids)
    return model, seen


def effective_rank(discriminator: Discriminator, corpus: PackedCorpus) -> float:
    """Of the last hidden states over some sequences (Roy and Vetterli 2007)."""
    batch = corpus.batch(np.arange(min(40, corpus.n_sequences)))
    discriminator.eval()
    with torch.no_grad():
        ids = torch.as_tensor(batch.input_ids, dtype=torch.long)
        hidden = discriminator.encoder(ids, torch.as_tensor(batch.lengths))
    singular = torch.linalg.svdvals(hidden - hidden.mean(dim=0)).square()
    share = singular / singular.sum()
    return float(torch.exp(-torch.special.xlogy(share, share).sum()))


def main() -> None:
    """Train and measure every variant."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("corpus", type=Path, help="packed corpus with a held-out split")
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--steps", type=int, default=400)
    arguments = parser.parse_args()
    vocabulary = read_vocabulary(arguments.tokenizer)
    train_split = PackedCorpus(arguments.corpus, "train", tokenizer=arguments.tokenizer)
    heldout = PackedCorpus(arguments.corpus, "heldout", tokenizer=arguments.tokenizer)
    masker = Masker(vocabulary.size, vocabulary.special_ids, vocabulary.mask_id)
    places = {"paths.corpus": str(arguments.corpus), "paths.tokenizer": str(arguments.tokenizer)}
    print("| variant | pieces | pieces/s | generator loss | AUC | effective rank |")
    print("|---|---|---|---|---|---|")
    for name, changes in VARIANTS.items():
        settings = read_settings(arguments.config, {**places, **changes})
        start = time.perf_counter()
        model, seen = train(settings, train_split, vocabulary, arguments.steps)
        speed = seen / (time.perf_counter() - start)
        found = evaluate_networks(
            model.generator, model.discriminator, heldout, masker, sequences=256
        )
        rank = effective_rank(model.discriminator, heldout)
        print(
            f"| {name} | {seen:,} | {speed:,.0f} | {found['mlm_loss']:.2f} | {found['auc']:.3f} "
            f"| {rank:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
