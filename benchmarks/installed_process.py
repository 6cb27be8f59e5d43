"""The process of one contender of installed.py."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import spacy
from process_memory import peak_memory, reset_peak, resident_memory
from spacy_models import stock_model
from turns import serve

ENTITIES = ("tok2vec", "transformer", "ner")
MIB = 1 << 20


def build(task: dict[str, Any]) -> dict[str, Callable[[int], dict[str, Any]]]:
    """Load the pipeline as a user does, and say how long that took."""
    import torch

    torch.set_num_threads(task["threads"])
    spacy.blank("es")  # what spaCy imports for any pipeline
    imported = resident_memory()
    begin = time.perf_counter()
    nlp = spacy.load(task["pipeline"])
    seconds = time.perf_counter() - begin
    path = Path(nlp.path or task["pipeline"])
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    more = [name for name in nlp.pipe_names if name not in ENTITIES]
    if not task["whole"]:
        nlp.select_pipes(disable=more)
    if "stock" in task:
        nlp = on_stock_transformer(nlp, Path(task["stock"]))
    loaded = resident_memory()

    def run(number: int) -> dict[str, Any]:
        reset_peak()
        begin = time.perf_counter()
        found = 0
        for doc in nlp.pipe(task["texts"], batch_size=task["batch_size"]):
            found += len(doc.ents)
        seconds = time.perf_counter() - begin
        peak = (peak_memory() - imported) / MIB
        return {"seconds": seconds, "entities": found, "peak_mib": peak}

    about = {
        "components": nlp.pipe_names,
        "load_seconds": seconds,
        "megabytes": size / 1e6,
        "loaded_mib": (loaded - imported) / MIB,
        "left_out": [] if task["whole"] else more,
    }
    return {"started": lambda _: about, "run": run}


def on_stock_transformer(nlp: Any, encoder: Path) -> Any:
    """The same `ner` over spacy-transformers' own transformer with the encoder of a directory."""
    stock = spacy.blank(nlp.lang)
    transformer: Any = stock.add_pipe("transformer", config={"model": stock_model(encoder)})
    transformer.model.initialize()
    stock.add_pipe("ner", source=nlp)
    return stock


if __name__ == "__main__":
    serve(build)
