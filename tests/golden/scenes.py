"""What the golden files hold, made from scratch: small networks, text, runs and messages.

    python -m tests.golden.scenes

writes all of them anew into tests/golden/files. Do so only where behaviour is meant to change, and
say in the commit what has changed and why.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spacy_selectra.corpus.documents import Document
from spacy_selectra.corpus.packed.builder import PackSettings, pack_corpus
from spacy_selectra.corpus.vocabulary import VocabularySettings, train_vocabulary
from spacy_selectra.encoder.checkpoint import load_discriminator
from spacy_selectra.encoder.precision import precision
from spacy_selectra.pretraining.config import read_settings
from spacy_selectra.pretraining.pretrain import pretrain
from spacy_selectra.text.tokenizer import SPECIAL_TOKENS, make_tokenizer, save_tokenizer

FILES = Path(__file__).parent / "files"
PACKAGE = Path(__file__).parents[2] / "packages" / "es_selectra_tiny"
LENGTH, STOPPED_AT, STEPS = 24, 6, 12
# They depend on the machine and its load; the last two are the same.
TIMES = ("tokens_per_second", "elapsed_seconds", "mfu", "utilization")

_TEXT = """el la niño niña perro gato casa pan rosa comió bebió miró corrió piñón en de con y Cádiz
Madrid Ana José ayer mañana siempre árbol río mar azul grande pequeño ."""
WORDS = _TEXT.split()

CONFIG = """
[paths]
corpus = "corpus"
tokenizer = "tokenizer"

[encoder]
preset = "tiny"
embedding_size = 8
hidden_size = 16
num_hidden_layers = 1
num_attention_heads = 2
intermediate_size = 32
max_position_embeddings = 32

[generator]
scale = 0.5

[objective]

[optimizer]
learning_rate = 0.005

[schedule]
warmup_steps = 4

[training]
batch_size = 4
precision = "fp32"
device = "cpu"
threads = 1
seed = 3
log_every = 2
checkpoint_every = 6
evaluate_every = 6
evaluate_sequences = 8
"""


def documents() -> list[str]:
    """Random sentences of the words above, always the same."""
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(WORDS, size=rng.integers(10, 40))) for _ in range(60)]


def make_corpus(place: Path) -> None:
    """A tokenizer and the documents packed with it, below `place`."""
    save_tokenizer(make_tokenizer([*SPECIAL_TOKENS, *sorted(set(WORDS))]), place / "tokenizer")
    (place / "text.txt").write_text("\n\n".join(documents()), encoding="utf-8")
    settings = PackSettings(length=LENGTH, heldout=0.2)
    pack_corpus(place / "text.txt", place / "corpus", place / "tokenizer", settings)


def packed_bytes() -> dict[str, str]:
    """Digests of the shards, of their manifest without times and versions, and of a vocabulary."""
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        make_corpus(place)
        for path in sorted((place / "corpus").rglob("*")):
            if path.is_file() and path.suffix != ".json":
                found[path.relative_to(place).as_posix()] = digest(path.read_bytes())
    texts = [Document(text, "memory", str(place)) for place, text in enumerate(documents())]
    trained = train_vocabulary(lambda: iter(texts), VocabularySettings(size=90, heldout=0.0))
    entries = trained.tokenizer.get_vocab()
    found["vocabulary"] = digest("\n".join(sorted(entries, key=lambda e: entries[e])).encode())
    return found


def digest(data: bytes) -> str:
    """SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def run_settings(place: Path, steps: int) -> Any:
    """Of a pretraining over the corpus below `place`."""
    (place / "pretrain.cfg").write_text(CONFIG, encoding="utf-8")
    paths = {"paths.corpus": str(place / "corpus"), "paths.tokenizer": str(place / "tokenizer")}
    return read_settings(place / "pretrain.cfg", {**paths, "training.max_steps": steps})


def rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a log, but for times."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found.append({name: value for name, value in row.items() if name not in TIMES})
    return found


def whole_run(place: Path) -> dict[str, Any]:
    """The logs of a pretraining of twelve steps."""
    make_corpus(place)
    pretrain(run_settings(place, STEPS), place / "run")
    return logs(place / "run")


def continued_run(place: Path) -> dict[str, Any]:
    """The logs of a run below `place` that was to end after six steps and goes on to twelve."""
    pretrain(run_settings(place, STEPS), place / "run")
    return logs(place / "run")


def logs(run: Path) -> dict[str, Any]:
    """Both logs of a run."""
    return {name: rows(run / f"{name}.jsonl") for name in ("log", "evaluation")}


def logits(directory: Path) -> list[float]:
    """What a saved discriminator makes of two sequences."""
    model = load_discriminator(directory).eval()
    ids = torch.tensor([2, 7, 11, 13, 3, 2, 30, 29, 3])
    with torch.no_grad(), precision("fp32"):
        return model(ids, [5, 4]).tolist()


def shipped() -> list[dict[str, Any]]:
    """What the pipeline in packages/ makes of the ordinary texts, in float32."""
    import spacy

    with tempfile.TemporaryDirectory() as scratch:
        (wheel,) = PACKAGE.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(scratch)
        (data,) = Path(scratch).glob("es_selectra_tiny/es_selectra_tiny-*")
        nlp = spacy.load(
            data, config={"components": {"transformer": {"model": {"precision": "fp32"}}}}
        )
        text = (PACKAGE.parents[1] / "assets" / "ordinary.txt").read_text(encoding="utf-8")
        found = []
        for doc in nlp.pipe(line for line in text.splitlines() if line.strip()):
            found.append(
                {
                    "entities": [[ent.start, ent.end, ent.label_] for ent in doc.ents],
                    "topics": {label: round(score, 5) for label, score in doc.cats.items()},
                    "replaced": [round(float(token._.replaced), 5) for token in doc],
                }
            )
        return found


def helps() -> Iterator[tuple[str, str]]:
    """The help of every command, by its name."""
    from click import Context
    from typer.main import get_command

    from spacy_selectra.cli.app import app

    def walk(command: Any, name: str, parent: Context | None) -> Iterator[tuple[str, str]]:
        context = Context(command, info_name=name, parent=parent, terminal_width=100)
        yield context.command_path, command.get_help(context)
        for child, below in getattr(command, "commands", {}).items():
            yield from walk(below, child, context)

    yield from walk(get_command(app), "selectra", None)


def write(name: str, value: Any) -> None:
    """A golden file."""
    text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True)
    (FILES / name).write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """Write all golden files."""
    shutil.rmtree(FILES, ignore_errors=True)
    FILES.mkdir()
    write("packed.json", packed_bytes())
    with tempfile.TemporaryDirectory() as scratch:
        write("logs.json", whole_run(Path(scratch)))
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        make_corpus(place)
        pretrain(run_settings(place, STOPPED_AT), place / "run")
        shutil.copytree(place / "run", FILES / "run", ignore=shutil.ignore_patterns("*-0"))
        write("continued.json", continued_run(place))
    for path in (FILES / "run" / "config.cfg", FILES / "run" / "run.json"):
        path.write_text(
            re.sub(r'"/[^"]*/', '"', path.read_text(encoding="utf-8")), encoding="utf-8"
        )
    write("logits.json", logits(FILES / "run" / "discriminator"))
    write("shipped.json", shipped())
    write("help.json", dict(helps()))


if __name__ == "__main__":
    main()
