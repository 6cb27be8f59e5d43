"""What a reader of the report must know before comparing its figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from spacy_selectra.finetuning.report.collect import Result
from spacy_selectra.finetuning.report.published import FULL_SIZES, PUBLISHED

# As many as SELECTRA's model card has; fewer are marked.
FULL_TRIALS = 5


def notes_on(results: Sequence[Result]) -> list[str]:
    """Notes on the results shown, most general first, sources last; one sentence or two each."""
    measured = [result for result in results if not result.published]
    published = [result for result in results if result.published]
    return [
        *_on_scores(measured),
        *_on_speed(measured),
        *_on_published(published),
        *_on_columns(measured, published),
        *_other_metrics(measured, published),
        *_doubts(published),
        *(f"[P{number}] {source}" for number, source in enumerate(sources_of(results), 1)),
    ]


def sources_of(results: Sequence[Result]) -> list[str]:
    """Sources of the published figures, each once, in the order of their first figure."""
    return list(dict.fromkeys(result.source for result in results if result.source))


def _on_scores(measured: Sequence[Result]) -> Iterator[str]:
    counts = sorted({result.trials for result in measured if result.trials is not None})
    if counts:
        number = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
        trials = "trial" if counts == [1] else "trials with different seeds"
        few = (
            f" A number in round brackets is the number of trials where it is below {FULL_TRIALS}."
            if counts[0] < FULL_TRIALS
            else ""
        )
        yield (
            f"Measured here: the mean of {number} {trials}; ± is the sample standard deviation "
            f"over trials. Bold: the best measured score of a column.{few}"
        )
    for result in measured:
        if result.collapsed:
            yield (
                f"{result.model}, {result.column}: {result.collapsed} of {result.trials} trials "
                "collapsed to one class and are counted."
            )
    if any(result.split == "dev" for result in measured):
        yield (
            "Columns marked (dev) are on the development split, which also chose the epoch: "
            "they are too high for a comparison with test scores."
        )


def _on_speed(measured: Sequence[Result]) -> Iterator[str]:
    if any(result.size_bytes is not None for result in measured):
        yield "Size: the weights as stored, with the head; 1 MB is 1,000,000 bytes."
    if any(result.words_per_second is not None for result in measured):
        yield (
            "words/s: prediction on the test split, the median over a model's tasks, on a CPU "
            "unless a device is named. Compare speeds of one machine only."
        )


def _on_published(published: Sequence[Result]) -> Iterator[str]:
    if published:
        yield (
            "Rows marked (published) were not measured here. They come from the sources in "
            "square brackets, from full training sets and other code; ± is what the source gives."
        )


def _on_columns(measured: Sequence[Result], published: Sequence[Result]) -> Iterator[str]:
    """Which columns do not compare, by the number of examples on either side."""
    for column in sorted({result.column for result in measured}):
        own = [result for result in measured if result.column == column]
        trained = sorted({r.train_examples for r in own if r.train_examples is not None})
        tested = sorted({r.split_examples for r in own if r.split_examples is not None})
        if len(trained) > 1:
            yield (
                f"{column}: the measured models were trained on different amounts of data "
                f"({trained[0]:,} to {trained[-1]:,} examples)."
            )
        if not any(result.column == column for result in published):
            continue
        full = FULL_SIZES.get(own[0].data)
        here = " to ".join(f"{count:,}" for count in dict.fromkeys([*trained[:1], *trained[-1:]]))
        if not trained or full is None:
            yield (
                f"{column}: it is not known whether measured and published models were trained "
                "on the same amount of data; do not compare them."
            )
        elif full.train is None:
            yield (
                f"{column}: the data set has no training split; measured models were trained on "
                f"{here} examples of other data, not comparable with published ones."
            )
        elif trained[0] < full.train:
            yield (
                f"{column}: measured models were trained on {here} examples, published ones on "
                f"{full.train:,}; not comparable."
            )
        if full is not None and tested and tested != [full.test]:
            sizes = " to ".join(f"{count:,}" for count in tested)
            yield f"{column}: measured on {sizes} test examples, published on {full.test:,}."


def _other_metrics(measured: Sequence[Result], published: Sequence[Result]) -> Iterator[str]:
    """Data sets for which there are published figures, but in another metric only."""
    if not published:
        return
    columns = {result.column for result in published}
    for result in {r.column: r for r in measured if r.split == "test"}.values():
        metrics = sorted({row.metric for row in PUBLISHED if row.data == result.data})
        if metrics and result.column not in columns:
            yield (
                f"{result.column}: published figures on this data set are in another metric "
                f"({', '.join(metrics)}) and are left out."
            )


def _doubts(published: Sequence[Result]) -> Iterator[str]:
    numbers = {source: f"P{number}" for number, source in enumerate(sources_of(published), 1)}
    doubts: dict[tuple[str, str], dict[str, None]] = {}
    for result in published:
        if result.note:
            doubts.setdefault((result.column, result.note), {})[numbers[result.source]] = None
    for (column, note), sources in doubts.items():
        yield f"{column} [{', '.join(sources)}]: {note}."
