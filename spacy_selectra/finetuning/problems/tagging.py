"""A tag for each word: entities and parts of speech."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.examples import TaggedWords
from spacy_selectra.finetuning.entity_tags import OUTSIDE, best_tags
from spacy_selectra.finetuning.features import Pieces, Template, join
from spacy_selectra.finetuning.metrics import entity_scores, tag_scores
from spacy_selectra.finetuning.problems.base import IGNORED, Inputs, Problem
from spacy_selectra.finetuning.problems.words import windows, word_pieces


@dataclass
class TaggedInputs(Inputs):
    """Tagged sentences; a target is (n,) int64, the tag of each piece or `IGNORED`.

    Attributes:
        tags: right tags of each sentence, empty if unknown.
        sizes: words of each sentence.
    """

    tags: list[list[str]]
    sizes: list[int]


class Tagging(Problem):
    """The tag of each word from its first piece (Devlin et al. 2019, section 5.3), by
    cross-entropy. Sentences that are too long are read in overlapping windows, and every word's
    tag is learnt and predicted in the window where it stands farthest from a cut."""

    kind = "token"

    @property
    def outputs(self) -> list[str]:
        """Tags: of entities O, then B and I of each type."""
        if not self.task.entities:
            return self.labels
        return ["O", *(f"{action}-{name}" for name in self.labels for action in "BI")]

    def inputs(self, examples: Sequence[TaggedWords]) -> TaggedInputs:
        """One sequence a sentence, or several of a long one.

        Raises:
            SelectraError: `max_length` leaves no room beside the special pieces.
        """
        template = Template.of(self.tokenizer, pairs=False)
        room = self.max_length - template.added
        if room < 2:
            raise SelectraError(f"max_length {self.max_length} leaves no room for text")
        numbers = {tag: number for number, tag in enumerate(self.outputs)}
        found = TaggedInputs(
            *([], [], 0, [], [], 0), [e.tags for e in examples], [len(e.words) for e in examples]
        )
        sentences = word_pieces(self.tokenizer, [example.words for example in examples])
        for example, pieces in zip(examples, sentences, strict=True):
            tags = np.array([numbers[tag] for tag in example.tags], dtype=np.int64)
            if not example.tags:
                tags = np.full(len(example.words), IGNORED, dtype=np.int64)
            for window in windows(pieces.words, room):
                words = pieces.words[window.begin : window.end].copy()
                words[: window.first - window.begin] = -1
                words[window.last - window.begin :] = -1
                self._add(found, template, pieces.ids[window.begin : window.end], words, tags)
            found.total += len(example.words)
        return found

    def _add(
        self,
        found: TaggedInputs,
        template: Template,
        ids: np.ndarray,
        words: np.ndarray,
        tags: np.ndarray,
    ) -> None:
        sequence: Pieces = join([template.left(ids), template.right(None)])
        target = np.full(len(sequence), IGNORED, dtype=np.int64)
        learnt = np.flatnonzero(words >= 0)
        rows = learnt + len(template.before)
        target[rows] = tags[words[learnt]]
        found.sequences.append(sequence)
        found.targets.append(target)
        found.rows.append(rows)
        found.places.append(words[learnt] + found.total)

    def loss(self, logits: Tensor, lengths: Sequence[int], targets: Sequence[np.ndarray]) -> Tensor:
        """Sum over words of the cross-entropy of (T, tags) logits."""
        tags = torch.from_numpy(np.concatenate(targets))
        return F.cross_entropy(
            logits.float(), tags.to(logits.device), reduction="sum", ignore_index=IGNORED
        )

    def count(self, targets: Sequence[np.ndarray]) -> int:
        """Words with a tag."""
        return sum(int((target != IGNORED).sum()) for target in targets)

    def predicted(self, inputs: TaggedInputs, logits: Sequence[np.ndarray]) -> list[list[str]]:
        """The tags of each sentence: of entities the best sequence in which I follows B or I of
        its type, else the best one of each word; of words without a piece the first tag."""
        scores = inputs.answers(logits)
        unread = np.ones(inputs.total, dtype=bool)
        unread[np.concatenate(inputs.places)] = False
        scores[unread, OUTSIDE] = 1.0
        if self.task.entities:
            numbers = best_tags(scores, inputs.sizes)
        else:
            numbers = scores.argmax(axis=1)
        names = np.array(self.outputs, dtype=object)[numbers]
        parts = np.split(names, np.cumsum(inputs.sizes)[:-1])
        return [part.tolist() for part in parts]

    def scores(self, inputs: TaggedInputs, logits: Sequence[np.ndarray]) -> dict[str, float]:
        """F1, precision and recall of entities, or accuracy of tags."""
        score = entity_scores if self.task.entities else tag_scores
        return score(inputs.tags, self.predicted(inputs, logits))

    def only_answer(self, inputs: TaggedInputs, logits: Sequence[np.ndarray]) -> str | None:
        """The tag of all words."""
        found = {tag for tags in self.predicted(inputs, logits) for tag in tags}
        return next(iter(found)) if len(found) == 1 else None
