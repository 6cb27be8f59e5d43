"""A contender of service.py: FastAPI as its tutorial has it, reading one text for each request."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from typing import Any

import spacy
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from spacy_selectra.serving.records import describe


class Request(BaseModel):
    """A text."""

    text: str


def entities_by_transformers(pipeline: str) -> Callable[[str], dict[str, Any]]:
    """transformers' own pipeline for entities, with the shipped encoder's sizes and tokenizer.

    Its weights are random, which costs the same; topics and replaced words are left out, which
    spares it two thirds of the work.
    """
    from transformers import ElectraConfig, ElectraForTokenClassification, PreTrainedTokenizerFast
    from transformers import pipeline as make_pipeline

    model = spacy.load(pipeline).get_pipe("transformer").model  # pyright: ignore
    encoder = model.transformer.config
    keys = ("vocab_size", "embedding_size", "hidden_size", "num_hidden_layers")
    more = ("num_attention_heads", "intermediate_size", "max_position_embeddings")
    config = ElectraConfig(**{key: getattr(encoder, key) for key in keys + more}, num_labels=9)
    tokenizer = model.tokenizer
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend)
    found: Any = make_pipeline(
        "token-classification",
        model=ElectraForTokenClassification(config).eval(),
        tokenizer=tokenizer,
        aggregation_strategy="simple",
        device=-1,
    )

    def read(text: str) -> dict[str, Any]:
        ents = [{**each, "score": float(each["score"])} for each in found(text)]
        return {"text": text, "ents": ents}

    return read


def all_by_spacy(pipeline: str) -> Callable[[str], dict[str, Any]]:
    """The whole pipeline, called for each text."""
    nlp = spacy.load(pipeline)
    return lambda text: describe(nlp(text))


def main() -> None:
    """Serve on a free port until SIGTERM."""
    name, pipeline = sys.argv[1:]
    app = FastAPI()
    if name.startswith("transformers"):
        read = entities_by_transformers(pipeline)
    else:
        read = all_by_spacy(pipeline)

    def annotate(request: Request) -> dict[str, Any]:
        return read(request.text)

    async def annotate_in_the_loop(request: Request) -> dict[str, Any]:
        return read(request.text)

    app.post("/annotate")(annotate_in_the_loop if name.endswith("async def") else annotate)
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run([listening])


if __name__ == "__main__":
    main()
