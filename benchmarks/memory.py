"""How much memory does a pipeline take above its loaded model?

    python benchmarks/memory.py --preset small --characters 1000000 --documents 10000

Every case is a process of its own, memory_process.py, with random weights of the preset and a
vocabulary trained on the embedded sample (or `--encoder`, a model directory). It loads the
pipeline, processes a short document, and then counts: the highest resident memory during one
document of `--characters`, and resident memory while `--documents` short ones stream by.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from processor import conclude

PROCESS = Path(__file__).with_name("memory_process.py")
MIB = 1 << 20
# Name, components, listener of `ner`.
CASES: dict[str, dict[str, Any]] = {
    "tokenizer of spaCy": {"pipes": []},
    "transformer": {"pipes": ["transformer"]},
    "transformer, ner, stock listener": {
        "pipes": ["transformer", "ner"],
        "listener": "spacy-transformers.TransformerListener.v1",
    },
    "transformer, ner": {
        "pipes": ["transformer", "ner"],
        "listener": "spacy-selectra.TransformerListener.v1",
    },
    "transformer, ner, doc_cleaner": {
        "pipes": ["transformer", "ner", "doc_cleaner"],
        "listener": "spacy-selectra.TransformerListener.v1",
    },
}


def measure(task: dict[str, Any]) -> dict[str, Any]:
    """What memory_process.py says about one case; its stderr is ours."""
    done = subprocess.run(
        [sys.executable, str(PROCESS), json.dumps(task)],
        stdout=subprocess.PIPE,
        text=True,
        env={"TOKENIZERS_PARALLELISM": "false", **os.environ},
    )
    if done.returncode:
        raise SystemExit(f"{PROCESS.name} failed at {task.get('case', 'the preparation')}")
    return json.loads(done.stdout.splitlines()[-1])


def table(found: dict[str, dict[str, Any]]) -> str:
    """The figures as Markdown, memory in MiB."""
    columns = (
        "tokens",
        "pieces",
        "result",
        "peak",
        "kept",
        "seconds",
        "after a fifth",
        "after all",
    )
    rows = [f"| case | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name, row in found.items():
        one, many = row["document"], row["stream"]
        cells = [f"{one['tokens']:,}", f"{one['pieces']:,}"]
        cells += [f"{one[key] / MIB:.0f}" for key in ("result", "peak", "kept")]
        cells += [f"{one['seconds']:.1f}"]
        cells += [f"{many[key] / MIB:.1f}" for key in ("fifth", "all")]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def main() -> None:
    """Measure the chosen cases."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--preset", default="small", help="size of the encoder")
    parser.add_argument("--encoder", help="model directory in place of random weights")
    parser.add_argument("--characters", type=int, default=1_000_000, help="of the long document")
    parser.add_argument("--documents", type=int, default=10_000, help="short ones, 25 words each")
    parser.add_argument("--precision", default="fast", help="as in SelectraModel")
    parser.add_argument("--max-batch-pieces", type=int, default=2048, help="as in SelectraModel")
    parser.add_argument("--threads", type=int, help="of torch; its default if not given")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), help="cases")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        task = {**vars(options), "directory": directory}
        if options.encoder is None:
            task["encoder"] = measure({**task, "prepare": True})["encoder"]
        found = {name: measure({**task, "case": name, **CASES[name]}) for name in options.only}
    print(table(found))
    conclude({"settings": vars(options), "cases": found})


if __name__ == "__main__":
    main()
