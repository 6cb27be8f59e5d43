"""How many kernels does oneDNN generate, in a pretraining and in serving?

    python benchmarks/kernels.py --steps 200 --documents 1000
    python benchmarks/kernels.py --precision bf16 --pipeline es_selectra_tiny

The demonstration's pretraining, and documents of mixed length through a pipeline, each in a process
of its own that reports what oneDNN says it creates (ONEDNN_VERBOSE=profile_create). Prints a
Markdown table and finally one JSON line.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from processor import conclude
from sample import SAMPLE

from spacy_selectra.corpus.documents import read_documents
from spacy_selectra.corpus.packed.builder import PackSettings, pack_corpus
from spacy_selectra.corpus.vocabulary import VocabularySettings, train_vocabulary
from spacy_selectra.errors import SelectraError
from spacy_selectra.text.tokenizer import save_tokenizer

RECIPE = Path(__file__).parents[1] / "configs" / "pretrain_sample.cfg"
TEXT = SAMPLE / "text" / "train.txt"
# Of the demonstration, see project.yml.
VOCABULARY, LENGTH = 6000, 64

SERVE = """
import sys, spacy
pipeline, precision, texts = sys.argv[1:]
settings = {"components": {"transformer": {"model": {"precision": precision}}}}
nlp = spacy.load(pipeline, config=settings)
with open(texts, encoding="utf-8") as lines:
    for doc in nlp.pipe(line.strip() for line in lines):
        pass
"""


def counted(command: Sequence[str]) -> dict[str, Any]:
    """Kernels that a command has oneDNN generate, and the seconds it says they took.

    Raises:
        SelectraError: the command failed.
    """
    environment = {**os.environ, "ONEDNN_VERBOSE": "profile_create"}
    done = subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise SelectraError(f"{' '.join(command[:3])} failed: {done.stderr.strip()[-500:]}")
    made = [line for line in done.stdout.splitlines() if "create:cache_miss" in line]
    milliseconds = sum(float(line.rsplit(",", 1)[1]) for line in made)
    return {"kernels": len(made), "seconds": milliseconds / 1e3}


def pretraining(directory: Path, steps: int, precision: str) -> dict[str, Any]:
    """Of the demonstration's pretraining."""
    settings = VocabularySettings(size=VOCABULARY, heldout=0)
    trained = train_vocabulary(lambda: read_documents(TEXT), settings)
    save_tokenizer(trained.tokenizer, directory / "tokenizer", max_length=512)
    pack_corpus(TEXT, directory / "packed", directory / "tokenizer", PackSettings(length=LENGTH))
    return counted(
        [
            *("-m", "spacy_selectra", "pretrain", str(RECIPE), str(directory / "run"), "--quiet"),
            *("--paths.corpus", str(directory / "packed")),
            *("--paths.tokenizer", str(directory / "tokenizer")),
            *("--training.max_steps", str(steps), "--training.max_seconds", "null"),
            *("--training.max_length", str(LENGTH), "--training.precision", precision),
        ]
    )


def serving(directory: Path, pipeline: str, documents: int, precision: str) -> dict[str, Any]:
    """Of a pipeline that reads documents of 5 to 400 words, log-uniform."""
    words = [word for text in read_documents(TEXT) for word in text.text.split()]
    chance, start, lines = random.Random(0), 0, []
    for _ in range(documents):
        length = round(math.exp(chance.uniform(math.log(5), math.log(400))))
        lines.append(" ".join(words[start : start + length]))
        start = (start + length) % (len(words) - 400)
    (directory / "texts.txt").write_text("\n".join(lines), encoding="utf-8")
    return counted(["-c", SERVE, pipeline, precision, str(directory / "texts.txt")])


def main() -> None:
    """Count and report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--steps", type=int, default=200, help="of the pretraining; 0 for none")
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--pipeline", help="package or directory to serve; none if left out")
    parser.add_argument("--precision", nargs="+", default=["fast", "bf16"])
    arguments = parser.parse_args()
    rows: dict[str, dict[str, Any]] = {}
    try:
        for precision in arguments.precision:
            with tempfile.TemporaryDirectory(prefix="kernels-") as scratch:
                if arguments.steps:
                    found = pretraining(Path(scratch), arguments.steps, precision)
                    rows[f"pretraining, {arguments.steps} steps, {precision}"] = found
                if arguments.pipeline:
                    found = serving(
                        Path(scratch), arguments.pipeline, arguments.documents, precision
                    )
                    rows[f"serving, {arguments.documents} documents, {precision}"] = found
    except SelectraError as error:
        parser.exit(1, f"{error}\n")
    print("| what | kernels | seconds to generate them |\n|---|---|---|")
    for name, row in rows.items():
        print(f"| {name} | {row['kernels']} | {row['seconds']:.2f} |")
    conclude({**vars(arguments), "counts": rows})


if __name__ == "__main__":
    main()
