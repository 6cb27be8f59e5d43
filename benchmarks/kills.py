"""A pretraining run killed a hundred times at random has the weights of an undisturbed run.

    python benchmarks/kills.py --kills 100 --seed 0 --workdir /tmp/kills

Packs a small corpus and pretrains on it once. Then it repeatedly starts the same command in another
directory and kills it with SIGKILL: during start-up, training, or while it writes a checkpoint or
the exported networks. The last start runs to the end. All tensors, exported files and log rows
(without times) must be equal bit for bit. Other options, such as `--optimizer.method muon`, are
passed to both runs.

Runs are forked from a process with all imports, which saves seconds each. `--start exec` runs the
real command instead, and can also kill its imports.

Prints what the kills interrupted, according to the files on disk, and finally one JSON line. Exit
status 1 if anything differs or a start fails.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from killing import EXPORTS, Moments, Output, Start, StartError, phase
from processor import conclude

# A process with threads cannot be forked safely, and numpy and torch start them when imported.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
# What a start imports; torch's optimisers import the last one when the first of them is made.
IMPORTS = ("spacy_selectra.cli.app", "spacy_selectra.pretraining.pretrain", "torch._dynamo")
TIMES = {"elapsed_seconds", "tokens_per_second", "seconds", "mfu"}
TEXT = """
el la niño niña perro gato casa pan rosa comió bebió miró corrió piñón en de con y Cádiz Madrid
Ana José ayer mañana siempre árbol río mar azul grande pequeño .
"""
CONFIG = """
[paths]
corpus = "{directory}/packed"
tokenizer = "{directory}/tokenizer"

[encoder]
preset = "tiny"
init_embeddings = "cooccurrence"
embedding_size = 16
hidden_size = 32
num_hidden_layers = 2
num_attention_heads = 4
intermediate_size = 64

[objective]
corrective_lm_weight = 10.0

[optimizer]
learning_rate = 0.005

[schedule]
warmup_steps = 4

