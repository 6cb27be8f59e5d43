"""Runs in the environment of `smoke_test.try_wheel`: reads a JSON request, prints a JSON line."""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import Any

import spacy_selectra
from spacy_selectra.serving.records import describe, load_pipeline, zero_shot_component


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Load `request["package"]` both ways users do and annotate `request["texts"]`."""
    module = importlib.import_module(request["package"])
    nlp = module.load()
    start = time.perf_counter()  # all libraries have been imported
    load_pipeline(request["package"])
    seconds = time.perf_counter() - start
    docs = list(nlp.pipe(request["texts"]))
    records = []
    for doc in docs:
        record = describe(doc)
        if "replaced" in doc.spans:
            record["words"] = [(t.text, round(float(t._.replaced), 4)) for t in doc]
        records.append(record)
    if request["labels"]:
        labels = request["labels"]
        scores = zero_shot_component(nlp).classify(docs, labels)
        for record, row in zip(records, scores, strict=True):
            record["zero_shot"] = {label: round(float(row[label]), 4) for label in labels}
    return {
        "package": request["package"],
        "version": module.__version__,
        "load_seconds": round(seconds, 2),
        "origins": [spacy_selectra.__file__, module.__file__],
        "docs": records,
    }


if __name__ == "__main__":
    # Bytes, because an isolated interpreter may have a locale other than UTF-8.
    result = answer(json.loads(sys.stdin.buffer.read().decode("utf-8")))
    sys.stdout.write(json.dumps(result, ensure_ascii=True) + "\n")
