"""Speed of zero-shot classification, ours against transformers' pipeline at its best batch size.

    python benchmarks/zero_shot.py --preset small --documents 64 --labels 5 --words 60 --threads 2
    python benchmarks/zero_shot.py --matching training/matching --documents 512 --labels 50 \
        --peer-documents 4 --only transformers "ours fast" matching

Each contender is a separate process that is kept alive. They take turns, so that only one computes
at a time and a slow phase of the machine affects all of them. A turn includes everything from texts
to scores of all labels.

Prints a Markdown table and finally one JSON line; README.md describes the columns. Exit
status 1 if float32 scores differ by more than 1e-4.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import re
import statistics
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from processor import conclude
from sample import SAMPLE
from turns import SETTLE, ContenderError, Process, take_turns

from spacy_selectra.corpus.documents import read_documents
from spacy_selectra.corpus.vocabulary import VocabularySettings, train_vocabulary
from spacy_selectra.encoder.checkpoint import save_model
from spacy_selectra.encoder.config import PRESETS, preset
from spacy_selectra.encoder.heads import SequenceClassifier
from spacy_selectra.matching.storage import load_matching
from spacy_selectra.text.tokenizer import load_backend, save_tokenizer

SCRIPT = Path(__file__).with_name("zero_shot_process.py")
TEXT = SAMPLE / "text" / "train.txt"
BASE, MEDIUM, MATCHING = "transformers", "transformers medium", "matching"
TOLERANCE = 1e-4  # of float32 scores in [0, 1]
NLI_LABELS = ("contradiction", "neutral", "entailment")
TEMPLATE = "Este ejemplo es {}."
TOPICS = (
    *("deportes", "política", "economía", "cultura", "ciencia", "tecnología", "sociedad"),
    *("gastronomía", "viajes", "música", "cine", "literatura", "medio ambiente", "salud"),
    *("educación", "historia", "justicia", "agricultura", "transporte", "moda"),
)
# Random weights of ELECTRA's own deviation (0.02) leave all labels equally likely, so that no
# score could be wrong by much; these spread them.
DEVIATION = 0.1


@dataclass(frozen=True)
class Spec:
    """Whose pipeline, and its arithmetic; `checked`: its scores must equal those of `BASE`."""

    kind: str
    mode: str
    checked: bool = False


CONTENDERS = {
    BASE: Spec("transformers", "fp32"),
    MEDIUM: Spec("transformers", "medium"),
    "transformers bf16": Spec("transformers", "bf16"),
    "ours fp32": Spec("ours", "fp32", checked=True),
    "ours fast": Spec("ours", "fast", checked=True),
    "ours bf16": Spec("ours", "bf16"),
    "ours int8": Spec("ours", "int8"),
    MATCHING: Spec("matching", "fp32"),
}


def make_model(directory: Path, name: str) -> Path:
    """A classifier of entailment with random weights, its vocabulary trained on the sample."""
    trained = train_vocabulary(lambda: read_documents(TEXT), VocabularySettings(size=8_000))
    save_tokenizer(trained.tokenizer, directory / "tokenizer")
    torch.manual_seed(0)
    config = replace(preset(name, trained.size), initializer_range=DEVIATION)
    model = SequenceClassifier(config, NLI_LABELS)
    save_model(model, directory / "model", tokenizer=directory / "tokenizer")
    return directory / "model"


def sample_texts(documents: int, words: int, spread: float) -> list[str]:
    """Texts cut out of the sample one after the other, of words * (1 +- spread) words."""
    source = itertools.cycle(TEXT.read_text(encoding="utf-8").split())
    least, most = round(words * (1 - spread)), round(words * (1 + spread))
    sizes = random.Random(0).choices(range(max(1, least), most + 1), k=documents)
    return [" ".join(itertools.islice(source, size)) for size in sizes]


def sample_labels(count: int, matching: Path | None) -> list[str]:
    """Topics, and where they are not enough the longer words of the sample, the commonest first.

    Words that a matching model does not know are left out, as it would refuse them.

    Raises:
        ValueError: the sample has fewer.
    """
    words = Counter(re.findall(r"\b[a-záéíóúüñ]{6,}\b", TEXT.read_text(encoding="utf-8")))
    labels = list(dict.fromkeys([*TOPICS, *(word for word, _ in words.most_common())]))
    if matching is not None:
        index = load_matching(matching).index
        labels = [label for label in labels if len(index.places(label))]
    labels = labels[:count]
    if len(labels) < count:
        raise ValueError(f"the sample is enough for {len(labels)} labels")
    return labels


def measure(
    names: list[str], task: dict[str, Any], batches: list[int], warm_up: int, repeats: int
) -> dict[str, dict[str, Any]]:
    """Let all of them classify in turn; the row of each.

    Raises:
        ContenderError: a contender failed, or its float32 scores are others.
    """
    with ExitStack() as stack:
        running = [
            stack.enter_context(Process(name, SCRIPT, {**task, **vars(CONTENDERS[name])}))
            for name in names
        ]
        rows: dict[str, dict[str, Any]] = {each.name: each.answer() for each in running}
        peers = [each for each in running if CONTENDERS[each.name].kind == "transformers"]
        # the first round is each process's warm-up; of two more the faster counts
        tried: dict[str, dict[int, float]] = {each.name: {} for each in peers}
        for number, batch, each in itertools.product(range(3), batches, peers):
            if number or batch == batches[0]:
                time.sleep(SETTLE)
                rate = each.ask("classify", batch)["documents_per_second"]
                if number:
                    tried[each.name][batch] = max(rate, tried[each.name].get(batch, 0.0))
        best = {name: max(rates, key=rates.__getitem__) for name, rates in tried.items()}
        rates: dict[str, list[float]] = {name: [] for name in names}
        for number, each in take_turns(running, warm_up + repeats):
            done = each.ask("classify", best.get(each.name, 0))
            if number >= warm_up:
                rates[each.name].append(done["documents_per_second"])
        scores = {each.name: each.ask("scores")["scores"] for each in running}
    for name, row in rows.items():
        row["documents_per_second"] = statistics.median(rates[name])
        row["slowest"], row["fastest"] = min(rates[name]), max(rates[name])
        row["batch"], row["tried"] = best.get(name), tried.get(name)
        same = BASE in names and CONTENDERS[name].kind != "matching"
        row["difference"] = _difference(scores[name], scores[BASE]) if same else None
        if CONTENDERS[name].checked and (row["difference"] or 0) > TOLERANCE:
            raise ContenderError(f"scores of '{name}' differ by {row['difference']:.1e}")
    for row in rows.values():
        for key, other in (("ratio", BASE), ("ratio_to_medium", MEDIUM)):
            known = rows[other]["documents_per_second"] if other in rows else None
            row[key] = row["documents_per_second"] / known if known else None
    return rows


def _difference(ours: list[list[float]], theirs: list[list[float]]) -> float:
    """The largest one, of the documents both have."""
    pairs = zip(itertools.chain(*ours), itertools.chain(*theirs))  # noqa: B905
    return max(abs(one - other) for one, other in pairs)


def table(rows: dict[str, dict[str, Any]]) -> str:
    """The rows in Markdown."""
    lines = [
        "| contender | batch | documents/s | min..max | ratio | ratio to medium | difference |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        ratios = [row["ratio"], row["ratio_to_medium"]]
        cells = [
            name,
            row["batch"] or "",
            f"{row['documents_per_second']:,.2f}",
            f"{row['slowest']:,.2f}..{row['fastest']:,.2f}",
            *("" if ratio is None else f"{ratio:.2f}" for ratio in ratios),
            "" if row["difference"] is None else f"{row['difference']:.1e}",
        ]
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines)


def _arguments() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", choices=list(CONTENDERS), metavar="CONTENDER")
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--preset", choices=list(PRESETS), default="small", help="random weights")
    model.add_argument("--model", type=Path, help="directory of an entailment model instead")
    parser.add_argument("--matching", type=Path, help="directory of a matching model")
    parser.add_argument("--documents", type=int, default=64)
    parser.add_argument("--peer-documents", type=int, default=64, help="transformers reads these")
    parser.add_argument("--labels", type=int, default=5, help="topics, then words of the sample")
    parser.add_argument("--words", type=int, default=60, help="of each document")
    parser.add_argument("--spread", type=float, default=0.0, help="0.5: half to 1.5 as many words")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--threads", type=int, help="instead of torch's choice")
    parser.add_argument("--warm-up", type=int, default=1, help="rounds that do not count")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    if not 0 <= arguments.spread < 1:
        parser.error("--spread must be at least 0 and less than 1")
    least = (*arguments.batches, arguments.documents, arguments.peer_documents, arguments.words)
    if min(*least, arguments.labels, arguments.repeats) < 1:
        parser.error("numbers of documents, words, labels, batches, repeats must be at least 1")
    if arguments.matching is None and MATCHING in (arguments.only or ()):
        parser.error(f"'{MATCHING}' needs --matching DIR")
    return parser, arguments


def main() -> None:
    """Measure and report."""
    parser, arguments = _arguments()
    known = [name for name in CONTENDERS if name != MATCHING or arguments.matching]
    chosen = [name for name in known if arguments.only is None or name in arguments.only]
    texts = sample_texts(arguments.documents, arguments.words, arguments.spread)
    topics = sample_labels(arguments.labels, arguments.matching)
    with tempfile.TemporaryDirectory() as directory:
        model = arguments.model or make_model(Path(directory), arguments.preset)
        (Path(directory) / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
        task = {
            "model": str(model),
            "matching": str(arguments.matching),
            "texts": str(Path(directory) / "texts.json"),
            "peer_documents": min(arguments.peer_documents, arguments.documents),
            "labels": topics,
            "template": TEMPLATE,
            "threads": arguments.threads,
        }
        try:
            batches, repeats = arguments.batches, arguments.repeats
            rows = measure(chosen, task, batches, arguments.warm_up, repeats)
        except ContenderError as error:
            parser.exit(1, f"{error}\n")
        pieces = load_backend(model).encode_batch(texts)
    print(table(rows))
    if task["peer_documents"] < len(texts):
        print(f"\ntransformers' pipeline reads the first {task['peer_documents']} documents only")
    sizes = {"documents": len(texts), "peer_documents": task["peer_documents"], "labels": topics}
    record = {
        **sizes,
        "preset": None if arguments.model else arguments.preset,
        "words": arguments.words,
        "spread": arguments.spread,
        "pieces": sum(len(each.ids) for each in pieces),
        "repeats": arguments.repeats,
        "versions": {package: version(package) for package in ("torch", "transformers", "spacy")},
        "contenders": rows,
    }
    conclude(record)


if __name__ == "__main__":
    main()
