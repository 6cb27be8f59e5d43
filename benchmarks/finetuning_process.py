"""The process of one contender of finetuning.py: a step of its training whenever it is asked."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch._dynamo  # torch's optimisers import it when the first of them is made
from handover import Hand, Handover
from process_memory import peak_memory, reset_peak, resident_memory
from turns import serve

from spacy_selectra.encoder.cpu.memory import keep_freed_memory
from spacy_selectra.encoder.predict import predict
from spacy_selectra.finetuning.config import DataSettings, TrainingSettings
from spacy_selectra.finetuning.data.dataset import read_dataset
from spacy_selectra.finetuning.models import task_tokenizer, trained_task_model
from spacy_selectra.finetuning.tasks.base import Inputs
from spacy_selectra.finetuning.tasks.base import Task as FinetuningTask
from spacy_selectra.finetuning.tasks.choose import make_task
from spacy_selectra.finetuning.tasks.registry import task_spec
from spacy_selectra.finetuning.trainer import Interrupted, train_model
from spacy_selectra.util.progress import Progress


@dataclass(frozen=True)
class Task:
    """What is trained on what; only the first five differ between contenders."""

    kind: str
    arithmetic: str
    group: bool
    keep_memory: bool
    logits: str
    model: str
    task: str
    train: str
    dev: str
    batch: int
    epochs: int
    steps: int
    length: int
    rate: float
    warmup: float
    layer_decay: float
    weight_decay: float
    workers: int
    threads: int | None
    seed: int

    def orders(self, count: int) -> Iterator[np.ndarray]:
        """Sequences in the order of each epoch, that of our trainer."""
        random = np.random.default_rng(self.seed)
        while True:
            yield random.permutation(count)


class Clock:
    """Times steps, hands each over when the next one would begin, and says when all are done."""

    def __init__(self, task: Task, hand: Hand, before: int) -> None:
        self.steps, self.done = task.steps, 0
        self._hand, self._before = hand, before
        self._last: dict[str, Any] = {"threads": torch.get_num_threads()}
        self._since = 0.0

    def begin(self) -> bool:
        """Hand over what there is, and begin the next step when it is wanted; never stops."""
        self._hand(self._last)
        self._since = time.perf_counter()
        return False

    def end(self, sequences: int, pieces: int) -> bool:
        """A step has been made; whether it was the last."""
        seconds = time.perf_counter() - self._since
        memory = peak_memory() - self._before
        self._last = {
            "seconds": seconds,
            "sequences": sequences,
            "pieces": pieces,
            "memory": memory,
        }
        self.done += 1
        return self.done == self.steps


class Steps(Clock):
    """A clock in the place where our trainer counts sequences."""

    def __init__(self, task: Task, hand: Hand, before: int, train: Inputs) -> None:
        super().__init__(task, hand, before)
        lengths = np.array([len(sequence) for sequence in train.sequences])
        self._batches = (
            lengths[order[begin : begin + task.batch]]
            for order in task.orders(len(lengths))
            for begin in range(0, len(lengths), task.batch)
        )

    def update(self, count: int, note: str = "") -> None:
        """A step has been made.

        Raises:
            Interrupted: it was the last.
        """
        del note
        lengths = next(self._batches)
        assert len(lengths) == count
        if self.end(count, int(lengths.sum())):
            raise Interrupted


def train_ours(
    task: Task, learnt: FinetuningTask, train: Inputs, dev: Inputs, hand: Hand, before: int
) -> list[np.ndarray]:
    """As `selectra finetune` trains; logits of `dev` after the last step."""
    model = trained_task_model(Path(task.model), learnt.spec.head)
    settings = TrainingSettings.model_validate(
        {
            "epochs": task.epochs,
            "batch_size": task.batch,
            "learning_rate": task.rate,
            "warmup_ratio": task.warmup,
            "layer_decay": task.layer_decay,
            "weight_decay": task.weight_decay,
            "precision": task.arithmetic,
        }
    )
    clock = Steps(task, hand, before, train)
    # by the clock after the last step, before anything is evaluated or put back
    with suppress(Interrupted):
        train_model(
            model,
            learnt,
            train,
            dev,
            settings,
            seed=task.seed,
            warn=lambda _: None,
            should_stop=clock.begin,
            progress=cast(Progress, clock),
        )
    clock.begin()
    return predict(model, dev.sequences, per_piece=learnt.per_piece, mode=task.arithmetic)


def train_theirs(
    task: Task, learnt: FinetuningTask, train: Inputs, dev: Inputs, hand: Hand, before: int
) -> list[np.ndarray]:
    """transformers' Trainer; logits of `dev` after the last step."""
    import transformers
    from finetuning_trainer import InTurns, collator, examples, grouping, padded_logits

    if task.arithmetic == "fast":
        torch.set_float32_matmul_precision("medium")
    tokenizer = transformers.AutoTokenizer.from_pretrained(task.model)
    steps = task.epochs * -(-len(train) // task.batch)
    clock = Clock(task, hand, before)
    with tempfile.TemporaryDirectory() as directory:
        arguments = transformers.TrainingArguments(
            directory,
            per_device_train_batch_size=task.batch,
            per_device_eval_batch_size=task.batch,
            num_train_epochs=task.epochs,
            learning_rate=task.rate,
            weight_decay=task.weight_decay,
            adam_epsilon=1e-6,  # all as ours
            max_grad_norm=1.0,
            lr_scheduler_type="linear",
            warmup_steps=int(steps * task.warmup),
            optim="adamw_torch_fused",
            bf16=task.arithmetic == "bf16",
            use_cpu=True,
            **(grouping() if task.group else {}),
            dataloader_num_workers=task.workers,
            dataloader_persistent_workers=task.workers > 0,
            dataloader_pin_memory=False,
            remove_unused_columns=False,
            eval_strategy="no",
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            seed=task.seed,
        )
        loader: Any = (
            transformers.AutoModelForTokenClassification
            if learnt.per_piece
            else transformers.AutoModelForSequenceClassification
        )
        trainer = InTurns(
            model=loader.from_pretrained(task.model),
            args=arguments,
            train_dataset=examples(train),  # type: ignore[arg-type]
            data_collator=collator(tokenizer, learnt.per_piece),
            processing_class=tokenizer,
            clock=clock,
            orders=None if task.group else task.orders(len(train)),
        )
        trainer.train()
        clock.begin()
        found = trainer.predict(examples(dev)).predictions  # type: ignore[arg-type]
    return padded_logits(found, dev, learnt.per_piece)


def work(task: Task, hand: Hand) -> None:
    """Train, handing over every step, and write the logits of `dev` after the last."""
    if task.threads is not None:
        torch.set_num_threads(task.threads)
    if task.keep_memory:
        keep_freed_memory()
    data = DataSettings(name="benchmark", train=task.train, dev=task.dev)
    dataset = read_dataset(task_spec(task.task), data)
    tokenizer = task_tokenizer(Path(task.model))
    learnt = make_task(task_spec(task.task), dataset.labels, tokenizer, task.length)
    train, dev = learnt.inputs(dataset.train), learnt.inputs(dataset.dev)
    run = train_ours if task.kind == "ours" else train_theirs
    before = resident_memory()
    reset_peak()
    logits = run(task, learnt, train, dev, hand, before)
    np.save(task.logits, np.concatenate([np.atleast_2d(scores) for scores in logits]))
    hand({"written": task.logits})


def build(values: dict[str, Any]) -> dict[str, Callable[[int], dict[str, Any]]]:
    """A training, and what can be asked of it, in this order."""
    task = Task(**values)
    if task.kind != "ours":
        import finetuning_trainer  # noqa: F401  # before memory is counted
    running = Handover(lambda hand: work(task, hand))
    return {name: lambda _: running.next() for name in ("started", "step", "logits")}


if __name__ == "__main__":
    serve(build)
