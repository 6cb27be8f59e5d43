"""Trials of a configuration: resumable, with a summary and a copy of the best model.

`spacy_selectra.finetuning.results` describes the files.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from spacy_selectra.encoder.hub import resolve_model
from spacy_selectra.encoder.predict import predict
from spacy_selectra.finetuning.config import FinetuneSettings
from spacy_selectra.finetuning.data.dataset import (
    Dataset,
    fingerprint,
    read_dataset,
    read_unlabelled,
    with_columns,
)
from spacy_selectra.finetuning.data.examples import count_words
from spacy_selectra.finetuning.data.sources import Formats
from spacy_selectra.finetuning.distillation import Distiller, check_teacher, make_distiller
from spacy_selectra.finetuning.layer_rates import freeze_layers
from spacy_selectra.finetuning.metrics import check_libraries
from spacy_selectra.finetuning.models import (
    TaskModel,
    new_task_model,
    save_task_model,
    task_tokenizer,
)
from spacy_selectra.finetuning.results import (
    METRICS_FILE,
    SPEED_FILE,
    check_output,
    remove_stale_results,
    trial_directory,
    write_summary,
)
from spacy_selectra.finetuning.tasks.base import Inputs, Task
from spacy_selectra.finetuning.tasks.choose import make_task
from spacy_selectra.finetuning.tasks.registry import TaskSpec, task_spec
from spacy_selectra.finetuning.trainer import Interrupted, seed_everything, train_model
from spacy_selectra.text.tokenizer import longest_sequence, usable_positions
from spacy_selectra.util.distributed import Process, pick_device
from spacy_selectra.util.files import (
    atomic_directory,
    read_json,
    sha256_of,
    write_json,
    write_json_lines,
)
from spacy_selectra.util.progress import Progress


class Finetuning:
    """Trials of one configuration in one directory.

    The constructor reads and checks everything before anything is written.

    Args:
        settings: the configuration.
        out: directory of the results; finished trials of the same configuration are kept.
        warn: called with warnings for the user.
        quiet: no progress on stderr.
        replace: `run` first deletes trials of another configuration in `out`, and their summary.
        formats: readers of further file formats.

    Raises:
        OtherRunError: `out` holds trials of another configuration, and `replace` is not set.
        SelectraError: unusable data, encoder or setting.
    """

    def __init__(
        self,
        settings: FinetuneSettings,
        out: str | Path,
        *,
        warn: Callable[[str], None],
        quiet: bool = False,
        replace: bool = False,
        formats: Formats | None = None,
    ) -> None:
        self.settings, self.out = settings, Path(out)
        self.warn, self.quiet = warn, quiet
        self.spec: TaskSpec = task_spec(settings.task.name)
        check_libraries(self.spec.head, entities=self.spec.entities)
        self.process = Process.of_environment()
        self._warned: set[str] = set()
        self.dataset: Dataset = read_dataset(self.spec, settings.data, formats)
        self.source = resolve_model(settings.encoder.path)
        self.teacher: Path | None = None
        if settings.distillation.teacher is not None:
            self.teacher = resolve_model(settings.distillation.teacher)
        self.device = pick_device(settings.training.device, self.process)
        self.task = self._make_task()
        if self.teacher is not None:
            check_teacher(self.task, self.teacher)
        self._train_examples = [*self.dataset.train]
        if settings.data.unlabelled and self.teacher:
            spec = with_columns(self.spec, settings.data)
            self._train_examples += read_unlabelled(spec, settings.data.unlabelled, formats)
        self.fingerprints = self._fingerprints()
        sources = [self.source, *([self.teacher] if self.teacher else [])]
        check_output(self.out, self._identity(), sources, replace=replace)
        self.train = self._inputs("train", self._train_examples)
        self.dev = self._inputs("dev", self.dataset.dev)
        self._distiller: Distiller | None = None

    def run(self, trials: int, should_stop: Callable[[], bool] = lambda: False) -> dict[str, Any]:
        """Run the missing trials and summarise all in `metrics.json`.

        Returns:
            The contents of `metrics.json`.

        Raises:
            Interrupted: `should_stop` returned True; finished trials and their summary are kept.
            SelectraError: the output cannot be written.
        """
        remove_stale_results(self.out, self._identity())
        for number in self.process.own(range(1, trials + 1)):
            if not (trial_directory(self.out, number) / METRICS_FILE).is_file():
                self._run_trial(number, trials, should_stop)
                if self.process.size == 1 and number < trials:
                    self._summarise(number)
        directories = [trial_directory(self.out, number) for number in range(1, trials + 1)]
        if all((directory / METRICS_FILE).is_file() for directory in directories):
            self._summarise(trials)
            return read_json(self.out / METRICS_FILE)
        return {}

    def _run_trial(self, number: int, trials: int, should_stop: Callable[[], bool]) -> None:
        training = self.settings.training
        seed = training.seed + number - 1
        distiller = self._ask_teacher()
        seed_everything(seed)
        model = self._fresh_model().to(self.device)
        if distiller is not None:
            distiller.begin(model)
        amount = training.epochs * len(self.train)
        title = f"{self.spec.name}, trial {number} of {trials}"
        with Progress(title, amount, "examples", quiet=self.quiet) as progress:
            outcome = train_model(
                model,
                self.task,
                self.train,
                self.dev,
                training,
                seed=seed,
                warn=self.warn,
                distiller=distiller,
                should_stop=should_stop,
                progress=progress,
            )
        test, speed = self._test(model)
        metrics = {
            "trial": number,
            "seed": seed,
            "best_epoch": outcome.best_epoch,
            "collapsed": outcome.collapsed,
            "dev": outcome.dev,
            "test": test,
        }
        with atomic_directory(trial_directory(self.out, number)) as directory:
            save_task_model(model, directory / "model", self.source)
            write_json_lines(directory / "log.jsonl", outcome.epochs)
            write_json(directory / SPEED_FILE, {**speed, "device": self.device.type})
            write_json(directory / METRICS_FILE, {**metrics, "configuration": self._identity()})

    def _test(self, model: TaskModel) -> tuple[dict[str, float] | None, dict[str, float | None]]:
        """Scores on the test split, and words per second from texts to logits."""
        examples = self.dataset.test
        if not examples:
            return None, {"words_per_second": None}
        begin = time.perf_counter()
        inputs = self._inputs("test", examples)
        logits = predict(
            model,
            inputs.sequences,
            per_piece=self.task.per_piece,
            mode=self.settings.training.precision,
        )
        seconds = time.perf_counter() - begin
        words = sum(count_words(example) for example in examples)
        return self.task.scores(inputs, logits), {"words_per_second": words / seconds}

    def _summarise(self, finished: int) -> None:
        write_summary(
            [trial_directory(self.out, number) for number in range(1, finished + 1)],
            self.out,
            self.spec.metric,
            {
                "task": self.spec.name,
                "data": self.settings.data.name,
                "encoder": self.settings.encoder.path,
                "name": self.settings.encoder.name,
                "teacher": self.settings.distillation.teacher,
                "parameters": self._parameters,
                "labels": self.dataset.labels,
                "examples": {name: len(examples) for name, examples in self._splits().items()},
                "fingerprints": self.fingerprints,
                "hyper_parameters": self.settings.training.model_dump(),
            },
        )

    def _make_task(self) -> Task:
        tokenizer, longest = task_tokenizer(self.source), self.settings.training.max_length
        task = make_task(self.spec, self.dataset.labels, tokenizer, longest)
        model = self._fresh_model(task)
        self._parameters = sum(parameter.numel() for parameter in model.parameters())
        task.max_length = min(
            longest, longest_sequence(self.source, usable_positions(model.config))
        )
        frozen = self.settings.training.frozen_layers
        freeze_layers(model, model.config.num_hidden_layers, frozen)  # to check the number
        return task

    def _fresh_model(self, task: Task | None = None) -> TaskModel:
        task = task or self.task
        dropout = self.settings.training.dropout
        return new_task_model(self.source, task.spec.head, task.outputs, dropout)

    def _inputs(self, split: str, examples: Sequence[Any]) -> Inputs:
        inputs = self.task.inputs(examples)
        if inputs.truncated and split not in self._warned:
            self._warned.add(split)
            self.warn(
                f"{split}: {inputs.truncated:,} of {len(examples):,} examples are longer than "
                f"{self.task.max_length} pieces and were truncated"
            )
        return inputs

    def _ask_teacher(self) -> Distiller | None:
        """The teacher's logits for the training split, computed once for all trials."""
        if self.teacher is not None and self._distiller is None:
            self._distiller = make_distiller(
                self.task,
                self.train,
                self._train_examples,
                self.teacher,
                self.settings.distillation,
                mode=self.settings.training.precision,
                device=self.device,
                warn=self.warn,
            )
        return self._distiller

    def _fingerprints(self) -> dict[str, Any]:
        return {
            "data": {name: fingerprint(examples) for name, examples in self._splits().items()},
            "encoder": _fingerprint_of_model(self.source),
            **({"teacher": _fingerprint_of_model(self.teacher)} if self.teacher else {}),
        }

    def _splits(self) -> dict[str, Sequence[Any]]:
        splits = {"train": self._train_examples, "dev": self.dataset.dev, "test": self.dataset.test}
        return {name: examples for name, examples in splits.items() if examples}

    def _identity(self) -> str:
        """Digest of everything that determines a trial's result, except its number and device."""
        training = self.settings.training.model_dump(exclude={"device"})
        parts = {
            "task": self.spec.name,
            "labels": self.dataset.labels,
            "training": {**training, "max_length": self.task.max_length},
            "distillation": self.settings.distillation.model_dump(exclude={"teacher"}),
            "fingerprints": self.fingerprints,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _fingerprint_of_model(directory: Path) -> str:
    names = ("config.json", "tokenizer.json", "vocab.txt")
    files = [directory / name for name in names if (directory / name).is_file()]
    return sha256_of(*files, *sorted(directory.glob("*.safetensors")))


__all__ = ["METRICS_FILE", "Finetuning", "Interrupted"]
