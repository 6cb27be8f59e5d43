"""Words per second of a pipeline next to busy processes, by how its threads wait.

    python benchmarks/busy.py es_selectra_tiny --busy 0 1 3

Each variant is a separate process that is kept alive. Only one of them computes at a time, next to
`--busy` busy processes. Prints a Markdown table and finally one JSON line.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path

from processor import conclude
from sample import SAMPLE
from turns import ContenderError, Process, take_turns

from spacy_selectra.corpus.documents import read_documents

SCRIPT = Path(__file__).with_name("installed_process.py")
ONE = "one thread"
WAYS: dict[str, dict[str, str]] = {
    "as GNU OpenMP does": {},
    "GOMP_SPINCOUNT=100": {"GOMP_SPINCOUNT": "100"},
    "OMP_WAIT_POLICY=PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
    ONE: {"OMP_NUM_THREADS": "1"},
}


def _burn() -> None:
    while True:
        pass


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Busy processes."""
    processes = [multiprocessing.Process(target=_burn, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
            process.join()


def table(rates: dict[str, dict[int, list[float]]]) -> str:
    """Medians in Markdown, also relative to the same variant without busy processes."""
    counts = list(next(iter(rates.values())))
    lines = [
        "| threads wait | " + " | ".join(f"beside {count}" for count in counts) + " |",
        "|---" * (len(counts) + 1) + "|",
    ]
    for way, found in rates.items():
        medians = [statistics.median(found[count]) for count in counts]
        cells = (f"{median:,.0f} ({median / medians[0]:.2f})" for median in medians)
        lines.append(f"| {way} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("pipeline", help="package or path")
    parser.add_argument("--only", nargs="+", choices=list(WAYS), default=list(WAYS), metavar="WAY")
    parser.add_argument("--texts", default=str(SAMPLE / "text" / "heldout.txt"))
    parser.add_argument("--documents", type=int, default=60)
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 1, 3], metavar="N")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    texts = [d.text for d in islice(read_documents(arguments.texts), arguments.documents)]
    words = sum(len(text.split()) for text in texts)
    task = {"pipeline": arguments.pipeline, "whole": False, "texts": texts, "batch_size": 64}
    rates: dict[str, dict[int, list[float]]] = {
        way: {count: [] for count in arguments.busy} for way in arguments.only
    }
    try:
        with ExitStack() as stack:
            running = []
            for way in rates:
                threads = 1 if way == ONE else arguments.threads
                process = Process(way, SCRIPT, {**task, "threads": threads}, WAYS[way])
                running.append(stack.enter_context(process))
            for each in running:
                each.answer()
                each.ask("run")  # the first one does not count
            for count in arguments.busy:
                with busy(count):
                    for _, each in take_turns(running, arguments.repeats, f"beside {count}"):
                        rates[each.name][count].append(words / each.ask("run")["seconds"])
    except ContenderError as error:
        parser.exit(1, f"{error}\n")
    print(table(rates))
    conclude({"pipeline": arguments.pipeline, "words": words, "words_per_second": rates})


if __name__ == "__main__":
    main()
