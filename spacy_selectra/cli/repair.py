"""`selectra vocab repair`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spacy_selectra.cli.vocab import vocab_app

if TYPE_CHECKING:
    from spacy_selectra.pretraining.repair import Repair

_EXAMPLES = 8  # entries shown of each method


@vocab_app.command("repair")
def repair(
    checkpoint: Annotated[
        str,
        typer.Argument(help="Discriminator (directory or hub id), or a pretraining output."),
    ],
    output: Annotated[
        Path, typer.Argument(help="Directory to write: discriminator/, generator/, repair.json.")
    ],
    generator: Annotated[
        str,
        typer.Option(help="The generator trained with it (directory or hub id); gets the same."),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Look only, write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Find the entries a pretraining has never trained, and start them from their unaccented form.

    For checkpoints that were pretrained with accents stripped from the text but kept in the
    vocabulary, as SELECTRA's. The rows can then be trained with encoder.train_rows. Example:

    python -m spacy_selectra vocab repair selectra_small repaired
    """
    import json

    from spacy_selectra.pretraining.repair import repair_checkpoint

    result = repair_checkpoint(checkpoint, None if dry_run else output, generator or None)
    if as_json:
        typer.echo(json.dumps(result.to_dict(), ensure_ascii=False))
    elif not quiet:
        typer.echo("\n".join(_table(result, dry_run)))


def _table(result: Repair, dry_run: bool) -> list[str]:
    found = result.statistics
    lines = [f"{result.checkpoint}: {found.verdict}"]
    if not result.entries:
        return [*lines, "nothing to repair, nothing written"]
    lines += [
        f"  accented      {found.accented_found:,} of {found.accented:,}",
        f"  reserved      {found.reserved_found:,} of {found.reserved:,}",
        f"  spread        {found.spread:.2f} of the random start, other entries "
        f"{found.spread_others:.2f}",
        f"  drift         {found.drift:.1f} times that from the other entries",
        f"  kinship       {found.kinship:.1%} have a neighbour nearer than chance",
        f"  overlap       {found.overlap:.2%} wrong verdicts expected, {found.uncertain:,} "
        "uncertain",
    ]
    for method, count in result.methods().items():
        lines.append(f"{method}: {count:,}")
        entries = [entry for entry in result.entries if entry.method == method]
        for entry in entries[:_EXAMPLES]:
            lines.append("  " + " ".join([entry.piece, *(["<-"] if entry.sources else [])]))
            lines[-1] += "".join(f" {piece}" for piece in entry.sources)
    lines.append("nothing written" if result.written is None else f"{result.written}: written")
    if dry_run:
        lines[-1] = "dry run, nothing written"
    return lines
