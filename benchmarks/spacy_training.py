"""Speed of training `transformer` and `ner` in spaCy, ours against spacy-transformers.

    python benchmarks/spacy_training.py --preset small --threads 2
    python benchmarks/spacy_training.py --encoder DIRECTORY --train TRAIN.conll --dev DEV.conll

Each contender is a process of its own that is kept alive; one update at a time is asked of each in
turn, all of the same batches. An update is what `spacy train` does with a batch: `nlp.update`, then
the optimiser, then its schedules.

Prints a Markdown table and finally one JSON line; README.md describes the columns.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from processor import conclude
from sample import SAMPLE
from spacy_models import write_encoder, write_pipeline
from turns import ContenderError, Process, take_turns

from spacy_selectra.encoder.config import PRESETS

BASE = "stock"
MIB = 1 << 20
SCRIPT = Path(__file__).with_name("spacy_training_process.py")


@dataclass(frozen=True)
class Spec:
    """Transformer and optimiser of spaCy's templates or of ours, and how products are computed."""

    kind: str
    precision: str


CONTENDERS = {
    BASE: Spec("stock", "fp32"),
    "stock medium": Spec("stock", "medium"),
    "ours fp32": Spec("ours", "fp32"),
    "ours fast": Spec("ours", "fast"),
    "ours bf16": Spec("ours", "bf16"),
}


def measure(names: list[str], task: dict[str, Any], warm_up: int) -> dict[str, dict[str, Any]]:
    """Let all of them train in turn; the row of each.

    Raises:
        ContenderError: a contender failed or diverged.
    """
    with ExitStack() as stack:
        running = [
            stack.enter_context(Process(name, SCRIPT, {**task, **asdict(CONTENDERS[name])}))
            for name in names
        ]
        found = {each.name: each.answer() for each in running}
        steps: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for number, each in take_turns(running, task["steps"], "training", "steps"):
            done = each.ask("step", number)
            if not done["finite"]:
                raise ContenderError(f"'{each.name}' diverged at step {number}")
            steps[each.name].append(done)
        for each in running:
            memory = each.ask("memory")["bytes"]
            found[each.name].update(summary(steps[each.name], warm_up, memory))
            found[each.name].update(each.ask("score"))
    base = found[BASE]["seconds"] if BASE in found else None
    for row in found.values():
        # of whole runs, as the same batches are not equally long
        row["ratio"] = base / row["seconds"] if base else None
    return found


def summary(steps: list[dict[str, Any]], warm_up: int, memory: int) -> dict[str, Any]:
    """Rates over the steps that count; losses of the first and the last tenth."""
    counted = steps[warm_up:]
    seconds = sum(step["seconds"] for step in counted)
    words = sum(step["words"] for step in counted)
    rates = [step["words"] / step["seconds"] for step in counted]
    tenth = max(1, len(steps) // 10)
    return {
        "seconds": seconds,
        "steps_per_second": len(counted) / seconds,
        "words_per_second": words / seconds,
        "slowest": min(rates),
        "fastest": max(rates),
        "step_ms": statistics.median(step["seconds"] for step in counted) * 1e3,
        "peak_memory_mib": memory / MIB,
        "first_loss": statistics.fmean(step["loss"] / step["words"] for step in steps[:tenth]),
        "last_loss": statistics.fmean(step["loss"] / step["words"] for step in steps[-tenth:]),
    }


def table(rows: dict[str, dict[str, Any]]) -> str:
    """The rows in Markdown."""
    lines = [
        "| contender | steps/s | words/s | min..max | ratio | ms/step | peak MiB | F1 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
        lines.append(
            f"| {name} | {row['steps_per_second']:.2f} | {row['words_per_second']:,.0f} "
            f"| {row['slowest']:,.0f}..{row['fastest']:,.0f} | {ratio} | {row['step_ms']:,.1f} "
            f"| {row['peak_memory_mib']:,.0f} | {row['f1'] * 100:.1f} |"
        )
    return "\n".join(lines)


def _arguments() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", choices=list(CONTENDERS), metavar="CONTENDER")
    parser.add_argument("--preset", choices=list(PRESETS), default="small")
    parser.add_argument("--encoder", type=Path, help="model directory instead of random weights")
    parser.add_argument("--vocabulary", type=int, default=8000, help="entries, without --encoder")
    parser.add_argument("--train", type=Path, default=SAMPLE / "ner" / "train.conll")
    parser.add_argument("--dev", type=Path, default=SAMPLE / "ner" / "dev.conll")
    parser.add_argument("--steps", type=int, default=30, help="updates of each")
    parser.add_argument("--warm-up", type=int, default=3, help="updates whose time does not count")
    parser.add_argument("--batch", type=int, default=600, help="words of a padded batch")
    parser.add_argument("--rate", type=float, default=5e-4, help="highest learning rate")
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--threads", type=int, help="instead of torch's choice")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if not 0 <= arguments.warm_up < arguments.steps:
        parser.error("--warm-up must be at least 0 and less than --steps")
    if arguments.batch < 1:
        parser.error("--batch must be at least 1")
    for path in (arguments.train, arguments.dev):
        if not path.is_file():
            parser.error(f"{path}: no such file")
    return parser, arguments


def main() -> None:
    """Measure and report."""
    parser, arguments = _arguments()
    chosen = [name for name in CONTENDERS if arguments.only is None or name in arguments.only]
    with tempfile.TemporaryDirectory() as temporary:
        encoder = arguments.encoder
        if encoder is None:
            encoder = Path(temporary) / "encoder"
            write_encoder(encoder, arguments.preset, arguments.vocabulary, arguments.seed)
        pipeline = Path(temporary) / "pipeline"
        write_pipeline(pipeline, encoder, arguments.train, 0, arguments.seed)
        names = ("steps", "batch", "rate", "dropout", "threads", "seed")
        task = {name: getattr(arguments, name) for name in names}
        paths = {
            "pipeline": pipeline,
            "encoder": encoder,
            "train": arguments.train,
            "dev": arguments.dev,
        }
        task.update({name: str(path) for name, path in paths.items()})
        try:
            rows = measure(chosen, task, arguments.warm_up)
        except ContenderError as error:
            parser.exit(1, f"{error}\n")
    print(table(rows))
    print("\nNo mixed precision for stock: on CPUs its autocast has no effect.")
    packages = ("spacy", "spacy-transformers", "torch", "transformers")
    versions = {package: version(package) for package in packages}
    conclude({**task, "warm_up": arguments.warm_up, "versions": versions, "contenders": rows})


if __name__ == "__main__":
    main()
