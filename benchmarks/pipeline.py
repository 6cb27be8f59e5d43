"""Speed of a spaCy pipeline of `transformer` and `ner`, ours against spacy-transformers.

    python benchmarks/pipeline.py --preset small --words 90 --threads 2

Each contender is a separate process that is kept alive. They annotate the whole corpus in turn, so
that only one computes at a time and a slow phase of the machine affects all of them. Encoder,
entity recogniser and documents are the same for all.

Prints a Markdown table and finally one JSON line; README.md describes the columns.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from processor import conclude
from sample import SAMPLE, sample_documents
from spacy_models import write_encoder, write_pipeline
from turns import ContenderError, Process, take_turns

from spacy_selectra.encoder.config import PRESETS
from spacy_selectra.errors import SelectraError

BASE = "stock"
MIB = 1 << 20
SCRIPT = Path(__file__).with_name("pipeline_process.py")
WORDS = 12_000  # of a corpus, unless --documents says something else


@dataclass(frozen=True)
class Spec:
    """A contender's code, how it computes products, and whether it reads stock's strided spans."""

    kind: str
    precision: str
    strided: bool = True


CONTENDERS = {
    BASE: Spec("stock", "fp32"),
    "stock medium": Spec("stock", "medium"),
    "plain transformers": Spec("plain", "fp32", strided=False),
    "plain transformers medium": Spec("plain", "medium", strided=False),
    "ours fp32": Spec("ours", "fp32"),
    "ours fast": Spec("ours", "fast"),
    "ours bf16": Spec("ours", "bf16"),
    "ours int8": Spec("ours", "int8"),
    "ours fast whole": Spec("ours", "fast", strided=False),
    "ours bf16 whole": Spec("ours", "bf16", strided=False),
    "ours int8 whole": Spec("ours", "int8", strided=False),
}


def prepare(directory: Path, arguments: argparse.Namespace) -> list[str]:
    """Write documents, encoder and pipeline for all contenders; returns the documents.

    Raises:
        SelectraError: the encoder cannot be read, or the vocabulary is too small.
    """
    count = arguments.documents
    if count is None:
        mean = 90 if arguments.words == "mixed" else int(arguments.words)
        count = max(1, round(WORDS / mean))
    texts = sample_documents(arguments.words, count, arguments.seed)
    (directory / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
    encoder = directory / "encoder"
    if arguments.encoder is None:
        write_encoder(encoder, arguments.preset, arguments.vocabulary, arguments.seed)
    else:
        encoder.symlink_to(arguments.encoder.resolve(), target_is_directory=True)
    train = SAMPLE / "ner" / "train.conll"
    write_pipeline(directory / "pipeline", encoder, train, arguments.head_steps, arguments.seed)
    return texts


def measure(names: list[str], task: dict[str, Any], arguments: argparse.Namespace) -> dict:
    """Let all of them annotate in turn; seconds of each run and everything else by contender.

    Raises:
        ContenderError: a contender failed.
    """
    with ExitStack() as stack:
        running = []
        for name in names:
            values = {**task, **asdict(CONTENDERS[name]), "name": name}
            running.append(stack.enter_context(Process(name, SCRIPT, values)))
        found = {each.name: each.answer() for each in running}
        for row in found.values():
            row["seconds"] = []
        for number, each in take_turns(running, arguments.warm_up + arguments.repeats):
            seconds = each.ask("run", number)["seconds"]
            if number >= arguments.warm_up:
                found[each.name]["seconds"].append(seconds)
        for each in running:
            row, kind = found[each.name], CONTENDERS[each.name].kind
            row["peak_memory_mib"] = each.ask("memory")["bytes"] / MIB
            row.update(each.ask("about"))
            if kind != "plain":
                row.update(each.ask("outputs"))
            if arguments.profile and kind != "plain":
                row["profile"] = each.ask("profile")
    return found


def summarise(found: dict[str, dict[str, Any]], words: int, documents: int) -> None:
    """Rates out of seconds, and comparisons with stock, in place."""
    stock = found.get(BASE)
    stock_entities = stock["entities"] if stock else None
    stock_vectors = np.load(stock["vectors"]) if stock else None
    for row in found.values():
        row["words_per_second"] = statistics.median(words / each for each in row["seconds"])
    base = stock["words_per_second"] if stock else None
    for name, row in found.items():
        rates = [words / seconds for seconds in row["seconds"]]
        row["slowest"], row["fastest"] = min(rates), max(rates)
        row["document_ms"] = statistics.median(row["seconds"]) * 1e3 / documents
        row["ratio"] = row["words_per_second"] / base if base else None
        row["entities_equal"] = row["vector_difference"] = None
        entities = row.pop("entities", None)
        path = row.pop("vectors", None)
        if entities is None:
            continue
        row["entities"] = dict(Counter(label for each in entities for *_, label in each))
        if stock_entities is None or stock_vectors is None:
            continue
        same = [mine == theirs for mine, theirs in zip(entities, stock_entities, strict=True)]
        row["entities_equal"] = sum(same) / len(same)
        if CONTENDERS[name].strided:
            row["vector_difference"] = float(np.abs(np.load(path) - stock_vectors).max())


def table(rows: dict[str, dict[str, Any]]) -> str:
    """The rows in Markdown."""
    lines = [
        "| contender | words/s | min..max | ratio | ms/document | peak MiB | entities equal "
        "| vectors |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
        equal = "" if row["entities_equal"] is None else f"{row['entities_equal']:.1%}"
        vectors = "" if row["vector_difference"] is None else f"{row['vector_difference']:.1e}"
        lines.append(
            f"| {name} | {row['words_per_second']:,.0f} "
            f"| {row['slowest']:,.0f}..{row['fastest']:,.0f} | {ratio} | {row['document_ms']:,.2f} "
            f"| {row['peak_memory_mib']:,.0f} | {equal} | {vectors} |"
        )
    return "\n".join(lines)


def profile_table(profiles: dict[str, dict[str, float]], documents: int) -> str:
    """Milliseconds a document by part and contender, in Markdown."""
    parts = sorted(next(iter(profiles.values())))
    lines = [
        f"\n| ms/document | {' | '.join(parts)} |",
        "|---|" + "---|" * len(parts),
    ]
    for name, seconds in profiles.items():
        whole = sum(seconds.values())
        cells = [
            f"{seconds[part] * 1e3 / documents:.2f} ({seconds[part] / whole:.0%})" for part in parts
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _arguments() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", choices=list(CONTENDERS), metavar="CONTENDER")
    parser.add_argument("--preset", choices=list(PRESETS), default="small")
    parser.add_argument("--encoder", type=Path, help="model directory instead of random weights")
    parser.add_argument("--vocabulary", type=int, default=8000, help="entries, without --encoder")
    parser.add_argument("--words", default="90", help='mean words of a document, or "mixed"')
    parser.add_argument("--documents", type=int, help=f"default: {WORDS:,} words in all")
    parser.add_argument("--batch-size", type=int, default=128, help="of nlp.pipe")
    parser.add_argument("--one", action="store_true", help="one document at a time")
    parser.add_argument("--threads", type=int, help="instead of torch's choice")
    parser.add_argument("--warm-up", type=int, default=1, help="runs that do not count")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--head-steps", type=int, default=300, help="updates of the ner, before")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--profile", action="store_true", help="where the time goes, too")
    arguments = parser.parse_args()
    if arguments.words != "mixed" and not (arguments.words.isdigit() and int(arguments.words)):
        parser.error('--words must be a positive number or "mixed"')
    for name in ("batch_size", "warm_up", "repeats", "head_steps"):
        if getattr(arguments, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1")
    if arguments.documents is not None and arguments.documents < 1:
        parser.error("--documents must be at least 1")
    return parser, arguments


def main() -> None:
    """Measure and report."""
    parser, arguments = _arguments()
    names = [name for name in CONTENDERS if arguments.only is None or name in arguments.only]
    if arguments.threads is not None:  # those of the word-piece tokenizers
        os.environ["RAYON_NUM_THREADS"] = str(arguments.threads)
    with tempfile.TemporaryDirectory() as temporary:
        settings = {name: getattr(arguments, name) for name in ("batch_size", "one", "threads")}
        task = {**settings, "directory": temporary}
        try:
            texts = prepare(Path(temporary), arguments)
            found = measure(names, task, arguments)
        except (ContenderError, SelectraError) as error:
            parser.exit(1, f"{error}\n")
        words = sum(len(text.split()) for text in texts)
        summarise(found, words, len(texts))
    print(table(found))
    profiles = {name: row["profile"] for name, row in found.items() if "profile" in row}
    if profiles:
        print(profile_table(profiles, len(texts)))
    options = vars(arguments)
    options["encoder"] = arguments.encoder and str(arguments.encoder)
    packages = ("spacy", "spacy-transformers", "torch", "transformers")
    about = {"words_in_all": words, "documents": len(texts)}
    versions = {package: version(package) for package in packages}
    conclude({**options, **about, "versions": versions, "contenders": found})


if __name__ == "__main__":
    main()
