"""Tasks: what is learnt from an example, and that right logits score 1."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.examples import Example, Question, Scored, TaggedWords
from spacy_selectra.finetuning.tasks.base import IGNORED, Task
from spacy_selectra.finetuning.tasks.choose import make_task
from spacy_selectra.finetuning.tasks.registry import task_spec
from spacy_selectra.text.tokenizer import load_backend
from tests.finetuning.tiny import save_tiny_tokenizer

SENTENCES = [
    TaggedWords(["El", "niño", "de", "Cádiz", "sueña", "."], ["O", "O", "O", "B-LOC", "O", "O"]),
    TaggedWords(["León", "Ávila"], ["B-PER", "I-PER"]),
]
CONTEXT = "El gato come en Cádiz. El perro duerme en León, no en Mérida."
QUESTIONS = [
    Question("a", CONTEXT, "¿Dónde come el gato?", [("Cádiz", CONTEXT.index("Cádiz"))]),
    Question("b", CONTEXT, "¿Quién duerme?", [("El perro", CONTEXT.index("El perro"))]),
]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    directory = tmp_path_factory.mktemp("tasks") / "tokenizer"
    save_tiny_tokenizer(directory)
    return load_backend(directory)


def task_of(name: str, labels: list[str], tokenizer: Any, length: int = 64) -> Task:
    return make_task(task_spec(name), labels, tokenizer, length)


def right_logits(asked: Task, inputs: Any) -> list[np.ndarray]:
    """Logits of a model that knows all the targets."""
    found = []
    for sequence, target in zip(inputs.sequences, inputs.targets, strict=True):
        shape = (len(sequence), len(asked.outputs)) if asked.per_piece else (len(asked.outputs),)
        logits = np.zeros(shape, dtype=np.float32)
        if asked.spec.head == "spans":
            logits[target[0], 0] = logits[target[1], 1] = 9
        elif asked.spec.head == "tags":
            known = np.flatnonzero(target != IGNORED)
            logits[known, target[known]] = 9
        elif asked.spec.head == "value":
            logits[0] = target
        else:
            logits[target] = 9
        found.append(logits)
    return found


CASES = [
    ("ner", ["LOC", "PER"], SENTENCES, "f1"),
    ("pos", ["O", "B-LOC", "B-PER", "I-PER"], SENTENCES, "accuracy"),
    ("qa", [], QUESTIONS, "f1"),
    ("similarity", [], [Scored("El gato", "El perro", 1.5), Scored("a", "a", 5.0)], "pearson"),
    (
        "topics",
        ["a", "b"],
        [Example("El gato", None, "a"), Example("canta", None, "b")],
        "accuracy",
    ),
]


@pytest.mark.parametrize("length", [64, 24])
@pytest.mark.parametrize(("name", "labels", "examples", "metric"), CASES)
def test_right_logits_score_one_and_others_do_not(
    name, labels, examples, metric, length, tokenizer
):
    asked = task_of(name, labels, tokenizer, length)
    inputs = asked.inputs(examples)
    assert all(len(sequence) <= length for sequence in inputs.sequences)
    logits = right_logits(asked, inputs)
    assert asked.scores(inputs, logits)[metric] == pytest.approx(1.0)
    wrong = [np.roll(values, 1, axis=-1) if values.size > 1 else -values for values in logits]
    assert asked.scores(inputs, wrong)[metric] < 0.9


@pytest.mark.parametrize(("name", "labels", "examples", "metric"), CASES)
def test_loss_is_least_for_right_logits(name, labels, examples, metric, tokenizer):
    asked = task_of(name, labels, tokenizer)
    inputs = asked.inputs(examples)
    lengths = [len(sequence) for sequence in inputs.sequences]
    right = [np.atleast_2d(values) for values in right_logits(asked, inputs)]
    losses = [
        asked.loss(torch.from_numpy(np.concatenate(values)), lengths, inputs.targets).item()
        for values in (right, [np.zeros_like(values) for values in right])
    ]
    assert losses[0] < losses[1] / 2


def test_first_pieces_of_words_carry_the_tags(tokenizer):
    asked = task_of("ner", ["LOC", "PER"], tokenizer)
    inputs = asked.inputs(SENTENCES)
    names = [*asked.outputs]
    for example, sequence, target in zip(SENTENCES, inputs.sequences, inputs.targets, strict=True):
        known = np.flatnonzero(target != IGNORED)
        assert [names[tag] for tag in target[known]] == example.tags
        pieces = [tokenizer.id_to_token(int(sequence.ids[place])) for place in known]
        for word, piece in zip(example.words, pieces, strict=True):
            assert word.startswith(piece)
        assert sequence.ids.tolist() == tokenizer.encode(" ".join(example.words)).ids


def test_long_sentences_answer_for_every_word_once(tokenizer):
    words = ["El", "burro", "logroñés", "canta", "."] * 40
    tags = ["O", "O", "B-LOC", "O", "O"] * 40
    asked = task_of("ner", ["LOC"], tokenizer, 32)
    inputs: Any = asked.inputs([TaggedWords(words, tags)])
    assert len(inputs.sequences) > 5
    assert sorted(np.concatenate(inputs.places).tolist()) == list(range(len(words)))
    special = [tokenizer.token_to_id(name) for name in ("[CLS]", "[SEP]")]
    for sequence in inputs.sequences:
        assert sequence.ids[[0, -1]].tolist() == special
        assert not np.isin(sequence.ids[1:-1], special).any()
    # every word stands in its window with something around it
    for rows, sequence in zip(inputs.rows[1:-1], inputs.sequences[1:-1], strict=True):
        assert rows.min() > 4
        assert rows.max() < len(sequence) - 4
    assert asked.scores(inputs, right_logits(asked, inputs))["f1"] == 1.0


def test_words_without_pieces_and_without_tags(tokenizer):
    asked = task_of("ner", ["LOC"], tokenizer)
    inputs: Any = asked.inputs([TaggedWords(["\u200b", "León"], ["O", "B-LOC"])])
    assert asked.scores(inputs, right_logits(asked, inputs))["f1"] == 1.0
    untagged = asked.inputs([TaggedWords(["El", "gato"], [])])
    assert asked.count(untagged.targets) == 0
    assert untagged.total == 2


def test_entities_do_not_go_on_over_the_structure_of_a_text(tokenizer):
    words = ["Ana", "Gil", "|", "Ana", "\n", "\n", "Gil", "Ana"]
    tags = ["B-PER", "I-PER", "O", "B-PER", "O", "O", "B-PER", "I-PER"]
    joined = ["B-PER", *["I-PER"] * 7]
    for copies, length in ((1, 40), (9, 40)):  # in one window, and in several
        asked = task_of("ner", ["PER"], tokenizer, length)
        inputs: Any = asked.inputs([TaggedWords(words * copies, joined * copies)])
        logits = right_logits(asked, inputs)
        # as annotated it is learnt from, also over boundaries
        assert sum(len(rows) for rows in inputs.rows) == 6 * copies
        (found,) = asked.predicted(inputs, logits)
        for place in (3, 6):
            assert found[place :: len(words)] == [tags[place]] * copies
        assert found[1 :: len(words)] == ["I-PER"] * copies
        assert found[7 :: len(words)] == ["I-PER"] * copies


def test_answers_that_a_window_cuts_are_not_learnt_there(tokenizer):
    asked = task_of("qa", [], tokenizer, 40)
    question = QUESTIONS[0]._replace(question="¿Qué?")
    long = "El gato salta. " * 30
    moved = question._replace(context=long + CONTEXT, answers=[("Cádiz", len(long) + 16)])
    assert moved.context[len(long) + 16 :].startswith("Cádiz")
    inputs: Any = asked.inputs([moved])
    holding = [target for target in inputs.targets if target.any()]
    assert 0 < len(holding) < len(inputs.targets)
    for sequence, target in zip(inputs.sequences, inputs.targets, strict=True):
        if target.any():
            text = tokenizer.decode(sequence.ids[target[0] : target[1] + 1].tolist())
            assert text == "Cádiz"


def test_one_answer_for_all_is_noticed(tokenizer):
    for name, labels, examples, _ in CASES:
        asked = task_of(name, labels, tokenizer)
        inputs = asked.inputs(examples)
        logits = right_logits(asked, inputs)
        assert asked.only_answer(inputs, logits) is None
        same = [np.zeros_like(values) for values in logits]
        assert asked.only_answer(inputs, same) is not None


def test_no_room_for_a_context(tokenizer):
    asked = task_of("qa", [], tokenizer, 16)
    with pytest.raises(SelectraError, match="pieces for a context"):
        asked.inputs(QUESTIONS)


def test_metrics_need_their_library(monkeypatch, tokenizer):
    monkeypatch.setitem(sys.modules, "seqeval.metrics", None)
    asked = task_of("ner", ["LOC", "PER"], tokenizer)
    inputs = asked.inputs(SENTENCES)
    with pytest.raises(SelectraError, match=r"seqeval.*spacy-selectra\[train\]"):
        asked.scores(inputs, right_logits(asked, inputs))
