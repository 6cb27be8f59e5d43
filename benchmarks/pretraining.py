"""Speed of a pretraining step, ours against a plain loop over transformers' models.

    python benchmarks/pretraining.py --preset small --batch 16 --threads 2

Each contender is a separate process that is kept alive. They run one step in turn on the same
batches, so that only one computes at a time and a slow phase of the machine affects all of them. A
step includes masking, forward pass, sampling, backward pass, clipping and the optimizer. Padding
does not count as pieces.

Prints a Markdown table and finally one JSON line; README.md describes the columns.
"""

from __future__ import annotations

import argparse
import statistics
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from processor import conclude
from turns import ContenderError, Process, take_turns

from spacy_selectra.encoder.config import PRESETS

BASE = "reference fp32"
MIB = 1 << 20
SCRIPT = Path(__file__).with_name("contender_process.py")
RECIPE = Path(__file__).parents[1] / "configs" / "pretrain_small.cfg"


@dataclass(frozen=True)
class Spec:
    """A loop of contenders.py, its precision, and whether freed memory stays with the process."""

    loop: str
    mode: str
    keep_memory: bool


CONTENDERS = {
    BASE: Spec("reference", "fp32", keep_memory=False),
    "reference fp32 kept memory": Spec("reference", "fp32", keep_memory=True),
    "reference fp32 medium": Spec("reference", "fast", keep_memory=False),
    "reference bf16": Spec("reference", "bf16", keep_memory=False),
    "ours fp32": Spec("ours", "fp32", keep_memory=True),
    "ours fast": Spec("ours", "fast", keep_memory=True),
    "ours bf16": Spec("ours", "bf16", keep_memory=True),
}


def measure(
    names: list[str], task: dict[str, Any], warm_up: int, repeats: int, profile: bool
) -> dict[str, Any]:
    """Let all of them train in turn; the line of results.

    Raises:
        ContenderError: a contender failed or diverged.
    """
    with ExitStack() as stack:
        running = [
            stack.enter_context(Process(name, SCRIPT, {**task, **vars(CONTENDERS[name])}))
            for name in names
        ]
        started = {each.name: each.answer() for each in running}
        steps: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        peaks: dict[str, list[float]] = {name: [] for name in names}
        for number, each in take_turns(running, warm_up + repeats):
            done = each.ask("step", number)
            if not done["finite"]:
                raise ContenderError(f"'{each.name}' diverged at step {number}")
            if number >= warm_up:
                steps[each.name].append(done)
                # in every round, as the speed of a machine changes
                peaks[each.name].append(each.ask("peak")["flops"])
        memory = {each.name: each.ask("memory")["bytes"] for each in running}
        profiles = {
            each.name: each.ask("profile", warm_up + repeats)
            for each in running
            if profile and CONTENDERS[each.name].loop == "ours"
        }
    rows = {
        name: {**started[name], **summary(steps[name], peaks[name], memory[name])} for name in names
    }
    for row in rows.values():
        base = rows[BASE]["tokens_per_second"] if BASE in rows else None
        row["ratio"] = row["tokens_per_second"] / base if base else None
    positions = task["batch"] * task["length"] * repeats
    pieces = sum(step["pieces"] for step in steps[names[0]])
    return {
        **task,
        "recipe": Path(task["recipe"]).name,
        "repeats": repeats,
        "padding": 1 - pieces / positions,
        "flops_per_token": sum(step["flops"] for step in steps[names[0]]) / pieces,
        "versions": {package: version(package) for package in ("torch", "transformers")},
        "contenders": rows,
        "profiles": profiles,
    }


def summary(steps: list[dict[str, Any]], peaks: list[float], memory: int) -> dict[str, Any]:
    """Medians of a contender's steps; rates are those of single steps."""
    rates = [step["pieces"] / step["seconds"] for step in steps]
    speed = statistics.median(step["flops"] / step["seconds"] for step in steps)
    peak = statistics.median(peaks)
    return {
        "tokens_per_second": statistics.median(rates),
        "slowest": min(rates),
        "fastest": max(rates),
        "step_ms": statistics.median(step["seconds"] for step in steps) * 1e3,
        "peak_memory_mib": memory / MIB,
        "peak_gflops": peak / 1e9,
        "mfu": speed / peak,
        "rates": rates,
    }


def table(rows: dict[str, dict[str, Any]]) -> str:
    """The rows in Markdown."""
    lines = [
        "| contender | tokens/s | min..max | ratio | ms/step | peak MiB | MFU |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
        lines.append(
            f"| {name} | {row['tokens_per_second']:,.0f} "
            f"| {row['slowest']:,.0f}..{row['fastest']:,.0f} | {ratio} | {row['step_ms']:,.1f} "
            f"| {row['peak_memory_mib']:,.0f} | {row['mfu']:.2f} |"
        )
    return "\n".join(lines)


def profile_table(name: str, threads: str, found: dict[str, Any]) -> str:
    """Operations of a profiled step in Markdown."""
    lines = [
        f"\n{name}, {threads}: {found['products_share']:.0%} of the time of all operations is in "
        f"matrix products ({found['products_ms']:,.1f} of {found['operations_ms']:,.1f} ms; "
        f"the step took {found['wall_ms']:,.1f} ms)\n",
        "| operation | ms | share |\n|---|---|---|",
    ]
    lines += [f"| {key} | {time:,.1f} | {share:.1%} |" for key, time, share in found["top"]]
    return "\n".join(lines)


def _arguments() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", choices=list(CONTENDERS), metavar="CONTENDER")
    parser.add_argument("--preset", choices=list(PRESETS), default="small")
    parser.add_argument("--vocab-size", type=int, help="instead of the preset's")
    parser.add_argument("--recipe", default=str(RECIPE), help="configuration, sizes excepted")
    parser.add_argument("--length", type=int, default=128, help="pieces of the longest sequence")
    parser.add_argument("--batch", type=int, default=16, help="sequences")
    parser.add_argument("--fill", type=float, default=0.75, help="mean length / length")
    parser.add_argument("--threads", type=int, help="instead of torch's choice")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ...")
    parser.add_argument("--warm-up", type=int, default=6, help="steps that do not count")
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--profile", action="store_true", help="a step of each of ours, too")
    arguments = parser.parse_args()
    if not 0.5 <= arguments.fill <= 1:
        parser.error("--fill must lie between 0.5 and 1: lengths are uniform and end at --length")
    if not 3 <= arguments.length <= PRESETS[arguments.preset].max_position_embeddings:
        parser.error("--length must lie between 3 and the encoder's 512 positions")
    if min(arguments.batch, arguments.repeats) < 1:
        parser.error("--batch and --repeats must be at least 1")
    if arguments.vocab_size is not None and arguments.vocab_size < 8:
        parser.error("--vocab-size must be at least 8: there are five special tokens")
    return parser, arguments


def main() -> None:
    """Measure and report."""
    parser, arguments = _arguments()
    names = ("recipe", "preset", "vocab_size", "length", "batch", "fill", "threads", "device")
    task = {name: getattr(arguments, name) for name in (*names, "seed")}
    chosen = [name for name in CONTENDERS if arguments.only is None or name in arguments.only]
    try:
        row = measure(chosen, task, arguments.warm_up, arguments.repeats, arguments.profile)
    except ContenderError as error:
        parser.exit(1, f"{error}\n")
    print(table(row["contenders"]))
    for name, settings in row["profiles"].items():
        for threads, found in settings.items():
            print(profile_table(name, threads, found))
    conclude(row)


if __name__ == "__main__":
    main()
