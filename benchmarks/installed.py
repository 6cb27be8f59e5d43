"""Words a second of installed spaCy pipelines, on the same documents, in turn.

    python benchmarks/installed.py selectra=es_selectra_tiny cnn=training/cnn/model-best \\
        --texts heldout.jsonl.xz --stock training/release/entities/best

Every pipeline is measured finding entities alone (with the components that `ner` needs), and if it
has more components, also as a whole. `--stock` names the directory of the encoder of the first
pipeline: it is computed by spacy-transformers then, with the first pipeline's `ner` on top.

Each contender is a process of its own that is kept alive, and only one computes at any moment.
Memory is what the process has above `spacy.blank("es")` with torch: after loading, and at most
while it ran.
Prints a Markdown table and finally one JSON line.
"""

from __future__ import annotations

import argparse
import os
import statistics
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

from processor import conclude
from sample import SAMPLE
from turns import ContenderError, Process, take_turns

from spacy_selectra.corpus.documents import read_documents
from spacy_selectra.errors import SelectraError

SCRIPT = Path(__file__).with_name("installed_process.py")
Started = dict[Process, dict[str, Any]]


def begin(arguments: argparse.Namespace, common: dict[str, Any], stack: ExitStack) -> Started:
    """Start every contender; returns what it says of itself.

    Args:
        arguments: of the command.
        common: what every process is told.
        stack: ends the processes.

    Raises:
        ContenderError: a process ended.
    """
    found: Started = {}

    def start(name: str, **task: Any) -> dict[str, Any]:
        process = stack.enter_context(Process(name, SCRIPT, {**common, **task}))
        found[process] = process.answer()
        return found[process]

    for given in arguments.pipelines:
        name, _, path = given.rpartition("=")
        name = name or Path(path).name
        if start(f"{name}, entities", pipeline=path, whole=False)["left_out"]:
            start(f"{name}, whole", pipeline=path, whole=True)
    if arguments.stock is not None:
        path, encoder = arguments.pipelines[0].rpartition("=")[2], str(arguments.stock)
        start("spacy-transformers, entities", pipeline=path, whole=False, stock=encoder)
    return found


def table(rows: dict[str, dict[str, Any]]) -> str:
    """The rows in Markdown."""
    lines = [
        "| pipeline | components | words/s | min..max | entities | loaded in | MB on disk "
        "| MiB loaded | MiB at most |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        lines.append(
            f"| {name} | {', '.join(row['components'])} | {row['words_per_second']:,.0f} "
            f"| {row['slowest']:,.0f}..{row['fastest']:,.0f} | {row['entities']} "
            f"| {row['load_seconds']:.1f} s | {row['megabytes']:.1f} "
            f"| {row['loaded_mib']:.0f} | {row['peak_mib']:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("pipelines", nargs="+", metavar="[NAME=]PIPELINE", help="package or path")
    parser.add_argument("--texts", default=str(SAMPLE / "text" / "heldout.txt"))
    parser.add_argument("--documents", type=int, default=60)
    parser.add_argument("--stock", type=Path, help="encoder of the first pipeline")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--warm-up", type=int, default=1, help="runs that do not count")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    os.environ["RAYON_NUM_THREADS"] = str(arguments.threads)
    try:
        texts = [d.text for d in islice(read_documents(arguments.texts), arguments.documents)]
        common = {
            "texts": texts,
            "batch_size": arguments.batch_size,
            "threads": arguments.threads,
        }
        with ExitStack() as stack:
            started = begin(arguments, common, stack)
            rows = {each.name: about for each, about in started.items()}
            seconds: dict[str, list[float]] = {name: [] for name in rows}
            for number, each in take_turns(list(started), arguments.warm_up + arguments.repeats):
                answer = each.ask("run", number)
                row = rows[each.name]
                row["entities"] = answer["entities"]
                row["peak_mib"] = max(answer["peak_mib"], row.get("peak_mib", 0.0))
                if number >= arguments.warm_up:
                    seconds[each.name].append(answer["seconds"])
    except (ContenderError, SelectraError) as error:
        parser.exit(1, f"{error}\n")
    words = sum(len(text.split()) for text in texts)
    for name, row in rows.items():
        rates = [words / each for each in seconds[name]]
        row["words_per_second"] = statistics.median(rates)
        row["slowest"], row["fastest"] = min(rates), max(rates)
    print(table(rows))
    options = {name: str(value) for name, value in vars(arguments).items()}
    conclude({**options, "words": words, "contenders": rows})


if __name__ == "__main__":
    main()
