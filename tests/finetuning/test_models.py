"""Heads: the same logits and losses as transformers' own models, for every type of encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from transformers import AutoConfig, AutoModel, BertTokenizerFast

from spacy_selectra.encoder import transformers_models
from spacy_selectra.encoder.checkpoint import load_task_model
from spacy_selectra.encoder.heads import Head, SequenceClassifier, SpanClassifier, TokenClassifier
from spacy_selectra.encoder.predict import predict, to_tensors
from spacy_selectra.encoder.transformers_models import parts_of_similar_length
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.examples import Example, Question, Scored, TaggedWords
from spacy_selectra.finetuning.layer_rates import parameter_depth
from spacy_selectra.finetuning.models import (
    forward_with_hidden,
    new_task_model,
    save_task_model,
    task_tokenizer,
    trained_task_model,
)
from spacy_selectra.finetuning.tasks.choose import make_task
from spacy_selectra.finetuning.tasks.registry import task_spec
from spacy_selectra.text.encode import join
from spacy_selectra.text.tokenizer import usable_positions
from spacy_selectra.util.files import write_json
from tests.finetuning.tiny import save_discriminator, save_tiny_tokenizer

SHAPES: dict[str, dict[str, Any]] = {
    "bert": {},
    "roberta": {"pad_token_id": 1, "max_position_embeddings": 66, "type_vocab_size": 1},
    "albert": {"embedding_size": 16},
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64},
}
AUTO = {
    "classes": transformers.AutoModelForSequenceClassification,
    "value": transformers.AutoModelForSequenceClassification,
    "tags": transformers.AutoModelForTokenClassification,
    "spans": transformers.AutoModelForQuestionAnswering,
}
CONTEXT = "El gato come en Cádiz. El perro duerme en León."
# Equal lengths: transformers lets padding take part in the softmax over places of an answer.
QUESTIONS = [
    Question("a", CONTEXT, "¿Dónde come?", [("Cádiz", CONTEXT.index("Cádiz"))]),
    Question("b", CONTEXT, "¿Dónde come?", [("El perro", CONTEXT.index("El perro"))]),
]
WORDS = [
    TaggedWords(["El", "niño", "sueña", "en", "Cádiz"], ["O", "O", "O", "O", "B-LOC"]),
    TaggedWords(["León"], ["B-LOC"]),
]
TEXTS = [Example("El gato come.", None, "b"), Example("canta", None, "a")]
PAIRS = [Scored("El gato", "El perro", 1.5), Scored("a", "a", 5.0)]
CASES: list[tuple[str, Head, list[str], Any]] = [
    ("topics", "classes", ["a", "b"], TEXTS),
    ("similarity", "value", [], PAIRS),
    ("ner", "tags", ["LOC"], WORDS),
    ("qa", "spans", [], QUESTIONS),
]


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random encoder of each type in a directory of its name."""
    root = tmp_path_factory.mktemp("encoders")
    save_discriminator(root / "electra")
    save_tiny_tokenizer(root / "tokenizer")
    size = len((root / "tokenizer" / "vocab.txt").read_text(encoding="utf-8").splitlines())
    for name, shape in SHAPES.items():
        common = {
            "vocab_size": size,
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 64,
            "max_position_embeddings": 64,
            "initializer_range": 0.2,
            **shape,
        }
        if name == "distilbert":
            common = {key: value for key, value in common.items() if "hidden_" not in key} | shape
        torch.manual_seed(0)
        AutoModel.from_config(AutoConfig.for_model(name, **common)).save_pretrained(root / name)
        BertTokenizerFast.from_pretrained(root / "tokenizer", strip_accents=False).save_pretrained(
            root / name
        )
    return root


def asked(encoder: Path, name: str, labels: list[str], examples: Any) -> tuple[Any, Any]:
    task = make_task(task_spec(name), labels, task_tokenizer(encoder), 60)
    return task, task.inputs(examples)


@pytest.mark.parametrize(("name", "head", "labels", "examples"), CASES)
@pytest.mark.parametrize("encoder", ["electra", *SHAPES])
def test_saved_models_are_the_same_in_transformers(
    encoder, name, head, labels, examples, encoders, tmp_path
):
    task, inputs = asked(encoders / encoder, name, labels, examples)
    torch.manual_seed(1)
    model = new_task_model(encoders / encoder, head, task.outputs).eval()
    logits = predict(model, inputs.sequences, per_piece=task.per_piece, mode="fp32")
    save_task_model(model, tmp_path / "model", encoders / encoder)
    assert not list((tmp_path / "model").glob("*.bin"))
    theirs: Any = AUTO[head].from_pretrained(tmp_path / "model").eval()
    lengths = [len(sequence) for sequence in inputs.sequences]
    longest = max(lengths)
    ids = torch.full((len(lengths), longest), theirs.config.pad_token_id)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(inputs.sequences):
        ids[row, : len(sequence)] = torch.from_numpy(sequence.ids)
        mask[row, : len(sequence)] = 1
    batch: dict[str, torch.Tensor] = {"input_ids": ids, "attention_mask": mask}
    if getattr(theirs.config, "type_vocab_size", 0) > 1:
        types = torch.zeros_like(ids)
        for row, sequence in enumerate(inputs.sequences):
            types[row, : len(sequence)] = torch.from_numpy(sequence.types)
        batch["token_type_ids"] = types
    targets = inputs.targets
    if head == "spans":
        places = torch.from_numpy(np.stack(targets))
        batch |= {"start_positions": places[:, 0], "end_positions": places[:, 1]}
    elif head == "tags":
        padded = torch.full_like(ids, -100)
        for row, target in enumerate(targets):
            padded[row, : len(target)] = torch.from_numpy(target)
        batch["labels"] = padded
    else:
        batch["labels"] = torch.from_numpy(np.stack(targets))
    with torch.no_grad():
        expected = theirs(**batch)
        flat, segments = to_tensors(join(inputs.sequences))
        loss = task.loss(model(flat, lengths, segments), lengths, targets)
    assert (loss / task.count(targets)).item() == pytest.approx(expected.loss.item(), abs=1e-5)
    for row, own in enumerate(logits):
        if head == "spans":
            both = torch.stack([expected.start_logits[row], expected.end_logits[row]], dim=1)
            right = both[: lengths[row]]
        elif head == "tags":
            right = expected.logits[row, : lengths[row]]
        else:
            right = expected.logits[row]
        np.testing.assert_allclose(own, right.numpy(), atol=1e-5)
    again = trained_task_model(tmp_path / "model", head)
    for before, after in zip(
        logits,
        predict(again, inputs.sequences, per_piece=task.per_piece, mode="fp32"),
        strict=True,
    ):
        np.testing.assert_allclose(after, before, atol=1e-6)


