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
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from processor import conclude

from spacy_selectra.corpus.packed.format import PackedCorpus
from spacy_selectra.encoder.checkpoint import load_discriminator
from spacy_selectra.encoder.heads import Discriminator
from spacy_selectra.pretraining.config import read_settings
from spacy_selectra.pretraining.evaluation.evaluate import (
    EvaluationSettings,
    evaluate_discriminator,
)
from spacy_selectra.pretraining.pretrain import pretrain
from spacy_selectra.text.tokenizer import read_vocabulary

CONFIG = Path(__file__).parents[1] / "configs" / "pretrain_sample.cfg"
ADAM = {"optimizer.method": "adam", "optimizer.learning_rate": 7e-4}
COLD = {"encoder.init_embeddings": "random"}
PLAIN = {"objective.corrective_lm_weight": 0.0}
VARIANTS: dict[str, dict[str, Any]] = {
    "ELECTRA (Adam)": {**ADAM, **COLD, **PLAIN},
    "Adam, warm start": {**ADAM, **PLAIN},
    "Muon": {**COLD, **PLAIN},
    "Muon, warm start": PLAIN,
    "Muon, warm start, correction": {},
}


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
    heldout = PackedCorpus(arguments.corpus, "heldout", read_vocabulary(arguments.tokenizer))
    common = {
        "paths.corpus": str(arguments.corpus),
        "paths.tokenizer": str(arguments.tokenizer),
        "training.max_steps": arguments.steps,
        "training.max_seconds": None,
        "training.log_every": arguments.steps,
        "training.device": "cpu",
    }
    warmup = read_settings(arguments.config, common).schedule.warmup_steps
    common["schedule.warmup_steps"] = min(warmup, arguments.steps // 4)
    print("| variant | pieces | pieces/s | generator loss | AUC | effective rank |")
    print("|---|---|---|---|---|---|")
    rows = {}
    measured = EvaluationSettings(sequences=256)
    for name, changes in VARIANTS.items():
        with tempfile.TemporaryDirectory(prefix="short-pretraining-") as scratch:
            output = Path(scratch) / "run"
            pretrain(read_settings(arguments.config, {**common, **changes}), output, quiet=True)
            found = evaluate_discriminator(output, arguments.corpus, settings=measured)
            rank = effective_rank(load_discriminator(output / "discriminator"), heldout)
            trained = json.loads((output / "log.jsonl").read_text(encoding="utf-8"))
        print(
            f"| {name} | {trained['tokens_seen']:,} | {trained['tokens_per_second']:,.0f} "
            f"| {found['mlm_loss']:.2f} | {found['auc']:.3f} | {rank:.1f} |",
            flush=True,
        )
        rows[name] = {**trained, **found, "effective_rank": rank}
    conclude({"steps": arguments.steps, "variants": rows})


if __name__ == "__main__":
    main()
