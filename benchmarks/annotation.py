"""Speed and memory of `annotate`: one process on one core, two processes, two actors of Ray.

    python benchmarks/annotation.py PIPELINE --documents 100000
    python benchmarks/annotation.py PIPELINE --documents 100000 --kills 10

Every way annotates the same file as a command of its own; its output has to be the first one's to
the byte. Seconds are those from the first finished part to the last, and so without imports,
loading and joining; the whole command's are printed as well. Memory is the sum over the command and
all processes that it has started (shared pages counted in each), in the middle of the work and
towards its end: if it grows with the number of documents, the second is larger.

With `--kills`, two processes work on another output. The command is ended with SIGKILL so often,
each time after a random number of further parts. The last start is left to finish; its output has
to be the undisturbed one's to the byte. Exit status 1 if an output differs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
from processor import conclude

ORDINARY = Path(__file__).parents[1] / "assets" / "ordinary.txt"
WAYS: dict[str, list[str]] = {
    "local 1": [],
    "local 2": ["--processes", "2"],
    "ray 2": ["--engine", "ray", "--processes", "2"],
}


def write_texts(path: Path, documents: int) -> None:
    """The ordinary sentences, over and over, each with its number."""
    lines = [line.strip() for line in ORDINARY.read_text("utf-8").splitlines() if line.strip()]
    with path.open("w", encoding="utf-8") as stream:
        for number in range(documents):
            record = {"id": number, "text": f"{lines[number % len(lines)]} ({number})"}
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")


def start(arguments: Sequence[str], cores: int | None = None) -> subprocess.Popen[bytes]:
    """The command, kept to so many cores."""
    command = [sys.executable, "-m", "spacy_selectra", "annotate", *arguments, "-q"]
    bound = sorted(os.sched_getaffinity(0))[:cores]
    return subprocess.Popen(command, preexec_fn=lambda: os.sched_setaffinity(0, bound))


def finished_parts(output: Path) -> list[Path]:
    """Finished parts of an output that is worked on."""
    return sorted(output.with_name(f"{output.name}.parts").glob("0*"))


def memory_of(process: psutil.Process) -> int:
    """Bytes of a process and all below it."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def measure(arguments: Sequence[str], output: Path, cores: int | None) -> dict[str, Any]:
    """Run the command to its end, looking every fifth of a second."""
    begun = time.perf_counter()
    running = start(arguments, cores)
    process = psutil.Process(running.pid)
    seen: list[tuple[float, int, int]] = []  # seconds, parts, bytes
    while running.poll() is None:
        parts = len(finished_parts(output))
        if parts and (not seen or parts > seen[-1][1]):
            seen.append((time.perf_counter() - begun, parts, memory_of(process)))
        time.sleep(0.2)
    if running.returncode:
        raise SystemExit(f"{' '.join(arguments)}: status {running.returncode}")
    seconds = time.perf_counter() - begun
    if not seen:  # too few documents to see anything
        return {"seconds": seconds}
    (first, few, _), (last, many, end) = seen[0], seen[-1]
    return {
        "seconds": seconds,
        "rows_per_second": 1024 * (many - few) / (last - first or seconds),
        "mib_middle": seen[len(seen) // 2][2] / 2**20,
        "mib_end": end / 2**20,
    }


def kill_again_and_again(arguments: Sequence[str], output: Path, kills: int, parts: int) -> int:
    """Run the command, which is killed so many times on its way; returns how many hit it."""
    dice = random.Random(0)
    hits = 0
    for number in range(kills):
        left = parts - len(finished_parts(output))
        # some parts are left for the kills that follow
        more = dice.randint(0, max(0, left // (kills - number)))
        wanted = len(finished_parts(output)) + more
        running = start(arguments)
        while running.poll() is None and len(finished_parts(output)) < wanted:
            time.sleep(0.01)
        time.sleep(dice.random())
        hits += running.poll() is None
        running.kill()
        running.wait()
    if start(arguments).wait():
        raise SystemExit("the last start failed")
    return hits


def main() -> None:
    """Print a line for each way, and everything as JSON in the end."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pipeline")
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--kills", type=int, default=0)
    given = parser.parse_args()
    record: dict[str, Any] = {"documents": given.documents}
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory, "in.jsonl")
        write_texts(source, given.documents)
        whole: bytes | None = None
        same = True
        for number, way in enumerate(given.ways):
            output = Path(directory, f"{number}.jsonl")
            arguments = [given.pipeline, str(source), str(output), *WAYS[way]]
            found = measure(arguments, output, 1 if way == "local 1" else None)
            whole = whole or output.read_bytes()
            same = same and whole == output.read_bytes()
            record[way] = found
            print(way, *(f"{key} {value:,.1f}" for key, value in found.items()), flush=True)
        if given.kills:
            output = Path(directory, "killed.jsonl")
            arguments = [given.pipeline, str(source), str(output), *WAYS["local 2"]]
            parts = -(-given.documents // 1024)
            record["kills"] = kill_again_and_again(arguments, output, given.kills, parts)
            same = same and output.read_bytes() == whole
            print(f"{record['kills']} kills")
    record["same_output"] = same
    print("outputs are", "the same" if same else "DIFFERENT")
    conclude(record)
    sys.exit(not same)


if __name__ == "__main__":
    main()
