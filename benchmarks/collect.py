"""All figures of the documentation that this processor can give, in one file.

    python benchmarks/collect.py --pipeline es_selectra_tiny
    python benchmarks/collect.py --only pretraining-small kernels

Runs the benchmarks one after the other, which takes an hour or two, and writes their lines of JSON
to benchmarks/results/PROCESSOR.json after each. What is there already from an earlier start stays
unless it is measured again. Leave the machine alone meanwhile. bf16 is left out where the processor
has no instructions for it: emulated it takes hours and says nothing, but kernels are counted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from processor import described, file_name, processor

from spacy_selectra.encoder.precision import resolve_precision
from spacy_selectra.util.files import write_json

BENCHMARKS = Path(__file__).parent
PRECISIONS = ("fp32", "fast", *(["bf16"] if resolve_precision("auto", "cpu") == "bf16" else []))
OURS = tuple(f"ours {precision}" for precision in PRECISIONS)
RECIPE = str(BENCHMARKS.parent / "configs" / "pretrain_tiny.cfg")


def runs(pipeline: str | None) -> dict[str, list[str]]:
    """The command line of each set of figures, by its name in the file."""
    steps = ["pretraining.py", "--length", "128", "--repeats", "6", "--only", "reference fp32"]
    pipes = ["--only", "stock", *OURS, "ours int8"]
    found = {
        "pretraining-small": [*steps, *OURS, "--preset", "small", "--batch", "32"],
        "pretraining-tiny": [*steps, *OURS, "--preset", "tiny", "--batch", "128"],
        "short-recipe-small": [
            *("pretraining.py", "--recipe", RECIPE, "--preset", "small", "--vocab-size", "50000"),
            *("--batch", "64", "--fill", "0.9", "--repeats", "4", "--only", *OURS),
        ],
        "pipeline-25": ["pipeline.py", "--words", "25", *pipes],
        "pipeline-60": ["pipeline.py", "--words", "60", *pipes],
        "pipeline-mixed": ["pipeline.py", "--words", "mixed", *pipes],
        "zero-shot": [
            *("zero_shot.py", "--documents", "64", "--labels", "5", "--words", "40", "--repeats"),
            *("3", "--only", "transformers", *OURS, "ours int8"),
        ],
        "serving-small": ["serving.py", "--preset", "small", "--only", *PRECISIONS, "int8"],
        "kernels": ["kernels.py"],
    }
    if pipeline:
        found["kernels"] += ["--pipeline", pipeline]
        found["installed"] = ["installed.py", pipeline]
        found["busy"] = ["busy.py", pipeline]
        found["service"] = [
            *("service.py", pipeline, "--seconds", "60", "--alone", "10", "--rounds", "1"),
            *("--only", "selectra serve", "FastAPI, async def", "transformers, def"),
        ]
        found["annotation"] = ["annotation.py", pipeline, "--documents", "100000"]
        found["annotation-killed"] = [
            *("annotation.py", pipeline, "--documents", "20480", "--ways", "local 2"),
            *("--kills", "10"),
        ]
    return found


def measured(command: list[str]) -> dict[str, Any] | None:
    """The line of JSON of a benchmark, whose table goes to stdout; None if it failed."""
    begin = time.monotonic()
    path = str(BENCHMARKS / command[0])
    done = subprocess.run([sys.executable, path, *command[1:]], stdout=subprocess.PIPE, text=True)
    lines = done.stdout.splitlines()
    print("\n".join(lines[:-1]), flush=True)
    if done.returncode or not lines:
        print(f"{command[0]} failed with status {done.returncode}", file=sys.stderr)
        return None
    row = json.loads(lines[-1])
    row.pop("processor", None)
    return {
        "command": " ".join(command).replace(f"{BENCHMARKS.parent}/", ""),
        "date": time.strftime("%Y-%m-%d"),
        "took_seconds": round(time.monotonic() - begin),
        "figures": row,
    }


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--pipeline", help="installed pipeline or directory to measure as well")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="names in the file")
    parser.add_argument("--results", type=Path, default=BENCHMARKS / "results")
    arguments = parser.parse_args()
    wanted = runs(arguments.pipeline)
    unknown = sorted(set(arguments.only or ()) - set(wanted))
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; known are {', '.join(wanted)}")
    about = processor()
    path = arguments.results / f"{file_name(about)}.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    failed = False
    for name, command in wanted.items():
        if arguments.only is None or name in arguments.only:
            print(f"\n## {name}: {' '.join(command)}\n", flush=True)
            row = measured(command)
            failed = failed or row is None
            if row is not None:
                found = {**found, "processor": about, name: row}
                path.parent.mkdir(parents=True, exist_ok=True)
                write_json(path, found)
    print(f"\n{path}: {described(about)}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