[training]
max_steps = {steps}
batch_size = 8
precision = "fp32"
device = "cpu"
threads = 1
log_every = {log_every}
checkpoint_every = {checkpoint_every}
evaluate_every = {evaluate_every}
evaluate_sequences = 16
"""


def make_inputs(directory: Path, steps: int, checkpoint_every: int) -> None:
    """Tokenizer, packed corpus and configuration."""
    import numpy as np

    from spacy_selectra.corpus.packed.builder import PackSettings, pack_corpus
    from spacy_selectra.text.tokenizer import SPECIAL_TOKENS, make_tokenizer, save_tokenizer

    words = TEXT.split()
    save_tokenizer(make_tokenizer([*SPECIAL_TOKENS, *words]), directory / "tokenizer")
    rng = np.random.default_rng(0)
    documents = [" ".join(rng.choice(words, size=rng.integers(20, 60))) for _ in range(150)]
    text = directory / "text.txt"
    text.write_text("\n\n".join(documents), encoding="utf-8")
    settings = PackSettings(length=32, heldout=0.2)
    pack_corpus(text, directory / "packed", directory / "tokenizer", settings)
    config = CONFIG.format(
        directory=directory,
        steps=steps,
        # no divisor of the steps: the last row is of fewer steps and written at the very end
        log_every=next(number for number in (3, 4, 5, 7, 11, 13) if steps % number),
        checkpoint_every=checkpoint_every,
        evaluate_every=4 * checkpoint_every,
    )
    (directory / "pretrain.cfg").write_text(config, encoding="utf-8")


def disturb(
    command: Callable[[], Start], output: Output, steps: int, kills: int, moments: Moments
) -> tuple[Counter[str], int]:
    """Start and kill until the number of kills is reached.

    Returns:
        Kills by what they hit, and the number of starts.

    Raises:
        StartError: a start failed, or most of them end before they are killed.
    """
    from spacy_selectra.util.progress import Progress

    phases: Counter[str] = Counter()
    starts, exports = 0, True
    kept_for_the_end = max(1, kills // 10)
    with Progress("killing", kills, "kills") as progress:
        while (left := kills - phases.total()) > 0:
            before, had, thinned = output.entries(), output.checkpoint(), output.thinned()
            finished = had == steps
            if had < 0:
                target = "first files" if starts < max(1, kills // 20) else "training"
            elif not finished and left > kept_for_the_end:
                target = moments.rng.choices(["start-up", "training", "checkpoint"], [1, 2, 2])[0]
            elif exports:
                target = moments.rng.choices(["start-up", "export"], [finished, 2])[0]
            else:
                target = "start-up"
            with command() as start:
                starts += 1
                moments.wait(target, start)
                hit = start.kill()
            if hit:
                phases[phase(output, before, had, thinned, finished)] += 1
                progress.update(note=f"step {output.checkpoint()}")
            elif finished and target == "export":
                # a finished run need not write again what it has written
                exports = any(output.entries().get(name) != before.get(name) for name in EXPORTS)
            if starts > 20 * kills:
                raise StartError("most starts end before the moment of their kill")
    return phases, starts


def differences(expected: Path, found: Path) -> tuple[list[str], int]:
    """Differences between two finished runs, and the number of compared tensors."""
    from safetensors.numpy import load_file

    last, other_last = (f"checkpoint-{Output(run).checkpoint()}" for run in (expected, found))
    if last != other_last:
        return [f"the last checkpoint is {other_last}, not {last}"], 0
    problems: list[str] = []
    tensors = 0
    for folder in (last, *EXPORTS):
        names = [
            sorted(path.name for path in (run / folder).iterdir()) for run in (expected, found)
        ]
        if names[0] != names[1]:
            problems.append(f"{folder} holds {names[1]}, not {names[0]}")
            continue
        for name in names[0]:
            ours, theirs = expected / folder / name, found / folder / name
            if name.endswith(".safetensors"):
                one, other = load_file(ours), load_file(theirs)
                tensors += len(one)
                wrong = sorted(k for k in one.keys() | other.keys() if not _same(one, other, k))
                if wrong:
                    problems.append(f"{folder}/{name}: {len(wrong)} tensors, {wrong[0]} first")
            elif name == "state.json":
                states = [
                    _without_times(json.loads(path.read_bytes())["state"])
                    for path in (ours, theirs)
                ]
                if states[0] != states[1]:
                    problems.append(f"{folder}/{name}: {states[1]}, not {states[0]}")
            elif ours.read_bytes() != theirs.read_bytes():
                problems.append(f"{folder}/{name}")
    for name in ("log.jsonl", "evaluation.jsonl"):
        one, other = _rows(expected / name), _rows(found / name)
        for number, rows in enumerate(zip(one, other, strict=False), start=1):
            if rows[0] != rows[1]:
                problems.append(f"{name}, row {number}: {rows[1]}, not {rows[0]}")
        if len(one) != len(other):
            problems.append(f"{name}: {len(other)} rows, not {len(one)}; the last {other[-1:]}")
    return problems, tensors


def _same(one: dict[str, Any], other: dict[str, Any], key: str) -> bool:
    """Bit for bit: type, shape and bytes."""
    if key not in one or key not in other:
        return False
    first, second = one[key], other[key]
    same_kind = first.dtype == second.dtype and first.shape == second.shape
    return same_kind and first.tobytes() == second.tobytes()


def _rows(path: Path) -> list[Any]:
    return [_without_times(json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(inner) for key, inner in value.items() if key not in TIMES}
    return value


def measure(arguments: argparse.Namespace, overrides: list[str], directory: Path) -> dict[str, Any]:
    """Both runs and their comparison; the line of results.

    Raises:
        StartError: a start ended with an error.
    """
    began = time.monotonic()
    steps = arguments.steps or arguments.kills * arguments.checkpoint_every

    def command(name: str) -> list[str]:
        places = [str(directory / "pretrain.cfg"), str(directory / name)]
        return ["pretrain", *places, "--resume", "auto", "--quiet", *overrides]

    def work(name: str) -> list[str] | Callable[[], None]:
        return command(name) if arguments.start == "exec" else partial(in_this_process, name)

    def in_this_process(name: str) -> None:
        sys.argv = ["spacy_selectra", *command(name)]
        import_module("spacy_selectra.cli").main()

    def finish(what: str, work: list[str] | Callable[[], None]) -> None:
        print(what, file=sys.stderr)
        with Start(work, directory / "printed.log") as start:
            start.wait()

    finish("inputs", lambda: make_inputs(directory, steps, arguments.checkpoint_every))
    if arguments.start == "fork":
        for module in IMPORTS:
            import_module(module)
    finish("the undisturbed run", work("clean"))
    rows = _rows(directory / "clean" / "log.jsonl")
    last = json.loads((directory / "clean" / "log.jsonl").read_text("utf-8").splitlines()[-1])
    interval = last["elapsed_seconds"] / steps * arguments.checkpoint_every
    output = Output(directory / "killed")
    phases, starts = disturb(
        lambda: Start(work("killed"), directory / "printed.log"),
        output,
        steps,
        arguments.kills,
        Moments(output, random.Random(arguments.seed), interval),
    )
    finish("the last start", work("killed"))
    problems, tensors = differences(directory / "clean", directory / "killed")
    return {
        "kills": phases.total(),
        "phases": dict(phases.most_common()),
        "starts": starts + 1,
        "start": arguments.start,
        "seed": arguments.seed,
        "steps": steps,
        "checkpoint_every": arguments.checkpoint_every,
        "tensors": tensors,
        "log_rows": len(rows),
        "identical": not problems,
        "differences": problems[:20],
        "seconds": round(time.monotonic() - began, 1),
    }


def main() -> None:
    """Kill, compare, report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    parser.add_argument("--steps", type=int, help="length of the run; a checkpoint's worth a kill")
    parser.add_argument("--checkpoint-every", type=int, default=10)
    parser.add_argument("--start", choices=["fork", "exec"], default="fork")
    parser.add_argument("--workdir", type=Path, help="an empty directory, which is kept")
    arguments, overrides = parser.parse_known_args()
    os.environ.update(ENVIRONMENT)
    with tempfile.TemporaryDirectory(prefix="kills-") as scratch:
        directory = (arguments.workdir or Path(scratch)).resolve()
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            parser.error(f"{directory} is not empty")
        try:
            row = measure(arguments, overrides, directory)
        except StartError as error:
            row = {"identical": False, "differences": [str(error)]}
    print("| what a kill hit | kills |\n|---|---|")
    for name, count in row.get("phases", {}).items():
        print(f"| {name} | {count} |")
    conclude(row)
    sys.exit(0 if row["identical"] else 1)


if __name__ == "__main__":
    main()
