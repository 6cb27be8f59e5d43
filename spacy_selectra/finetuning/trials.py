"""Several trials of one configuration: resumable, summed up, the best one kept.

OUT/trial-K/model/        the trained model in transformers' format, with its tokenizer
OUT/trial-K/metrics.json  its scores
OUT/trial-K/log.jsonl     loss and development scores of each epoch
OUT/best/                 the model of the trial with the best development score
OUT/metrics.json          all trials, their mean and standard deviation
"""

from __future__ import annotations

import hashlib
import json
import shutil
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spacy_selectra.corpus.tokenizer import load_backend, load_tokenizer
from spacy_selectra.encoder.checkpoint import save_model
from spacy_selectra.encoder.load import load_encoder, resolve_model
from spacy_selectra.encoder.models import SequenceClassifier
from spacy_selectra.encoder.network import SelectraEncoder
from spacy_selectra.errors import OtherRunError, SelectraError
from spacy_selectra.files import (
    atomic_directory,
    read_json,
    sha256_of,
    write_json,
    write_text,
)
from spacy_selectra.finetuning.data import Dataset, Example, read_dataset
from spacy_selectra.finetuning.features import build_features
from spacy_selectra.finetuning.inference import predict_logits
from spacy_selectra.finetuning.metrics import all_scores
from spacy_selectra.finetuning.settings import FinetuneSettings
from spacy_selectra.finetuning.tasks import Task, get_task
from spacy_selectra.finetuning.trainer import (
    Interrupted,
    Labelled,
    seed_everything,
    train_classifier,
)
from spacy_selectra.progress import Progress

METRICS_FILE = "metrics.json"


