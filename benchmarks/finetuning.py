"""Speed of fine-tuning, ours against transformers' Trainer on the same batches.

    python benchmarks/finetuning.py --task nli --preset small --threads 2
    python benchmarks/finetuning.py --task ner --encoder DIRECTORY --train TRAIN.conll \
        --dev DEV.conll --epochs 3

Each contender is a separate process that is kept alive. They run one step in turn, from the same
initial weights, including the head.

Prints a Markdown table and finally one JSON line; README.md describes the columns. The Trainer
needs the package accelerate.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from finetuning_model import Prepared, write_model
from processor import conclude
from sample import SAMPLE
from turns import ContenderError, Process, take_turns

from spacy_selectra.encoder.config import PRESETS
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.tasks.registry import task_spec

BASE = "Trainer"
MIB = 1 << 20
SCRIPT = Path(__file__).with_name("finetuning_process.py")
SAMPLES = {
    "nli": ("entailment", "jsonl"),
    "paraphrase": ("paraphrase", "jsonl"),
    "topics": ("topics", "jsonl"),
    "ner": ("ner", "conll"),
}


@dataclass(frozen=True)
class Spec:
    """Whose loop; how products are computed ("fast" is the Trainer's "medium"); whether batches
    are made of similar lengths; whether the process keeps the memory of freed tensors."""

    kind: str
    arithmetic: str
    group: bool = False
    keep_memory: bool = False


CONTENDERS = {
    BASE: Spec("Trainer", "fp32"),
    "Trainer grouped": Spec("Trainer", "fp32", group=True),
    "Trainer medium": Spec("Trainer", "fast"),
    "Trainer medium grouped": Spec("Trainer", "fast", group=True),
    "Trainer bf16": Spec("Trainer", "bf16"),
    "Trainer bf16 grouped": Spec("Trainer", "bf16", group=True),
    "Trainer bf16 kept memory": Spec("Trainer", "bf16", keep_memory=True),
    "ours fp32": Spec("ours", "fp32"),
    "ours fast": Spec("ours", "fast"),
    "ours bf16": Spec("ours", "bf16"),
    "ours bf16 kept memory": Spec("ours", "bf16", keep_memory=True),
}


def measure(
    names: list[str], task: dict[str, Any], prepared: Prepared, warm_up: int
) -> dict[str, dict[str, Any]]:
    """Let all of them train in turn; the row of each.

    Raises:
        ContenderError: a contender failed.
    """
    directory = Path(task["model"])
    files = {name: str(directory / f"{number}.npy") for number, name in enumerate(names)}
    with ExitStack() as stack:
        running = [
            stack.enter_context(
                Process(name, SCRIPT, {**task, **asdict(CONTENDERS[name]), "logits": files[name]})
            )
            for name in names
        ]
        found = {each.name: each.answer() for each in running}
        steps: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for number, each in take_turns(running, task["steps"], "training", "steps"):
            steps[each.name].append(each.ask("step", number))
        for each in running:
            each.ask("logits")
            found[each.name].update(summary(steps[each.name], warm_up))
    logits = {name: np.load(path) for name, path in files.items()}
    for name, row in found.items():
        row["scores"] = prepared.scores(logits[name])
        row["difference"] = None
        if BASE in found:
            row["difference"] = float(np.abs(logits[name] - logits[BASE]).max())
    _compare(found)
    return found


def summary(steps: list[dict[str, Any]], warm_up: int) -> dict[str, Any]:
    """Rates over the steps that count."""
    counted = steps[warm_up:]
    rates = [step["pieces"] / step["seconds"] for step in counted]
    return {
        "seconds": sum(step["seconds"] for step in counted),
        "pieces": sum(step["pieces"] for step in counted),
        "pieces_per_second": statistics.median(rates),
        "slowest": min(rates),
        "fastest": max(rates),
        "step_ms": statistics.median(step["seconds"] for step in counted) * 1e3,
        "peak_memory_mib": max(step["memory"] for step in steps) / MIB,
    }


def _compare(rows: dict[str, dict[str, Any]]) -> None:
    """Ratios to `BASE`, and to the fastest Trainer of the same arithmetic."""
    rates = {name: row["pieces_per_second"] for name, row in rows.items()}
    for name, row in rows.items():
        spec = CONTENDERS[name]
        peers = [
            rate
            for other, rate in rates.items()
            if CONTENDERS[other].kind == "Trainer"
            and CONTENDERS[other].arithmetic == spec.arithmetic
        ]
        row["ratio"] = rates[name] / rates[BASE] if BASE in rates else None
        row["ratio_to_peer"] = rates[name] / max(peers) if peers else None


def table(rows: dict[str, dict[str, Any]], metric: str, length: float, same: bool) -> str:
    """The rows in Markdown.

    Args:
        rows: by contender.
        metric: the score shown.
        length: mean pieces of an example.
        same: whether logits can be compared.
    """
    head = ["contender", "examples/s", "min..max", "ratio", "to peer", "ms/step", "peak MiB"]
    head += [metric, *(["difference"] if same else [])]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, row in rows.items():
        ratios = (row["ratio"], row["ratio_to_peer"])
        slowest, median, fastest = (
            row[key] / length for key in ("slowest", "pieces_per_second", "fastest")
        )
        cells = [
            name,
            f"{median:,.1f}",
            f"{slowest:,.0f}..{fastest:,.0f}",
            *("" if ratio is None else f"{ratio:.2f}" for ratio in ratios),
            f"{row['step_ms']:,.0f}",
            f"{row['peak_memory_mib']:,.0f}",
            f"{row['scores'][metric] * 100:.1f}",
        ]
        if same:
            cells.append("" if row["difference"] is None else f"{row['difference']:.1e}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _arguments() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", choices=list(CONTENDERS), metavar="CONTENDER")
    parser.add_argument("--task", default="nli", help="any whose examples are not questions")
    parser.add_argument("--train", type=Path, help="instead of the embedded sample")
    parser.add_argument("--dev", type=Path, help="instead of the embedded sample")
    parser.add_argument("--preset", choices=list(PRESETS), default="small")
    parser.add_argument("--encoder", type=Path, help="model directory instead of random weights")
    parser.add_argument("--vocabulary", type=int, default=8000, help="entries, without --encoder")
    parser.add_argument("--steps", type=int, help="of each; 30 if there are no --epochs")
    parser.add_argument("--epochs", type=int, help="instead of --steps")
    parser.add_argument("--warm-up", type=int, default=3, help="steps whose time does not count")
    parser.add_argument("--batch", type=int, default=32, help="sequences")
    parser.add_argument("--length", type=int, default=128, help="most pieces of a sequence")
    parser.add_argument("--rate", type=float, default=1e-4, help="highest learning rate")
    parser.add_argument("--rate-warm-up", type=float, default=0.1, help="share of all steps")
    parser.add_argument("--layer-decay", type=float, default=1.0, help="of ours")
    parser.add_argument("--weight-decay", type=float, default=0.01)
    parser.add_argument("--dropout", type=float, help="instead of the encoder's own")
    parser.add_argument("--workers", type=int, default=0, help="that make the Trainer's batches")
    parser.add_argument("--threads", type=int, help="instead of torch's choice")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    _complete(parser, arguments)
    return parser, arguments


def _complete(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Fill in what depends on other arguments, refuse what cannot be."""
    arguments.only = arguments.only or list(CONTENDERS)
    theirs = any(CONTENDERS[name].kind == "Trainer" for name in arguments.only)
    if theirs and find_spec("accelerate") is None:
        parser.error(
            "transformers' Trainer needs accelerate, which is not installed: "
            "python -m pip install accelerate, or choose ours alone with --only"
        )
    if arguments.steps is not None and arguments.epochs is not None:
        parser.error("choose either --steps or --epochs")
    for name in ("train", "dev"):
        if getattr(arguments, name) is None:
            if arguments.task not in SAMPLES:
                parser.error(f"the sample has nothing for '{arguments.task}': name --train, --dev")
            folder, suffix = SAMPLES[arguments.task]
            setattr(arguments, name, SAMPLE / folder / f"{name}.{suffix}")
    try:
        if task_spec(arguments.task).head == "spans":
            parser.error(f"no fine-tuning for '{arguments.task}' here: its examples are questions")
    except SelectraError as error:
        parser.error(str(error))


def main() -> None:
    """Measure and report."""
    parser, arguments = _arguments()
    with tempfile.TemporaryDirectory() as temporary:
        encoder, model = arguments.encoder, Path(temporary) / "model"
        if encoder is None:
            from spacy_models import write_encoder  # and spaCy, which nothing else needs

            encoder = Path(temporary) / "encoder"
            write_encoder(encoder, arguments.preset, arguments.vocabulary, arguments.seed)
        try:
            prepared = write_model(model, encoder, arguments)
        except SelectraError as error:
            parser.error(str(error))
        metric = prepared.task.spec.metric
        epochs = arguments.epochs
        steps = arguments.steps or (epochs * prepared.batches if epochs else 30)
        if not 0 <= arguments.warm_up < steps:
            parser.error(f"--warm-up must be at least 0 and less than the {steps} steps")
        names = ("rate", "batch", "layer_decay", "weight_decay", "workers", "threads", "seed")
        task: dict[str, Any] = {name: getattr(arguments, name) for name in names}
        task |= {
            "task": arguments.task,
            "model": str(model),
            "train": str(arguments.train),
            "dev": str(arguments.dev),
            "length": prepared.task.max_length,
            "warmup": arguments.rate_warm_up,
            "steps": steps,
            "epochs": -(-steps // prepared.batches),
        }
        try:
            rows = measure(arguments.only, task, prepared, arguments.warm_up)
        except ContenderError as error:
            parser.exit(1, f"{error}\n")
    print(table(rows, metric, prepared.mean, arguments.dropout == 0))
    packages = ["torch", "transformers"]
    packages += ["accelerate"] if find_spec("accelerate") else []
    record = {
        **task,
        "encoder": str(arguments.encoder or arguments.preset),
        "dropout": arguments.dropout,
        "warm_up": arguments.warm_up,
        "metric": metric,
        "pieces_per_example": prepared.mean,
        "versions": {package: version(package) for package in packages},
        "contenders": rows,
    }
    conclude(record)


if __name__ == "__main__":
    main()
