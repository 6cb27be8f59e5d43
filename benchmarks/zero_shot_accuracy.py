"""Accuracy and speed of a zero-shot model on labelled texts.

    python benchmarks/zero_shot_accuracy.py MODEL sib200/test.tsv:text:category \
        congreso-preguntas/test.tsv:texto:tema fb-tod/test.tsv:texto:nombre \
        --names configs/topics/zero_shot.yml

MODEL is what `selectra_zero_shot` takes: a matching or an entailment model. Labels of a file are
all that occur in it; where a text has several, separated by semicolons, one of them is enough.
With --names, labels that the file of names knows go by their first name. With --examples, files
of the same kind in the order of the sets, a matching model also learns from 1, 4 and 16 texts of
each label, drawn five times. Prints a Markdown table of accuracy and macro F1, and texts a second
for several numbers of labels.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import time
from collections import Counter
from pathlib import Path

import spacy

from spacy_selectra.components.zero_shot import ZeroShotClassifier
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.labelled_texts import read_names, read_pairs
from spacy_selectra.finetuning.metrics import class_scores
from spacy_selectra.matching.words import split_words

REPEATS = DRAWS = 5
SHOTS = (1, 4, 16)
TEXTS = 256


def read_set(address: str, names: dict[str, list[str]]) -> list[tuple[str, list[str]]]:
    """Texts and the labels that are right for each."""
    path, *columns = address.split(":")
    return [
        (text, [names.get(own, [own])[0] for own in label.split(";")])
        for text, label in read_pairs(path, *columns)
    ]


def accuracy(
    component: ZeroShotClassifier,
    texts: list[tuple[str, list[str]]],
    wordings: dict[str, list[str]],
) -> tuple[float, float, int]:
    """Accuracy, macro F1 (of the first label, unless another right one was given), labels."""
    labels = sorted({label for _, own in texts for label in own})
    given_labels = {label: wordings.get(label, [label]) for label in labels}
    rows = component.classify([text for text, _ in texts], given_labels)
    given = [max(row, key=row.__getitem__) for row in rows]
    truth = [one if one in own else own[0] for one, (_, own) in zip(given, texts, strict=True)]
    scores = class_scores(truth, given, labels)
    return scores["accuracy"], scores["macro_f1"], len(labels)


def with_examples(
    component: ZeroShotClassifier,
    texts: list[tuple[str, list[str]]],
    source: list[tuple[str, list[str]]],
    count: int,
) -> list[float]:
    """Accuracy with `count` examples of each label (all, where there are fewer), by draw."""
    labels = sorted({label for _, own in texts for label in own})
    by_label = {
        label: [text for text, own in source if own == [label] and text] for label in labels
    }
    found = []
    for draw in range(DRAWS):
        rng = random.Random(draw)
        chosen = {
            label: rng.sample(own, min(count, len(own))) for label, own in by_label.items() if own
        }
        component.labels = list(chosen)
        component.fit(chosen)
        docs = [text for text, _ in texts]
        rows = component.classify(docs)
        right = [
            max(row, key=row.__getitem__) in own for row, (_, own) in zip(rows, texts, strict=True)
        ]
        found.append(statistics.mean(right))
    return found


def accepted(component: ZeroShotClassifier, label: str) -> bool:
    """Whether the model knows what the label says."""
    try:
        component.classify([label], [label])
    except SelectraError:
        return False
    return True


def speed(component: ZeroShotClassifier, texts: list[str], labels: list[str]) -> float:
    """Texts a second with labels that have been read before, the median of several turns."""
    component.classify(texts[:8], labels)
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        component.classify(texts, labels)
        seconds.append(time.perf_counter() - start)
    return len(texts) / statistics.median(seconds)


def main() -> None:
    """Measure one model."""
    parser = argparse.ArgumentParser(description="Accuracy and speed of a zero-shot model")
    parser.add_argument("model", help="directory of a matching or entailment model")
    parser.add_argument("sets", nargs="+", help="FILE:TEXT:LABEL")
    parser.add_argument("--names", type=Path, help="YAML file of labels and their names")
    parser.add_argument("--examples", nargs="*", default=[], help="FILE:TEXT:LABEL")
    parser.add_argument("--wordings", action="store_true", help="use all names of a label")
    parser.add_argument("--labels", type=int, nargs="*", default=[5, 50, 1000])
    arguments = parser.parse_args()
    names = read_names(arguments.names) if arguments.names else {}
    wordings = {own[0]: own for own in names.values()} if arguments.wordings else {}
    nlp = spacy.blank("es")
    component = nlp.add_pipe("selectra_zero_shot", config={"model": arguments.model})
    assert isinstance(component, ZeroShotClassifier)
    print("| set | texts | labels | accuracy | macro F1 |\n|---|---|---|---|---|")
    everything = []
    learnt = []
    for number, address in enumerate(arguments.sets):
        texts = read_set(address, names)
        everything += [text for text, _ in texts]
        right, macro, count = accuracy(component, texts, wordings)
        print(f"| {address} | {len(texts)} | {count} | {right:.3f} | {macro:.3f} |", flush=True)
        if number < len(arguments.examples):
            source = read_set(arguments.examples[number], names)
            shots = [with_examples(component, texts, source, count) for count in SHOTS]
            cells = [f"{statistics.mean(one):.3f} ± {statistics.stdev(one):.3f}" for one in shots]
            learnt.append(f"| {address} | {right:.3f} | {' | '.join(cells)} |")
            component.labels = []
    if learnt:
        print("\n| examples of each label | 0 | 1 | 4 | 16 |\n|---|---|---|---|---|")
        print("\n".join(learnt), flush=True)
    some = everything[:: max(1, len(everything) // TEXTS)][:TEXTS]
    words = Counter(word for text in everything for word in split_words(text) if len(word) > 5)
    most = max(arguments.labels, default=0)
    known = (word for word, _ in words.most_common() if accepted(component, word))
    common = list(itertools.islice(known, most))
    for count in arguments.labels:
        if len(common) >= count:
            speeds = speed(component, some, common[:count])
            print(f"{count} labels: {speeds:,.1f} texts/s", flush=True)


if __name__ == "__main__":
    main()
