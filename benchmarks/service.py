"""Throughput of the HTTP service, compared with a simple FastAPI application for the same pipeline.

    python benchmarks/service.py es_selectra_tiny --clients 32 --seconds 10 --rounds 6

Services are separate processes that are kept alive. They take turns, first with one client and then
with all, so that a slow phase of the machine affects all of them. Clients send consecutive requests
over a persistent connection and check that the response belongs to their text. At the end the
service gets SIGTERM while all clients are active.

Prints a Markdown table and finally one JSON line; README.md describes the columns. Exit status
1 if a request to our service failed or got no response.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from processor import conclude
from sample import sample_documents
from turns import SETTLE, ContenderError

from spacy_selectra.util.progress import Progress

SCRIPT = Path(__file__).with_name("service_process.py")
OURS = "selectra serve"
CONTENDERS = (OURS, "FastAPI, def", "FastAPI, async def", "transformers, def")
TEXTS = 256


class Service:
    """A contender behind a port of this machine; leaving the `with` block stops it.

    Args:
        name: one of `CONTENDERS`.
        pipeline: package or directory.
    """

    def __init__(self, name: str, pipeline: str) -> None:
        self.name = name
        command = [sys.executable, "-u", str(SCRIPT), name, pipeline]
        if name == OURS:
            options = ["serve", pipeline, "--port", "0", "--quiet"]
            command = [sys.executable, "-u", "-m", "spacy_selectra", *options]
        # as `selectra serve` sets it for itself: threads that wait do not spin
        environment = {**os.environ, "GOMP_SPINCOUNT": "100"}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise ContenderError(f"'{name}' ended with status {self.process.wait()}")
        self.port = int(line.rsplit(":", 1)[1])

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


@dataclass
class Load:
    """What clients were answered.

    Attributes:
        seconds: from the beginning of each request to the end of its answer.
        failed: requests that got no right answer, by what they got instead.
        elapsed: seconds of the load.
    """

    seconds: list[float] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    elapsed: float = 0.0

    def add(self, other: Load) -> None:
        """Count another load, too."""
        self.seconds += other.seconds
        self.failed += other.failed
        self.elapsed += other.elapsed

    def row(self) -> dict[str, Any]:
        """Figures."""
        times = sorted(self.seconds) or [float("nan")]
        return {
            "requests_per_second": len(self.seconds) / self.elapsed,
            "p50": statistics.median(times),
            "p99": times[math.ceil(0.99 * len(times)) - 1],
            "answered": len(self.seconds),
            "failed": dict(self.failed),
        }


async def _client(port: int, texts: list[str], first: int, load: Load, end: asyncio.Event) -> None:
    """Ask until the end; a connection that the service has closed in time is opened anew."""
    stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    number = first
    while not end.is_set():
        if stream is None:
            try:
                stream = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                return  # it takes no more
        reader, writer = stream
        text = texts[number % len(texts)]
        number += 1
        body = json.dumps({"text": text}).encode()
        head = f"POST /annotate HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n"
        begin = time.perf_counter()
        try:
            writer.write(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
            sizes = [line for line in lines if line.startswith("content-length:")]
            answer = await reader.readexactly(int(sizes[0].split(":")[1]))
        except (OSError, asyncio.IncompleteReadError) as error:
            load.failed[type(error).__name__] += 1
            writer.close()
            return
        status = lines[0].split()[1]
        if status != "200":
            load.failed[status] += 1
        elif json.loads(answer)["text"] != text:
            load.failed["another's answer"] += 1
        else:
            load.seconds.append(time.perf_counter() - begin)
        if "connection: close" in lines:
            writer.close()
            stream = None
    if stream is not None:
        stream[1].close()


async def _clients(port: int, texts: list[str], number: int, seconds: float) -> Load:
    load, end = Load(), asyncio.Event()
    begin = time.perf_counter()
    first = [place * len(texts) // number for place in range(number)]
    asked = asyncio.gather(*(_client(port, texts, place, load, end) for place in first))
    await asyncio.wait({asked}, timeout=seconds)
    end.set()
    await asked
    load.elapsed = time.perf_counter() - begin
    return load


def under_load(service: Service, texts: list[str], clients: int, seconds: float) -> Load:
    """Requests of some clients at once, one after the other each."""
    return asyncio.run(_clients(service.port, texts, clients, seconds))


async def _stopped(service: Service, texts: list[str], clients: int, after: float) -> Load:
    asked = asyncio.ensure_future(_clients(service.port, texts, clients, 60.0))
    await asyncio.sleep(after)
    service.process.send_signal(signal.SIGTERM)
    return await asked


def table(rows: dict[str, dict[str, Any]], clients: int) -> str:
    """The rows in Markdown."""
    lines = [
        "| service | 1 client: requests/s | p50, ms | p99, ms "
        f"| {clients} clients: requests/s | p50, ms | p99, ms | gain | failed |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        cells = [name]
        for load in (row["one"], row["many"]):
            cells.append(f"{load['requests_per_second']:,.1f}")
            cells += [f"{1000 * load[key]:,.0f}" for key in ("p50", "p99")]
        failed = sum(row["one"]["failed"].values()) + sum(row["many"]["failed"].values())
        lines.append("| " + " | ".join([*cells, f"{row['gain']:.2f}", str(failed)]) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("pipeline", help="package or directory")
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, metavar="SERVICE")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--words", default="25", help="of a text, or 'mixed'")
    parser.add_argument("--seconds", type=float, default=10.0, help="of a turn")
    parser.add_argument(
        "--alone", type=float, help="seconds of a turn with one client, if not --seconds"
    )
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--stop-after", type=float, default=3.0, help="seconds until SIGTERM")
    arguments = parser.parse_args()
    texts = sample_documents(arguments.words, TEXTS, seed=0)
    names = [name for name in CONTENDERS if arguments.only is None or name in arguments.only]
    alone = arguments.seconds if arguments.alone is None else arguments.alone
    turns = {"one": (1, alone), "many": (arguments.clients, arguments.seconds)}
    loads = {name: {"one": Load(), "many": Load()} for name in names}
    with ExitStack() as stack, Progress("measuring", arguments.rounds, "rounds") as progress:
        services = [stack.enter_context(Service(name, arguments.pipeline)) for name in names]
        for service in services:  # what is made at the first request is no part of the others
            under_load(service, texts, 2, min(1.0, arguments.seconds))
        for _ in range(arguments.rounds):
            for service in services:
                for key, (clients, seconds) in turns.items():
                    time.sleep(SETTLE)
                    load = under_load(service, texts, clients, seconds)
                    loads[service.name][key].add(load)
            progress.update()
        rows: dict[str, dict[str, Any]] = {
            name: {key: load.row() for key, load in both.items()} for name, both in loads.items()
        }
        for row in rows.values():
            ratio = row["many"]["requests_per_second"] / row["one"]["requests_per_second"]
            row["gain"] = ratio
        stopped = None
        if OURS in names:
            ours = services[names.index(OURS)]
            load = asyncio.run(_stopped(ours, texts, arguments.clients, arguments.stop_after))
            stopped = {"status": ours.process.wait(), **load.row()}
    print(table(rows, arguments.clients))
    if stopped is not None:
        print(
            f"\nSIGTERM while {arguments.clients} clients ask: {stopped['answered']} answered, "
            f"{sum(stopped['failed'].values())} not; exit status {stopped['status']}"
        )
    packages = ("torch", "spacy", "fastapi", "uvicorn", "transformers")
    conclude(
        {
            "clients": arguments.clients,
            "words": arguments.words,
            "seconds": {key: seconds * arguments.rounds for key, (_, seconds) in turns.items()},
            "services": rows,
            "stopped": stopped,
            "versions": {package: version(package) for package in packages},
        }
    )
    ours = rows.get(OURS)
    if ours and (ours["one"]["failed"] or ours["many"]["failed"] or (stopped or {}).get("failed")):
        sys.exit(1)


if __name__ == "__main__":
    main()
