"""Documents to `.jsonl` files, plain or compressed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from spacy_selectra.corpus.compression import open_for_writing, split_suffix
from spacy_selectra.corpus.readers import Document
from spacy_selectra.errors import SelectraError
from spacy_selectra.files import atomic_file


def write_documents(path: str | Path, documents: Iterable[Document]) -> int:
    """Write one JSON object (`text`, `source`, `id`) a line; returns how many were written.

    The file appears only when the last document has been written.

    Raises:
        SelectraError: the name does not end in .jsonl, .jsonl.gz, .jsonl.xz or .jsonl.zst,
            or the disk is full.
    """
    kind, compression = split_suffix(path)
    if kind != ".jsonl":
        raise SelectraError(f"{path}: the output must end in .jsonl, .jsonl.gz, .jsonl.xz or .zst")
    count = 0
    with atomic_file(path) as temporary, open_for_writing(temporary, compression) as stream:
        for document in documents:
            record = {"text": document.text, "source": document.source, "id": document.id}
            stream.write((json.dumps(record, ensure_ascii=False) + "\n").encode())
            count += 1
    return count
