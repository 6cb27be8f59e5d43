"""spaCy's transition-based `ner` against `selectra_ner` over the same encoder.

    python benchmarks/ner_heads.py ENCODER TRAIN.conll DEV.conll --steps 1000

Both are trained by `spacy train`'s own loop with the settings of configs/ner.cfg, on the same
batches, for the same number of steps. Prints a Markdown table and finally one JSON line; README.md
describes the columns.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import spacy
import torch
from processor import conclude
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import load_config

RECIPE = Path(__file__).parents[1] / "configs" / "ner.cfg"
HEADS = {"transition-based": "ner", "word by word": "selectra_ner"}


def configuration(factory: str, arguments: argparse.Namespace) -> Any:
    """configs/ner.cfg with another head, and without looking for the best step."""
    config = load_config(
        RECIPE,
        {
            "paths.encoder": str(arguments.encoder),
            "paths.train": str(arguments.train),
            "paths.dev": str(arguments.dev),
            "training.max_steps": arguments.steps,
            "training.optimizer.learn_rate.total_steps": arguments.steps,
            "training.optimizer.head_learn_rate.total_steps": arguments.steps,
            "training.patience": 0,
            "training.eval_frequency": max(1, arguments.steps // 4),
            "system.gpu_allocator": None,
            "system.seed": arguments.seed,
        },
    )
    if factory != "ner":
        listener = config["components"]["ner"]["model"]["tok2vec"]
        config["components"]["ner"] = {
            "factory": factory,
            "model": {"@architectures": "spacy-selectra.EntityTagger.v1", "tok2vec": listener},
        }
    return config


def trained(factory: str, arguments: argparse.Namespace) -> tuple[Language, float]:
    """The pipeline with the best score on the dev file, and seconds of training."""
    nlp = init_nlp(configuration(factory, arguments).interpolate())
    with tempfile.TemporaryDirectory() as directory:
        begin = time.perf_counter()
        train(nlp, Path(directory))
        seconds = time.perf_counter() - begin
        return spacy.load(Path(directory) / "model-best"), seconds


def head_seconds(nlp: Language, docs: list[Doc]) -> float:
    """Seconds the head alone takes for documents that the transformer has been over."""
    component: Any = nlp.pipeline[-1][1]
    times = []
    for _ in range(5):
        for doc in docs:
            doc.set_ents([], default="missing")
        begin = time.perf_counter()
        for _ in component.pipe(iter(docs), batch_size=128):
            pass
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def main() -> None:
    """Train, measure, report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("encoder", type=Path, help="directory of a pretrained encoder")
    parser.add_argument("train", type=Path, help="CoNLL-2002 format")
    parser.add_argument("dev", type=Path)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="instead of torch's choice")
    arguments = parser.parse_args()
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    rows: dict[str, dict[str, float]] = {}
    for name, factory in HEADS.items():
        nlp, seconds = trained(factory, arguments)
        examples = list(nlp_examples(nlp, arguments.dev))
        scores = nlp.evaluate(examples)
        docs = [
            nlp.get_pipe("transformer")(doc) for doc in (eg.reference.copy() for eg in examples)
        ]
        words = sum(len(doc) for doc in docs)
        rows[name] = {
            "f1": float(scores["ents_f"]),
            "precision": float(scores["ents_p"]),
            "recall": float(scores["ents_r"]),
            "training_seconds": seconds,
            "head_words_per_second": words / head_seconds(nlp, docs),
            "words_per_second": float(scores["speed"]),
        }
    print("| head | F1 | precision | recall | training s | words/s of the head | words/s in all |")
    print("|---|---|---|---|---|---|---|")
    for name, row in rows.items():
        print(
            f"| {name} | {row['f1']:.3f} | {row['precision']:.3f} | {row['recall']:.3f} "
            f"| {row['training_seconds']:.0f} | {row['head_words_per_second']:,.0f} "
            f"| {row['words_per_second']:,.0f} |"
        )
    conclude({"steps": arguments.steps, "seed": arguments.seed, "heads": rows})


def nlp_examples(nlp: Language, path: Path) -> Any:
    """Examples of a file, a sentence each."""
    reader = spacy.registry.readers.get("spacy-selectra.Conll.v1")
    return reader(path=str(path), sentences_per_doc=1, limit=0)(nlp)


if __name__ == "__main__":
    main()
