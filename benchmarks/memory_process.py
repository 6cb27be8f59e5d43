"""The process of one case of memory.py: loads its pipeline, processes, and counts memory."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from process_memory import peak_memory, reset_peak, resident_memory
from sample import SAMPLE
from spacy_models import NER, write_encoder

TEXT = SAMPLE / "text" / "train.txt"
WORDS = 25
VOCABULARY = 8000


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
            "model": {**NER, "tok2vec": {**NER["tok2vec"], "@architectures": task.get("listener")}}
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
    words = TEXT.read_text(encoding="utf-8").split()[:20_000]
    choose = random.Random(0)
    for _ in range(count):
        begin = choose.randrange(len(words) - WORDS)
        yield " ".join(words[begin : begin + WORDS])


def one_document(nlp: Any, characters: int) -> dict[str, Any]:
    """Peak while a long document is processed, and what stays while it is kept."""
    sample = TEXT.read_text(encoding="utf-8")
    text = (sample * (characters // len(sample) + 1))[:characters]
    del sample
    before = resident_memory()
    reset_peak()
    begin = time.perf_counter()
    doc = nlp(text)
    seconds = time.perf_counter() - begin
    peak, kept = peak_memory() - before, resident_memory() - before
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
    before = fifth = resident_memory()
    for number, _ in enumerate(nlp.pipe(short_texts(documents)), 1):
        if number == documents // 5:
            fifth = resident_memory()
    return {"fifth": fifth - before, "all": resident_memory() - before}


def main() -> None:
    """Do the task of the only argument, write the answer as one line of JSON."""
    import torch

    task = json.loads(sys.argv[1])
    if task["threads"]:
        torch.set_num_threads(task["threads"])
    torch.manual_seed(0)
    if task.get("prepare"):
        encoder = Path(task["directory"]) / "encoder"
        write_encoder(encoder, task["preset"], VOCABULARY, seed=0)
        print(json.dumps({"encoder": str(encoder)}))
        return
    nlp = load(task)
    for text in short_texts(20):
        nlp(text)
    document = one_document(nlp, task["characters"])
    print(json.dumps({"document": document, "stream": stream(nlp, task["documents"])}))


if __name__ == "__main__":
    main()
