"""Speed and loss of the precisions of inference, side by side in one process.

    python benchmarks/serving.py --preset small --batch 32x120 64x30 --threads 2
    python benchmarks/serving.py --pipeline training/ner/model-best --data DEV.conll --limit 600

Precisions take turns, batch after batch, so that all see the same machine; times are medians.
The encoder has random weights, on which its speed does not depend. Without `--pipeline` only
the encoder is measured. The last line is JSON with the same figures.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from processor import conclude

from spacy_selectra.encoder.config import PRESETS, preset
from spacy_selectra.encoder.electra import SelectraEncoder
from spacy_selectra.encoder.precision import PRECISIONS, precision

Row = dict[str, Any]


def interleaved(calls: dict[str, Callable[[], Any]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each call, `repeats` times each, taking turns; one round before does not count."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if turn:
                times[name].append(time.perf_counter() - start)
    return times


def encoder_rows(
    name: str, batches: Sequence[str], modes: Sequence[str], repeats: int
) -> list[Row]:
    """Forward passes of sequences of equal length, and how far vectors are from float32's."""
    torch.manual_seed(0)
    encoder = SelectraEncoder(preset(name)).eval()
    rows: list[Row] = []
    for batch in batches:
        count, length = (int(part) for part in batch.split("x"))
        ids = torch.randint(5, encoder.config.vocab_size, (count * length,))

        def encode(mode: str, ids: torch.Tensor = ids, lengths: Any = (length,) * count) -> Any:
            with torch.inference_mode(), precision(mode):
                return encoder(ids, list(lengths))

        exact = encode("fp32")
        times = interleaved({mode: lambda mode=mode: encode(mode) for mode in modes}, repeats)
        for mode in modes:
            cosine = torch.cosine_similarity(encode(mode), exact, dim=1).min().item()
            row = {"batch": batch, "precision": mode, "lowest_cosine": cosine}
            rows.append({**row, **_speed(times[mode], count * length, "pieces")})
    return rows


def pipeline_rows(
    directory: Path, data: Path, limit: int, modes: Sequence[str], repeats: int
) -> list[Row]:
    """Entities of a trained pipeline: F1, and words a second from documents to entities."""
    import spacy

    from spacy_selectra.components.corpora.labelled import conll_reader
    from spacy_selectra.packaging.pipeline_scores import entity_scores

    calls: dict[str, Callable[[], Any]] = {}
    scores: dict[str, float] = {}
    words = 0
    for mode in modes:
        setting = {"components": {"transformer": {"model": {"precision": mode}}}}
        nlp = spacy.load(directory, config=setting)
        examples = list(conll_reader(data, limit=limit)(nlp))
        words = sum(len(example.reference) for example in examples)
        scores[mode] = entity_scores(nlp, examples)["ents_f"]
        docs = [example.reference for example in examples]

        def annotate(nlp: Any = nlp, docs: Any = docs) -> None:
            for _ in nlp.pipe(doc.copy() for doc in docs):
                pass

        calls[mode] = annotate
    times = interleaved(calls, repeats)
    return [
        {"precision": mode, "f1": 100 * scores[mode], **_speed(times[mode], words, "words")}
        for mode in modes
    ]


def _speed(times: list[float], count: int, unit: str) -> Row:
    return {
        "seconds": statistics.median(times),
        f"{unit}_per_second": count / statistics.median(times),
    }


def table(rows: Sequence[Row]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
    for row in rows:
        cells = (
            f"{value:.5g}" if isinstance(value, float) else str(value) for value in row.values()
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--preset", choices=list(PRESETS), default="small")
    parser.add_argument("--batch", nargs="+", default=["32x120", "64x30"], help="COUNTxLENGTH")
    parser.add_argument("--only", nargs="+", choices=PRECISIONS, default=["fast", "bf16", "int8"])
    parser.add_argument("--pipeline", type=Path, help="trained pipeline with entities")
    parser.add_argument("--data", type=Path, help="CoNLL-2002 file for --pipeline")
    parser.add_argument("--limit", type=int, default=0, help="most sentences; 0 for all")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, help="instead of torch's choice")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    modes, repeats = arguments.only, arguments.repeats
    found: Row = {"threads": torch.get_num_threads(), "preset": arguments.preset}
    found["encoder"] = encoder_rows(arguments.preset, arguments.batch, modes, repeats)
    print(table(found["encoder"]))
    if arguments.pipeline:
        if not arguments.data:
            parser.error("--pipeline needs --data FILE")
        found["pipeline"] = pipeline_rows(
            arguments.pipeline, arguments.data, arguments.limit, modes, repeats
        )
        print("\n" + table(found["pipeline"]))
    conclude(found)


if __name__ == "__main__":
    main()