class Finetuning:
    """Trials of one configuration in one directory.

    Everything is read and checked on construction, before anything is written.

    Args:
        settings: the configuration.
        out: where results go; trials finished there by the same configuration are kept.
        warn: takes one sentence for the user.
        quiet: no progress on stderr.

    Raises:
        OtherRunError: `out` holds trials of another configuration.
        SelectraError: unusable data, encoder or setting.
    """

    def __init__(
        self,
        settings: FinetuneSettings,
        out: str | Path,
        *,
        warn: Callable[[str], None],
        quiet: bool = False,
    ) -> None:
        self.settings, self.out = settings, Path(out)
        self.warn, self.quiet = warn, quiet
        self.task: Task = get_task(settings.task.name)
        data = settings.data
        self.dataset: Dataset = read_dataset(self.task, data.train, data.dev, data.test)
        self.source = resolve_model(settings.encoder.path)
        self.device = _device(settings.training.device)
        model = self._fresh_model()
        self._parameters = sum(parameter.numel() for parameter in model.parameters())
        self._positions = model.config.max_position_embeddings
        self.fingerprints = {
            "data": {name: sha256_of(*paths) for name, paths in self._files().items()},
            "encoder": _fingerprint_of_model(self.source),
        }
        self._refuse_other_configuration()
        self.train = self._features("train", self.dataset.train)
        self.dev = self._features("dev", self.dataset.dev)
        self.test = self._features("test", self.dataset.test) if self.dataset.test else None

    def run(self, trials: int, should_stop: Callable[[], bool] = lambda: False) -> dict[str, Any]:
        """Run the trials that are not there yet and sum all up in `metrics.json`.

        Returns:
            The contents of `metrics.json`.

        Raises:
            Interrupted: `should_stop` said so; finished trials, and the summary of them, stay.
            SelectraError: the output cannot be written.
        """
        for number in range(1, trials + 1):
            if not (self._trial(number) / METRICS_FILE).is_file():
                self._run_trial(number, trials, should_stop)
            self._summarise(number)
        return read_json(self.out / METRICS_FILE)

    def _run_trial(self, number: int, trials: int, should_stop: Callable[[], bool]) -> None:
        training = self.settings.training
        seed = training.seed + number - 1
        seed_everything(seed)
        model = self._fresh_model().to(self.device)
        amount = training.epochs * len(self.train.sequences)
        title = f"{self.task.name}, trial {number} of {trials}"
        with Progress(title, amount, "examples", quiet=self.quiet) as progress:
            outcome = train_classifier(
                model,
                self.train,
                self.dev,
                training,
                metric=self.task.metric,
                seed=seed,
                warn=self.warn,
                should_stop=should_stop,
                progress=progress,
            )
        metrics = {
            "trial": number,
            "seed": seed,
            "best_epoch": outcome.best_epoch,
            "collapsed": outcome.collapsed,
            "dev": outcome.dev,
            "test": self._test_scores(model),
        }
        with atomic_directory(self._trial(number)) as directory:
            save_model(model, directory / "model")
            load_tokenizer(self.source).save_pretrained(str(directory / "model"))
            rows = (json.dumps(row, ensure_ascii=False) for row in outcome.epochs)
            write_text(directory / "log.jsonl", "".join(f"{row}\n" for row in rows))
            write_json(directory / METRICS_FILE, {**metrics, "configuration": self._identity()})

    def _test_scores(self, model: SequenceClassifier) -> dict[str, float] | None:
        if self.test is None:
            return None
        logits = predict_logits(model, self.test.sequences, mode=self.settings.training.precision)
        return all_scores(self.test.classes, logits.argmax(axis=1), len(model.labels))

    def _summarise(self, finished: int) -> None:
        trials = []
        for number in range(1, finished + 1):
            metrics = read_json(self._trial(number) / METRICS_FILE)
            del metrics["configuration"]
            trials.append(metrics)
        split = "dev" if self.test is None else "test"
        scores = [trial[split][self.task.metric] for trial in trials]
        best = max(trials, key=lambda trial: (trial["dev"][self.task.metric], -trial["trial"]))
        with atomic_directory(self.out / "best") as directory:
            source = self._trial(best["trial"]) / "model"
            shutil.copytree(source, directory, dirs_exist_ok=True)
        write_json(
            self.out / METRICS_FILE,
            {
                "task": self.task.name,
                "data": self.settings.data.name,
                "encoder": self.settings.encoder.path,
                "parameters": self._parameters,
                "labels": self.dataset.labels,
                "metric": self.task.metric,
                "split": split,
                "mean": statistics.fmean(scores),
                # of one trial there is no standard deviation
                "std": statistics.stdev(scores) if len(scores) > 1 else None,
                "best_trial": best["trial"],
                "trials": trials,
                "examples": {name: len(getattr(self.dataset, name)) for name in self._files()},
                "fingerprints": self.fingerprints,
                "hyper_parameters": self.settings.training.model_dump(),
                "versions": _versions(),
            },
        )

    def _trial(self, number: int) -> Path:
        return self.out / f"trial-{number}"

    def _fresh_model(self) -> SequenceClassifier:
        """The pretrained encoder under a head drawn from torch's random state."""
        encoder = load_encoder(self.source)
        if not isinstance(encoder, SelectraEncoder):
            raise SelectraError(
                f"{self.settings.encoder.path}: model type '{encoder.config.model_type}'; "
                f"task '{self.task.name}' can be learnt by ELECTRA encoders only"
            )
        model = SequenceClassifier(encoder.config, self.dataset.labels)
        model.encoder = encoder
        return model

    def _features(self, split: str, examples: list[Example]) -> Labelled:
        limit = min(self.settings.training.max_length, self._positions)
        pairs = [example.pair or "" for example in examples] if self.task.pairs else None
        features = build_features(
            load_backend(self.source), [example.text for example in examples], pairs, limit
        )
        if features.truncated:
            self.warn(
                f"{split}: {features.truncated:,} of {len(examples):,} examples are longer than "
                f"{limit} pieces and were cut"
            )
        numbers = {label: number for number, label in enumerate(self.dataset.labels)}
        classes = np.array([numbers[example.label] for example in examples], dtype=np.int64)
        return Labelled(features.sequences, classes)

    def _files(self) -> dict[str, list[str]]:
        data = self.settings.data
        splits = {"train": data.train, "dev": data.dev, "test": data.test}
        return {
            name: [paths] if isinstance(paths, str) else list(paths)
            for name, paths in splits.items()
            if paths
        }

    def _identity(self) -> str:
        """Digest of everything that decides a trial's result but its number and the device."""
        parts = {
            "task": self.task.name,
            "labels": self.dataset.labels,
            "training": self.settings.training.model_dump(exclude={"device"}),
            "fingerprints": self.fingerprints,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _refuse_other_configuration(self) -> None:
        for path in sorted(self.out.glob(f"trial-*/{METRICS_FILE}")):
            if read_json(path).get("configuration") != self._identity():
                raise OtherRunError(
                    f"{path.parent}: a trial with other settings, data or encoder; "
                    "choose another output directory or delete this one"
                )


def _fingerprint_of_model(directory: Path) -> str:
    names = ("config.json", "tokenizer.json", "vocab.txt")
    files = [directory / name for name in names if (directory / name).is_file()]
    return sha256_of(*files, *sorted(directory.glob("*.safetensors")))


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise SelectraError(f"training.device '{name}' is not a device of torch") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SelectraError(f"training.device '{name}': torch finds no CUDA device here")
    return device


def _versions() -> dict[str, str]:
    import transformers

    from spacy_selectra import __version__

    return {
        "spacy-selectra": __version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


__all__ = ["METRICS_FILE", "Finetuning", "Interrupted"]