@pytest.mark.parametrize("head", ["classes", "tags"])
@pytest.mark.parametrize("encoder", ["electra", *SHAPES])
def test_hidden_states_are_those_before_the_head(encoder, head, encoders):
    model: Any = new_task_model(encoders / encoder, head, ["a", "b"]).eval()
    ids, types = torch.tensor([2, 8, 9, 3, 2, 8, 3]), torch.zeros(7, dtype=torch.int64)
    with torch.no_grad():
        logits, hidden = forward_with_hidden(model, ids, [4, 3], types)
        assert torch.equal(logits, model(ids, [4, 3], types))
    assert hidden.shape == (2 if head == "classes" else 7, 32)
    if head == "tags":
        last = model.head if encoder == "electra" else model.model.classifier
        torch.testing.assert_close(last(hidden), logits)


@pytest.mark.parametrize("head", ["classes", "tags", "spans"])
def test_long_texts_do_not_pad_short_ones(head, encoders, monkeypatch):
    model: Any = new_task_model(encoders / "bert", head, ["a", "b"]).eval()
    lengths = [4, 50, 7, 30, 5]
    ids = torch.randint(5, 20, (sum(lengths),), generator=torch.Generator().manual_seed(0))
    types = torch.zeros_like(ids)
    whole = forward_with_hidden(model, ids, lengths, types)
    shapes: list[tuple[int, ...]] = []
    model.model.base_model.embeddings.register_forward_hook(
        lambda module, args, output: shapes.append(tuple(output.shape[:2]))
    )
    monkeypatch.setattr(transformers_models, "_PADDED_AT_ONCE", 100)
    parts = forward_with_hidden(model, ids, lengths, types)
    assert shapes == [(2, 50), (3, 7)]
    for expected, found in zip(whole, parts, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_parts_of_similar_length():
    assert parts_of_similar_length([]) == [[]]
    assert parts_of_similar_length([10] * 400) == [list(range(400))]  # 4,000 pieces
    assert parts_of_similar_length([512, *[20] * 9, 256, 255]) == [
        [0, 10],
        [11],
        [*range(1, 10)],
    ]


@pytest.mark.parametrize("encoder", ["electra", *SHAPES])
def test_dropout_takes_the_place_of_the_encoders_own(encoder, encoders, tmp_path):
    ids, types = torch.tensor([2, 8, 9, 3]), torch.zeros(4, dtype=torch.int64)

    def hidden_in_training(directory: Path, dropout: float | None) -> torch.Tensor:
        model: Any = new_task_model(directory, "tags", ["a", "b"], dropout).train()
        with torch.no_grad():
            hidden = forward_with_hidden(model, ids, [4], types)[1]
            right = forward_with_hidden(model.eval(), ids, [4], types)[1]
        return hidden - right

    assert hidden_in_training(encoders / encoder, 0.0).abs().max() < 1e-5
    assert hidden_in_training(encoders / encoder, 0.5).abs().max() > 0.1
    model = new_task_model(encoders / encoder, "tags", ["a", "b"], 0.0)
    save_task_model(model, tmp_path / "model", encoders / encoder)
    assert hidden_in_training(tmp_path / "model", None).abs().max() < 1e-5


@pytest.mark.parametrize("encoder", ["electra", *SHAPES])
def test_every_parameter_has_its_depth(encoder, encoders):
    model: Any = new_task_model(encoders / encoder, "classes", ["a", "b"])
    depths: dict[int, list[str]] = {}
    for name, _ in model.named_parameters():
        depths.setdefault(parameter_depth(name, 2), []).append(name)
    if encoder == "albert":  # one layer, used twice
        assert set(depths) == {0, 2, 3}
    else:
        assert set(depths) == {0, 1, 2, 3}
    assert all("embedding" in name for name in depths[0])
    assert not any("embeddings." in name for depth in depths if depth for name in depths[depth])


def test_positions_of_roberta_begin_behind_its_padding(encoders):
    model = new_task_model(encoders / "roberta", "tags", ["a", "b"])
    assert usable_positions(model.config) == 64
    model = new_task_model(encoders / "bert", "tags", ["a", "b"])
    assert usable_positions(model.config) == 64


def test_other_types_are_refused(encoders, tmp_path):
    write_json(tmp_path / "config.json", {"model_type": "t5"})
    with pytest.raises(SelectraError, match=r"type 't5' cannot .* \(supported: albert, bert,"):
        new_task_model(tmp_path, "tags", ["a", "b"])


@pytest.mark.parametrize("kind", [SequenceClassifier, TokenClassifier, SpanClassifier])
def test_a_model_without_the_head_is_refused(kind, encoders):
    with pytest.raises(SelectraError, match=r"no weight .* not an Electra"):
        load_task_model(kind, encoders / "electra", ["start", "end"])
