"""A student that learns from a teacher, whatever the teacher's tokenizer and type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, BertTokenizerFast

from spacy_selectra.encoder.checkpoint import save_model
from spacy_selectra.encoder.heads import SequenceClassifier
from spacy_selectra.encoder.predict import predict
from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.config import DistillationSettings, FinetuneSettings
from spacy_selectra.finetuning.data.examples import Example
from spacy_selectra.finetuning.distillation import make_distiller
from spacy_selectra.finetuning.finetune import Finetuning
from spacy_selectra.finetuning.models import new_task_model, task_tokenizer
from spacy_selectra.finetuning.tasks.base import softened_divergence
from spacy_selectra.finetuning.tasks.choose import make_task
from spacy_selectra.finetuning.tasks.registry import task_spec
from spacy_selectra.finetuning.trainer import train_model
from spacy_selectra.util.files import read_json
from spacy_selectra.util.settings import parse_settings
from tests.finetuning.tiny import (
    ANIMALS,
    NLI_LABELS,
    VERBS,
    nli_rows,
    save_classifier,
    save_discriminator,
    save_tiny_tokenizer,
    tiny_config,
    write_jsonl,
)

LABELS = ["canta", "otros"]


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_discriminator(tmp_path_factory.mktemp("student") / "encoder")


def texts(count: int) -> list[Example]:
    return [
        Example(f"El {ANIMALS[n % 6]} {VERBS[n % 5]} en {n}.", None, LABELS[n % 2])
        for n in range(count)
    ]


def task_of(directory: Path) -> Any:
    return make_task(task_spec("topics"), LABELS, task_tokenizer(directory), 64)


def distiller_of(student: Path, teacher: Path, examples: list[Example], **settings: Any) -> Any:
    task = task_of(student)
    inputs = task.inputs(examples)
    chosen = DistillationSettings(teacher=str(teacher), **settings)
    distiller = make_distiller(
        *(task, inputs, examples, teacher, chosen),
        mode="fp32",
        device=torch.device("cpu"),
        warn=lambda message: None,
    )
    return distiller


def test_divergence_is_that_of_softened_probabilities():
    torch.manual_seed(0)
    student, teacher = torch.randn(5, 3), torch.randn(5, 3)
    p, q = torch.softmax(teacher / 2, 1), torch.softmax(student / 2, 1)
    expected = 4 * (p * (p / q).log()).sum()
    torch.testing.assert_close(softened_divergence(student, teacher, 2.0), expected)
    assert softened_divergence(teacher, teacher, 2.0).item() == pytest.approx(0, abs=1e-6)


def test_logits_of_a_teacher_with_other_order_of_labels(student, tmp_path):
    teacher = save_classifier(tmp_path / "teacher", labels=LABELS[::-1], seed=3)
    examples = texts(12)
    distiller = distiller_of(student, teacher, examples)
    own = make_task(task_spec("topics"), LABELS, task_tokenizer(teacher), 64)
    from spacy_selectra.encoder.checkpoint import load_classifier

    sequences = own.inputs(examples).sequences
    expected = np.stack(predict(load_classifier(teacher), sequences, mode="fp32"))
    np.testing.assert_allclose(distiller.teacher_logits, expected[:, ::-1], atol=1e-5)


def test_teacher_of_another_type_and_vocabulary(student, tmp_path):
    save_tiny_tokenizer(tmp_path / "tokenizer")
    config = AutoConfig.for_model(
        "bert",
        vocab_size=400,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        id2label=dict(enumerate(LABELS)),
        label2id={name: number for number, name in enumerate(LABELS)},
    )
    AutoModelForSequenceClassification.from_config(config).save_pretrained(tmp_path / "teacher")
    BertTokenizerFast.from_pretrained(tmp_path / "tokenizer", do_lower_case=True).save_pretrained(
        tmp_path / "teacher"
    )
    distiller = distiller_of(student, tmp_path / "teacher", texts(6), hidden_weight=1.0)
    assert distiller.teacher_logits.shape == (6, 2)
    assert distiller.hidden.shape == (6, 32)


def test_teacher_with_other_labels_is_refused(student, tmp_path):
    teacher = save_classifier(tmp_path / "teacher", labels=NLI_LABELS)
    with pytest.raises(SelectraError, match="the teacher's labels are contradiction, neutral"):
        distiller_of(student, teacher, texts(4))


@pytest.mark.parametrize("hidden_weight", [0.0, 1.0])
def test_student_comes_to_say_what_the_teacher_says(hidden_weight, student, tmp_path):
    teacher = save_classifier(tmp_path / "teacher", labels=LABELS, seed=5)
    examples = texts(64)
    distiller = distiller_of(student, teacher, examples, weight=1.0, hidden_weight=hidden_weight)
    inputs = distiller.inputs
    task = distiller.task
    torch.manual_seed(0)
    model: Any = new_task_model(student, "classes", LABELS)
    distiller.begin(model)

    def distance() -> float:
        logits = np.stack(predict(model, inputs.sequences, mode="fp32"))
        return softened_divergence(
            torch.from_numpy(logits), torch.from_numpy(distiller.teacher_logits), 1.0
        ).item()

    before = distance()
    settings = parse_settings(
        FinetuneSettings,
        {
            "task": {"name": "topics"},
            "data": {"name": "x"},
            "encoder": {"path": "x"},
            "training": {"epochs": 6, "learning_rate": 2e-3, "precision": "fp32"},
        },
        "test",
    ).training
    train_model(
        *(model, task, inputs, inputs, settings),
        seed=0,
        warn=lambda message: None,
        distiller=distiller,
    )
    # the best epoch is chosen by the labels, so this is not yet the least there was
    assert distance() < 0.8 * before


def test_finetune_with_a_teacher_and_texts_without_labels(student, tmp_path):
    teacher = save_classifier(tmp_path / "teacher", seed=2)
    for seed, (split, count) in enumerate([("train", 24), ("dev", 12)]):
        write_jsonl(tmp_path / f"{split}.jsonl", nli_rows(count, seed))
    unlabelled = [{k: row[k] for k in ("premise", "hypothesis")} for row in nli_rows(30, 9)]
    write_jsonl(tmp_path / "more.jsonl", unlabelled)
    values = {
        "task": {"name": "nli"},
        "data": {
            "name": "sample",
            "train": str(tmp_path / "train.jsonl"),
            "dev": str(tmp_path / "dev.jsonl"),
            "unlabelled": str(tmp_path / "more.jsonl"),
        },
        "encoder": {"path": str(student)},
        "training": {"epochs": 1, "precision": "fp32", "gradient_accumulation_steps": 2},
        "distillation": {"teacher": str(teacher)},
    }
    chosen = parse_settings(FinetuneSettings, values, "test")
    run = Finetuning(chosen, tmp_path / "out", warn=lambda message: None, quiet=True)
    metrics = run.run(1)
    assert metrics["teacher"] == str(teacher)
    assert metrics["examples"]["train"] == 54
    assert "teacher" in read_json(tmp_path / "out" / "metrics.json")["fingerprints"]
    save_model(
        SequenceClassifier(tiny_config(student), NLI_LABELS), teacher, tokenizer=student
    )  # another teacher, other results
    with pytest.raises(SelectraError, match="trial with other settings"):
        Finetuning(chosen, tmp_path / "out", warn=lambda message: None, quiet=True)
