"""The training loops that pretraining.py compares, and what they are given."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from transformers import ElectraConfig, ElectraForMaskedLM, ElectraForPreTraining

from spacy_selectra.encoder.config import EncoderConfig, generator_config, preset
from spacy_selectra.encoder.heads import Discriminator, Generator
from spacy_selectra.encoder.precision import precision
from spacy_selectra.pretraining.config import PretrainingSettings, read_settings
from spacy_selectra.pretraining.masking import Masker
from spacy_selectra.pretraining.model import PretrainingModel, encoder_config
from spacy_selectra.pretraining.optimizer import build_optimizer
from spacy_selectra.pretraining.run_log import step_flops
from spacy_selectra.pretraining.step import Guard, TrainingStep
from spacy_selectra.text.tokenizer import SPECIAL_TOKENS

PAD, CLS, SEP, MASK = (SPECIAL_TOKENS.index(name) for name in ("[PAD]", "[CLS]", "[SEP]", "[MASK]"))


@dataclass(frozen=True)
class Task:
    """What is trained on what, the same for all contenders but for the first three."""

    loop: str
    mode: str
    keep_memory: bool
    preset: str
    vocab_size: int | None
    length: int
    batch: int
    fill: float
    threads: int | None
    device: str
    seed: int
    recipe: str

    @property
    def settings(self) -> PretrainingSettings:
        """The recipe; sizes come from the task."""
        return _settings(self.recipe)

    @property
    def cuda(self) -> bool:
        """Whether a GPU is at work."""
        return torch.device(self.device).type == "cuda"

    @property
    def configs(self) -> tuple[EncoderConfig, EncoderConfig]:
        """Shapes of discriminator and generator."""
        # dropout, say, is the recipe's
        settings = self.settings.encoder.model_copy(update={"preset": self.preset})
        config = encoder_config(settings, self.vocab_size or preset(self.preset).vocab_size)
        return config, generator_config(config, self.settings.generator.scale)

    def draw(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """A batch: (T,) int64 ids of random pieces and (B,) int64 lengths.

        Lengths are uniform over what has its mean at `fill * length` and ends at `length`.
        """
        rng = np.random.default_rng([self.seed, number])
        shortest = max(3, round((2 * self.fill - 1) * self.length))
        lengths = rng.integers(shortest, self.length, size=self.batch, endpoint=True)
        vocab_size = self.configs[0].vocab_size
        ids = rng.integers(len(SPECIAL_TOKENS), vocab_size, size=lengths.sum())
        ends = np.cumsum(lengths)
        ids[ends - lengths], ids[ends - 1] = CLS, SEP
        return ids, lengths


@cache
def _settings(path: str) -> PretrainingSettings:
    return read_settings(path)


def useful_flops(task: Task, lengths: np.ndarray) -> float:
    """Operations of the products a step cannot do without, forward and twice that backward.

    Attention of a piece costs as much as its sequence is long, so the mean is over pieces. The
    generator's output layer is needed where pieces are masked.
    """
    pieces = int(lengths.sum())
    length = float((lengths**2).sum() / pieces)
    objective = task.settings.objective
    corrected = task.loop == "ours" and objective.corrective_lm_weight > 0
    masked = pieces * objective.mask_prob
    return step_flops(*task.configs, pieces, masked, length, corrected)


class Contender(Protocol):
    """A training loop: from the ids of a batch to changed weights."""

    def step(self, ids: np.ndarray, lengths: np.ndarray, number: int) -> bool:
        """Train on one batch; False if the loss was not finite."""
        ...


class Reference:
    """ELECTRA with transformers' models, as tutorials write it."""

    def __init__(self, task: Task) -> None:
        self.mode, self.length, self.device = task.mode, task.length, torch.device(task.device)
        self.settings = task.settings
        discriminator, generator = (ElectraConfig(**each.to_dict()) for each in task.configs)
        self.discriminator = ElectraForPreTraining(discriminator)
        self.generator = ElectraForMaskedLM(generator)
        embeddings = self.discriminator.electra.embeddings
        self.generator.electra.embeddings = embeddings
        self.generator.generator_lm_head.weight = embeddings.word_embeddings.weight
        self.models = torch.nn.ModuleList([self.discriminator, self.generator])
        self.models.to(self.device).train()
        self.parameters = list(self.models.parameters())  # each shared one once
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=self.settings.optimizer.learning_rate
        )

    def step(self, ids: np.ndarray, lengths: np.ndarray, number: int) -> bool:
        del number  # masks come from torch's global generator
        with self._products():
            loss = self._loss(*self._pad(ids, lengths))
            loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, self.settings.optimizer.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return math.isfinite(loss.item())

    def _products(self) -> AbstractContextManager[None]:
        return precision("fast", self.device) if self.mode == "fast" else nullcontext()

    def _pad(self, ids: np.ndarray, lengths: np.ndarray) -> tuple[Tensor, Tensor]:
        present = np.arange(self.length) < lengths[:, None]
        padded = np.full(present.shape, PAD)
        padded[present] = ids
        mask = present.astype(np.int64)
        return torch.from_numpy(padded).to(self.device), torch.from_numpy(mask).to(self.device)

    def _loss(self, ids: Tensor, present: Tensor) -> Tensor:
        objective = self.settings.objective
        chosen = torch.rand(ids.shape, device=self.device) < objective.mask_prob
        chosen &= ids >= len(SPECIAL_TOKENS)
        hidden = torch.rand(ids.shape, device=self.device) < objective.mask_token_prob
        masked = torch.where(chosen & hidden, MASK, ids)
        labels = torch.where(chosen, ids, -100)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.mode == "bf16"):
            guessed = self.generator(input_ids=masked, attention_mask=present, labels=labels)
            with torch.no_grad():
                logits = guessed.logits[chosen].float()
                noise = -torch.log(-torch.log(torch.rand_like(logits)))
                corrupted = ids.clone()
                corrupted[chosen] = (logits + noise).argmax(-1)
            judged = self.discriminator(
                input_ids=corrupted, attention_mask=present, labels=(corrupted != ids).long()
            )
            return objective.mlm_weight * guessed.loss + objective.rtd_weight * judged.loss


class Ours:
    """What `selectra pretrain` does for a step, from the ids on."""

    def __init__(self, task: Task) -> None:
        settings, device = task.settings, torch.device(task.device)
        config, generator = task.configs
        objective = settings.objective
        model = PretrainingModel(
            Generator(generator),
            Discriminator(config),
            objective.mlm_weight,
            objective.rtd_weight,
            objective.corrective_lm_weight,
        )
        model = model.to(device).train()
        compiled = settings.training.compile
        if compiled or (compiled is None and task.cuda):
            model.compile_encoders()
        self.learning_rate = settings.optimizer.learning_rate
        self.masker = Masker(
            config.vocab_size,
            range(len(SPECIAL_TOKENS)),
            MASK,
            objective.mask_prob,
            objective.mask_token_prob,
            seed=task.seed,
            longest=task.length,
        )
        self.make_step = TrainingStep(
            model,
            build_optimizer(dict(model.named_parameters()), settings.optimizer),
            Guard(settings.training.divergence_factor, device),
            task.mode,
            settings.optimizer.max_grad_norm,
        )

    def step(self, ids: np.ndarray, lengths: np.ndarray, number: int) -> bool:
        batch = self.masker(ids, lengths, np.zeros_like(ids), first=number * len(lengths))
        *_, bad = self.make_step([batch], self.learning_rate).read()
        return not bad
