"""Taking a published discriminator in place of pretraining one."""

from __future__ import annotations

import shutil
from pathlib import Path

from spacy_selectra.errors import OtherRunError


def adopt_discriminator(source: str | Path, output: str | Path, *, replace: bool = False) -> Path:
    """Copy a published ELECTRA discriminator to `output/discriminator`, as pretraining writes it.

    Args:
        source: directory or hub id of a discriminator in transformers' format.
        output: directory of the (skipped) pretraining run.
        replace: a pretraining run in `output` is deleted.

    Returns:
        The directory written.

    Raises:
        OtherRunError: `output` holds a pretraining run, and `replace` is off.
        SelectraError: `source` is no such model.
    """
    from spacy_selectra.encoder.checkpoint import load_discriminator, save_model
    from spacy_selectra.encoder.hub import resolve_model
    from spacy_selectra.pretraining.run_directory import RECORD_FILE
    from spacy_selectra.text.tokenizer import load_tokenizer

    target = Path(output) / "discriminator"
    directory = resolve_model(source)
    model = load_discriminator(directory)
    if (Path(output) / RECORD_FILE).exists():
        if not replace:
            raise OtherRunError(
                f"{output}: holds a pretraining run; use another directory for {source}"
            )
        shutil.rmtree(output)
    save_model(model, target)
    # Not a copy of its files: published tokenizers leave settings out that transformers
    # then fills with others (accents stripped, no maximal length).
    load_tokenizer(directory).save_pretrained(str(target))
    return target
