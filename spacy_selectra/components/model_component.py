"""Base class of components with a model: loading, saving and batching.

spaCy imports this module with its first pipeline, so torch, transformers and our encoder are
imported only within functions.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import srsly
from spacy.pipeline import Pipe
from spacy.tokens import Doc
from spacy.util import minibatch

from spacy_selectra.errors import SelectraError

CONFIG_FILE = "config.json"
# Files of transformers' tokenizers.
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
)


class ModelComponent(Pipe):
    """A component around one model directory.

    The model is loaded lazily, from the directory or hub id in the configuration, or from
    `from_disk` or `from_bytes`. It is saved in transformers' format: safetensors, `config.json`
    and tokenizer.

    Args:
        name: name in the pipeline.
        model: directory or hub id, None if the weights come with the pipeline.
    """

    def __init__(self, name: str, model: str | None) -> None:
        self.name = name
        self._source: str | Path | None = model
        self._model: Any = None
        self._tokenizer_files: dict[str, bytes] = {}

    def annotate(self, docs: list[Doc]) -> None:
        """Set this component's annotations."""
        raise NotImplementedError

    def load(self, directory: Path) -> Any:
        """Load the model from a directory."""
        raise NotImplementedError

    def __call__(self, doc: Doc) -> Doc:
        """Annotate one document."""
        try:
            self.annotate([doc])
        except Exception as error:  # for spaCy's error handler
            self.get_error_handler()(self.name, self, [doc], error)
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Annotate a stream of documents in batches.

        If a batch fails, its documents are retried one by one. Documents that fail again go to
        spaCy's error handler and are dropped if it does not raise.
        """
        handle: Callable[..., Any] = self.get_error_handler()
        for batch in minibatch(stream, size=batch_size):
            docs = list(batch)
            try:
                self.annotate(docs)
            except Exception as error:  # for spaCy's error handler
                if len(docs) == 1:
                    handle(self.name, self, docs, error)
                else:
                    yield from self.pipe(docs, batch_size=1)
            else:
                yield from docs

    @property
    def loaded_model(self) -> Any:
        """The model, loaded on first access.

        Not called `model`, since spaCy reads that attribute whenever a component is added.

        Raises:
            SelectraError: there is none, or it cannot be loaded.
        """
        if self._model is None:
            if self._source is None:
                raise SelectraError(
                    f"component '{self.name}' has no model: set its 'model' to a directory or hub "
                    "id, or load a pipeline that was saved with one"
                )
            from spacy_selectra.encoder.hub import resolve_model

            self._read(resolve_model(self._source))
        return self._model

    def round_to_half(self, bits: int = 10) -> None:
        """Round the weights to half precision, with so many bits of the fraction, and save them so
        from now on.

        Raises:
            SelectraError: a weight is too large for half precision.
        """
        from spacy_selectra.encoder.serialization import round_to_half

        round_to_half(self._network(), bits)

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write the model directory, or an empty directory if there is no model."""
        path = Path(path)
        if self._source is None and self._model is None:
            path.mkdir(parents=True, exist_ok=True)
            return
        self._save(path)

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> ModelComponent:
        """Use the model of a directory written by `to_disk`; an empty one changes nothing."""
        path = Path(path)
        if (path / CONFIG_FILE).is_file():
            self._source, self._model = path, None
            if self._needed_at_once():
                self._read(path)
        return self

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """The files of `to_disk`, as a msgpack mapping of name to content."""
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "model"
            self.to_disk(path)
            files = {file.name: file.read_bytes() for file in sorted(path.iterdir())}
        return srsly.msgpack_dumps(files)

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> ModelComponent:
        """Use the model from `to_bytes`."""
        files: Any = srsly.msgpack_loads(data)
        with tempfile.TemporaryDirectory() as directory:
            for name, content in files.items():
                (Path(directory) / name).write_bytes(content)
            if files:
                self._read(Path(directory))
        return self

    def _needed_at_once(self) -> bool:
        """Whether `from_disk` loads the weights immediately instead of lazily."""
        return True

    def _network(self) -> Any:
        """The torch module to save."""
        return self.loaded_model

    def _save(self, directory: Path) -> None:
        """Write a directory for `load`."""
        from spacy_selectra.encoder.checkpoint import save_model

        save_model(self._network(), directory)
        for name, content in self._tokenizer_files.items():
            (directory / name).write_bytes(content)

    def _read(self, directory: Path) -> None:
        self._model = self.load(directory)
        self._tokenizer_files = {
            name: (directory / name).read_bytes()
            for name in TOKENIZER_FILES
            if (directory / name).is_file()
        }
        self._source = None


# For torch in forked processes, as started by `nlp.pipe(n_process=2)` on Linux.


_process = os.getpid()


def use_one_thread_if_forked() -> None:
    """Limit torch to one thread if this process is a fork.

    A fork does not inherit its parent's OpenMP threads, but GNU OpenMP would wait for them
    forever. With several processes, one thread each is enough. The fork can still set another
    number of threads later.
    """
    global _process
    if os.getpid() != _process:
        import torch

        _process = os.getpid()
        torch.set_num_threads(1)
