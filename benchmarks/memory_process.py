"""The process of one case of memory.py: loads its pipeline, processes, and counts memory."""

from __future__ import annotations

import json
import random
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SAMPLE = Path(__file__).parents[1] / "assets" / "sample" / "text" / "train.txt"
WORDS = 25
VOCABULARY = 8000


def prepare(directory: Path, name: str) -> Path:
    """A model directory: random weights of a preset, a vocabulary trained on the sample."""
    from spacy_selectra.corpus.readers import read_documents
    from spacy_selectra.corpus.tokenizer import entries, save_tokenizer
    from spacy_selectra.corpus.vocabulary import VocabularySettings, train_vocabulary
    from spacy_selectra.encoder.checkpoint import save_model
    from spacy_selectra.encoder.models import Discriminator
    from spacy_selectra.encoder.presets import preset

    settings = VocabularySettings(size=VOCABULARY, heldout=0.0)
    trained = train_vocabulary(lambda: read_documents([str(SAMPLE)]), settings)
    save_tokenizer(trained.tokenizer, directory / "tokenizer")
    config = preset(name, vocab_size=len(entries(trained.tokenizer)))
    save_model(Discriminator(config), directory / "model", tokenizer=directory / "tokenizer")
    return directory / "model"


def load(task: dict[str, Any]) -> Any:
    """The pipeline of a case."""
    import spacy

    nlp = spacy.blank("es")
    nlp.max_length = max(nlp.max_length, task["characters"] + 1)
    configs: dict[str, dict[str, Any]] = {
        "transformer": {
            "model": {
                "@architectures": "spacy-selectra.SelectraModel.v1",
                "name": task["encoder"],
                "get_spans": None,
                "precision": task["precision"],
                "max_batch_pieces": task["max_batch_pieces"],
            }
        },
        "ner": {
            "model": {
                "@architectures": "spacy.TransitionBasedParser.v2",
                "state_type": "ner",
                "extra_state_tokens": False,
                "hidden_width": 64,
                "maxout_pieces": 2,
                "use_upper": False,
                "tok2vec": {
                    "@architectures": task.get("listener"),
                    "grad_factor": 1.0,
                    "pooling": {"@layers": "reduce_mean.v1"},
                },
            }
        },
        "doc_cleaner": {"attrs": {"_.trf_data": None}},
    }
    for name in task["pipes"]:
        pipe: Any = nlp.add_pipe(name, config=configs[name])
        if name == "ner":
            for label in ("LOC", "MISC", "ORG", "PER"):
                pipe.add_label(label)
    nlp.initialize()
    return nlp


def short_texts(count: int) -> Iterator[str]:
    """Documents of words of the sample, made as they are needed."""
    words = SAMPLE.read_text(encoding="utf-8").split()[:20_000]
    choose = random.Random(0)
    for _ in range(count):
        begin = choose.randrange(len(words) - WORDS)
        yield " ".join(words[begin : begin + WORDS])


def one_document(nlp: Any, characters: int) -> dict[str, Any]:
    """Peak while a long document is processed, and what stays while it is kept."""
    sample = SAMPLE.read_text(encoding="utf-8")
    text = (sample * (characters // len(sample) + 1))[:characters]
    del sample
    before = _resident_memory()
    _forget_peak()
    begin = time.perf_counter()
    doc = nlp(text)
    seconds = time.perf_counter() - begin
    peak, kept = _peak_memory() - before, _resident_memory() - before
    data = doc._.trf_data if doc.has_extension("trf_data") else None
    hidden = None if data is None else data.model_output.last_hidden_state
    return {
        "tokens": len(doc),
        "pieces": 0 if data is None else sum(data.wordpieces.lengths),
        "result": 0 if hidden is None else hidden.nbytes,
        "peak": peak,
        "kept": kept,
        "seconds": seconds,
    }


def stream(nlp: Any, documents: int) -> dict[str, Any]:
    """Resident memory after a fifth of the documents and after all, above that before them."""
    before = fifth = _resident_memory()
    for number, _ in enumerate(nlp.pipe(short_texts(documents)), 1):
        if number == documents // 5:
            fifth = _resident_memory()
    return {"fifth": fifth - before, "all": _resident_memory() - before}


def _forget_peak() -> None:
    """Let the peak start from here, where the system can (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _peak_memory() -> int:
    """Bytes. `ru_maxrss` (KiB on Linux, bytes on macOS) cannot start anew, so VmHWM first."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _resident_memory() -> int:
    status = Path("/proc/self/statm")
    if not status.exists():
        return _peak_memory()
    return int(status.read_text().split()[1]) * resource.getpagesize()


def main() -> None:
    """Do the task of the only argument, write the answer as one line of JSON."""
    import torch

    task = json.loads(sys.argv[1])
    if task["threads"]:
        torch.set_num_threads(task["threads"])
    torch.manual_seed(0)
    if task.get("prepare"):
        print(json.dumps({"encoder": str(prepare(Path(task["directory"]), task["preset"]))}))
        return
    nlp = load(task)
    for text in short_texts(20):
        nlp(text)
    document = one_document(nlp, task["characters"])
    print(json.dumps({"document": document, "stream": stream(nlp, task["documents"])}))


if __name__ == "__main__":
    main()
