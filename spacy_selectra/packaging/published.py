"""Taking a published discriminator in place of pretraining one."""

from __future__ import annotations

from pathlib import Path

from spacy_selectra.errors import SelectraError


def adopt_discriminator(source: str | Path, output: str | Path) -> Path:
    """Copy a published ELECTRA discriminator to `output/discriminator`, as pretraining writes it.

    Args:
        source: directory or hub id of a discriminator in transformers' format.
        output: directory of the (skipped) pretraining run.

    Returns:
        The directory written.

    Raises:
        SelectraError: `source` is no such model, or `output` holds a pretraining run.
    """
    from spacy_selectra.corpus.tokenizer import load_tokenizer
    from spacy_selectra.encoder.checkpoint import load_discriminator, save_model
    from spacy_selectra.encoder.load import resolve_model

    target = Path(output) / "discriminator"
    if (Path(output) / "generator").is_dir():
        raise SelectraError(
            f"{output}: holds a pretraining run; use another directory for {source}"
        )
    directory = resolve_model(source)
    save_model(load_discriminator(directory), target)
    # Not a copy of its files: published tokenizers leave settings out that transformers
    # then fills with others (accents stripped, no maximal length).
    load_tokenizer(directory).save_pretrained(str(target))
    return target
