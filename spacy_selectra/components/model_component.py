"""What the components that own a model share: where it comes from and how it is stored.

Imported whenever spaCy makes its first pipeline, so torch, transformers and our own encoder
are imported inside functions only.
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
# The files transformers' tokenizers are made of.
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

    The model is read when it is first needed, from the directory or hub id in the
    configuration, or from what `from_disk` or `from_bytes` brought. Stored, it is a
    directory in transformers' format: safetensors, `config.json` and tokenizer.

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
        """Write this component's annotations to the documents."""
        raise NotImplementedError

    def load(self, directory: Path) -> Any:
        """Read the model of a directory."""
        raise NotImplementedError

    def __call__(self, doc: Doc) -> Doc:
        """Annotate one document."""
        try:
            self.annotate([doc])
        except Exception as error:  # spaCy's handler decides what errors mean
            self.get_error_handler()(self.name, self, [doc], error)
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Annotate a stream of documents, `batch_size` at a time.

        If a batch fails, its documents are tried one by one; those that fail again go to the
        error handler of spaCy and, should that not raise, are left out.
        """
        handle: Callable[..., Any] = self.get_error_handler()
        for batch in minibatch(stream, size=batch_size):
            docs = list(batch)
            try:
                self.annotate(docs)
            except Exception as error:  # spaCy's handler decides what errors mean
                if len(docs) == 1:
                    handle(self.name, self, docs, error)
                else:
                    yield from self.pipe(docs, batch_size=1)
            else:
                yield from docs

    @property
    def loaded_model(self) -> Any:
        """The model, read now if it was not yet.

        Not called `model`: spaCy looks at that attribute of every component when one is added.

        Raises:
            SelectraError: there is none, or it cannot be read.
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

    def round_to_half(self) -> None:
        """Round the weights to half precision, in which they are then stored.

        Raises:
            SelectraError: a weight that half precision cannot hold.
        """
        from spacy_selectra.encoder.serialization import round_to_half

        round_to_half(self._network())

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write the model directory; nothing but an empty directory if there is no model."""
        path = Path(path)
        if self._source is None and self._model is None:
            path.mkdir(parents=True, exist_ok=True)
            return
        self._save(path)

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> ModelComponent:
        """Take the model from a directory written by `to_disk`; an empty one changes nothing."""
        path = Path(path)
        if (path / CONFIG_FILE).is_file():
            self._source, self._model = path, None
            if self._needed_at_once():
                self._read(path)
        return self

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """The files `to_disk` writes, as one msgpack mapping of name to content."""
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "model"
            self.to_disk(path)
            files = {file.name: file.read_bytes() for file in sorted(path.iterdir())}
        return srsly.msgpack_dumps(files)

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> ModelComponent:
        """Take the model from what `to_bytes` returned."""
        files: Any = srsly.msgpack_loads(data)
        with tempfile.TemporaryDirectory() as directory:
            for name, content in files.items():
                (Path(directory) / name).write_bytes(content)
            if files:
                self._read(Path(directory))
        return self

    def _needed_at_once(self) -> bool:
        """Whether `from_disk` reads the weights instead of remembering where they are."""
        return True

    def _network(self) -> Any:
        """The torch module that is stored."""
        return self.loaded_model

    def _save(self, directory: Path) -> None:
        """Write what `load` reads."""
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


# torch in forked processes, as `nlp.pipe(n_process=2)` starts them on Linux.


_process = os.getpid()


def use_one_thread_if_forked() -> None:
    """Let torch compute with one thread if this process is a fork.

    A fork has none of the threads its parent's OpenMP had started, which GNU's would wait for
    without end. One thread of torch starts no others, and the processes are what shares out
    the processors. Whoever sets the number of threads in the fork later gets them.
    """
    global _process
    if os.getpid() != _process:
        import torch

        _process = os.getpid()
        torch.set_num_threads(1)
