"""The effect of the repair of under-trained accents, on an example with known truth.

    python benchmarks/accent_repair.py

Two pairs of small networks are trained for the same number of steps on the embedded sample: one
with accents, and one with accents stripped from the text but kept in the vocabulary. Then the
under-trained entries of the second are detected, repaired, and their rows trained. Every pair is
evaluated on the same held-out text with accents: the generator by its loss in nats per masked
piece, the discriminator by ROC AUC on the replacements of the first pair's generator, since AUCs
with different generators are not comparable.

To make minutes of training sufficient, embeddings of entries in the text are initialised from
co-occurrence, and attention with neighbouring positions; other entries are random, as usual.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from processor import conclude

from spacy_selectra.corpus.documents import read_documents
from spacy_selectra.corpus.packed.builder import PackSettings, pack_corpus
from spacy_selectra.corpus.packed.format import PackedCorpus
from spacy_selectra.corpus.vocabulary import VocabularySettings, train_vocabulary
from spacy_selectra.encoder.checkpoint import save_model
from spacy_selectra.encoder.config import generator_config, preset
from spacy_selectra.encoder.heads import Discriminator, Generator
from spacy_selectra.pretraining.config import PretrainingSettings
from spacy_selectra.pretraining.evaluation.evaluate import (
    EvaluationSettings,
    evaluate_discriminator,
)
from spacy_selectra.pretraining.initialization.accent_repair import (
    REPAIR_FILE,
    repair_checkpoint,
)
from spacy_selectra.pretraining.initialization.cooccurrence import init_from_cooccurrence
from spacy_selectra.pretraining.model import PretrainingModel
from spacy_selectra.pretraining.pretrain import pretrain
from spacy_selectra.text.normalization import strip_accents
from spacy_selectra.text.tokenizer import read_vocabulary, save_tokenizer

TEXT = Path(__file__).parents[1] / "assets" / "sample" / "text"
LENGTH = 32
SIZES = {
    "embedding_size": 64,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 128,
}


def prepare(root: Path, vocabulary: int, documents: int | None) -> tuple[Path, Path, Path]:
    """A tokenizer that keeps accents, and the text packed with it as it is and stripped."""
    for name in ("train", "heldout"):
        text = (TEXT / f"{name}.txt").read_text(encoding="utf-8")
        text = "\n\n".join(text.split("\n\n")[:documents])
        (root / f"{name}.txt").write_text(text, encoding="utf-8")
        (root / f"{name}-stripped.txt").write_text(strip_accents(text), encoding="utf-8")
    settings = VocabularySettings(size=vocabulary, heldout=0.0)
    trained = train_vocabulary(lambda: read_documents([str(root / "train.txt")]), settings)
    save_tokenizer(trained.tokenizer, root / "tokenizer", LENGTH)
    packed = []
    for kind in ("", "-stripped"):
        output = root / f"packed{kind}"
        pack_corpus(
            root / f"train{kind}.txt",
            output,
            root / "tokenizer",
            PackSettings(length=LENGTH, heldout=0.0),
            [root / f"heldout{kind}.txt"],
        )
        packed.append(output)
    return root / "tokenizer", packed[0], packed[1]


def occurring(corpus: Path, tokenizer: Path) -> np.ndarray:
    """(V,) bool: entries that occur in the training text."""
    vocabulary = read_vocabulary(tokenizer)
    packed = PackedCorpus(corpus, "train", vocabulary)
    ids = np.asarray(packed.batch(np.arange(packed.n_sequences)).input_ids)
    return np.bincount(ids, minlength=vocabulary.size) > 0


def start(corpus: Path, tokenizer: Path, output: Path) -> Path:
    """Networks with embeddings from co-occurrence for entries in the text, others random."""
    vocabulary = read_vocabulary(tokenizer)
    torch.manual_seed(0)
    config = replace(
        preset("tiny", vocabulary.size),
        initializer_range=0.05,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        max_position_embeddings=LENGTH,
        **SIZES,
    )
    discriminator, generator = Discriminator(config), Generator(generator_config(config, 1.0))
    model = PretrainingModel(generator, discriminator)
    weight = discriminator.encoder.embeddings.word_embeddings.weight
    random_rows = weight.detach().clone()
    init_from_cooccurrence(model, PackedCorpus(corpus, "train", vocabulary), vocabulary)
    unseen = torch.from_numpy(~occurring(corpus, tokenizer))
    with torch.no_grad():
        weight[unseen] = random_rows[unseen]
    save_model(discriminator, output / "discriminator", tokenizer)
    save_model(generator, output / "generator", tokenizer)
    return output


def train(
    init_from: Path, corpus: Path, tokenizer: Path, output: Path, steps: int, **rows: Any
) -> Path:
    """Short pretraining with ELECTRA's recipe, with `train_rows` only of those rows."""
    settings = PretrainingSettings.model_validate(
        {
            "paths": {"corpus": corpus, "tokenizer": tokenizer},
            "encoder": {"init_from": str(init_from), **rows},
            "objective": {"mask_prob": 0.25, "rtd_weight": 10.0},
            "optimizer": {
                # rows alone, most of them rare, bear larger steps
                "learning_rate": 1e-2 if rows else 3e-3,
                "beta2": 0.98,
                "bias_correction": True,
            },
            "schedule": {"warmup_steps": min(30, steps // 2)},
            "training": {
                "max_steps": steps,
                "batch_size": 16,
                "device": "cpu",
                "threads": 1,
                "log_every": steps,
                "checkpoint_every": steps,
            },
        }
    )
    pretrain(settings, output, quiet=True)
    return output


def measure(pair: Path, corpus: Path, judge: Path, sequences: int | None) -> dict[str, float]:
    settings = EvaluationSettings(sequences=sequences)
    own = evaluate_discriminator(pair, corpus, settings=settings)
    common = evaluate_discriminator(pair / "discriminator", corpus, judge / "generator", settings)
    return {"mlm_loss": own["mlm_loss"], "mlm_accuracy": own["mlm_accuracy"], "auc": common["auc"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--steps", type=int, default=600, help="of pretraining")
    parser.add_argument("--row-steps", type=int, default=400, help="of training the rows")
    parser.add_argument("--vocabulary", type=int, default=3000, help="entries")
    parser.add_argument("--documents", type=int, help="use so many texts only")
    parser.add_argument("--sequences", type=int, help="measure on so many sequences only")
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="accent-repair-") as scratch:
        root = Path(scratch)
        tokenizer, accented, stripped = prepare(root, arguments.vocabulary, arguments.documents)
        pairs: dict[str, Path] = {}
        for name, corpus in (("without the mistake", accented), ("with the mistake", stripped)):
            place = root / name.replace(" ", "-")
            begin = start(corpus, tokenizer, place / "start")
            pairs[name] = train(begin, corpus, tokenizer, place / "run", arguments.steps)
        good, bad = pairs.values()
        found = repair_checkpoint(bad, root / "repaired")
        rows = root / "repaired" / REPAIR_FILE
        if found.written:
            pairs["repaired"] = root / "repaired"
            for name, begin in (
                ("repaired, rows trained", root / "repaired"),
                ("only rows trained", bad),
            ):
                place = root / name.replace(" ", "-")
                steps = arguments.row_steps
                pairs[name] = train(begin, accented, tokenizer, place, steps, train_rows=rows)
        results = {
            name: measure(pair, accented, good, arguments.sequences) for name, pair in pairs.items()
        }
        results["with the mistake, text without accents"] = measure(
            bad, stripped, good, arguments.sequences
        )
        unseen = ~occurring(stripped, tokenizer)
        unseen[list(read_vocabulary(tokenizer).special_ids)] = False
        chosen = np.zeros_like(unseen)
        chosen[[entry.id for entry in found.entries]] = True
        both = int((unseen & chosen).sum())
        detection = {
            "entries": found.statistics.entries,
            "untrained": int(unseen.sum()),
            "found": int(chosen.sum()),
            "precision": both / max(1, int(chosen.sum())),
            "recall": both / max(1, int(unseen.sum())),
        }
        clean = repair_checkpoint(good, None)
    print("| pair | generator loss | masked pieces right | AUC |")
    print("|---|---|---|---|")
    for name, values in results.items():
        print(
            f"| {name} | {values['mlm_loss']:.2f} | {values['mlm_accuracy']:.3f} "
            f"| {values['auc']:.3f} |"
        )
    print(
        f"\n{detection['untrained']} of {detection['entries']} entries never occurred; "
        f"{detection['found']} found, precision {detection['precision']:.3f}, recall "
        f"{detection['recall']:.3f}. Found in the pair without the mistake: {len(clean.entries)}."
    )
    summary = {
        "detection": detection,
        "found_without_the_mistake": len(clean.entries),
        "methods": found.methods(),
        "pairs": results,
        "seconds": round(time.monotonic() - began, 1),
    }
    conclude(summary)


if __name__ == "__main__":
    main()
