"""Tagging words: entities and parts of speech."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.examples import TaggedWords
from spacy_selectra.finetuning.metrics import entity_scores, tag_scores
from spacy_selectra.finetuning.tasks.base import IGNORED, Inputs, Task
from spacy_selectra.text.boundaries import after_boundaries, separates
from spacy_selectra.text.encode import Template, encodings, join, pieces_of
from spacy_selectra.text.iob import OUTSIDE, begin_anew, best_tags
from spacy_selectra.text.pieces import first_pieces, overlapping_windows

if TYPE_CHECKING:
    from tokenizers import Tokenizer


@dataclass
class TaggedInputs(Inputs):
    """Tagged sentences; a target is (n,) int64, the tag of each piece or `IGNORED`.

    Attributes:
        tags: correct tags of each sentence, empty if unlabelled.
        sizes: number of words of each sentence.
        firsts: indices, over all sentences, of words after a boundary, which an entity cannot
            continue into; see `spacy_selectra.text.boundaries`.
    """

    tags: list[list[str]]
    sizes: list[int]
    firsts: list[int]


class Tagging(Task):
    """The tag of each word, from its first piece (Devlin et al. 2019, section 5.3).

    The loss is cross-entropy. Long sentences are read in overlapping windows. Each word's tag is
    trained and predicted in the window with the most context around it.
    """

    @property
    def outputs(self) -> list[str]:
        """Tags; for entities O, then B and I of each type."""
        if not self.spec.entities:
            return self.labels
        return ["O", *(f"{action}-{name}" for name in self.labels for action in "BI")]

    def inputs(self, examples: Sequence[TaggedWords]) -> TaggedInputs:
        """One sequence per sentence, or several for a long one.

        Raises:
            SelectraError: `max_length` is too small for special pieces and text.
        """
        template = Template.of(self.tokenizer, pairs=False)
        room = self.max_length - template.added
        if room < 2:
            raise SelectraError(f"max_length {self.max_length} leaves no room for text")
        numbers = {tag: number for number, tag in enumerate(self.outputs)}
        tags_of_each, sizes = [e.tags for e in examples], [len(e.words) for e in examples]
        found = TaggedInputs([], [], 0, [], [], 0, tags_of_each, sizes, [])
        sentences = word_pieces(self.tokenizer, [example.words for example in examples])
        for example, pieces in zip(examples, sentences, strict=True):
            tags = np.array([numbers[tag] for tag in example.tags], dtype=np.int64)
            if not example.tags:
                tags = np.full(len(example.words), IGNORED, dtype=np.int64)
            starts = np.flatnonzero(pieces.words >= 0)
            # every word has at least a quarter of a window of context on either side
            for window in overlapping_windows(
                len(pieces.ids), room, room // 2, "even", starts=starts
            ):
                words = pieces.words[window.begin : window.end].copy()
                words[: window.first - window.begin] = -1
                words[window.last - window.begin :] = -1
                self._add(found, template, pieces.ids[window.begin : window.end], words, tags)
            if self.spec.entities:
                found.firsts += [found.total + place for place in new_beginnings(example.words)]
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
        sequence = join([template.left(ids), template.right(None)])
        target = np.full(len(sequence), IGNORED, dtype=np.int64)
        learnt = np.flatnonzero(words >= 0)
        rows = learnt + len(template.before)
        target[rows] = tags[words[learnt]]
        found.sequences.append(sequence)
        found.targets.append(target)
        found.rows.append(rows)
        found.places.append(words[learnt] + found.total)

    def loss(self, logits: Tensor, lengths: Sequence[int], targets: Sequence[np.ndarray]) -> Tensor:
        """Cross-entropy of (T, tags) logits, summed over words."""
        tags = torch.from_numpy(np.concatenate(targets))
        return F.cross_entropy(
            logits.float(), tags.to(logits.device), reduction="sum", ignore_index=IGNORED
        )

    def count(self, targets: Sequence[np.ndarray]) -> int:
        """Number of words with a tag."""
        return sum(int((target != IGNORED).sum()) for target in targets)

    def predicted(self, inputs: TaggedInputs, logits: Sequence[np.ndarray]) -> list[list[str]]:
        """The tags of each sentence.

        For entities it is the best sequence with valid IOB2 transitions and no entity across a
        boundary, otherwise the best tag of each word. Words without pieces get the first tag.
        """
        scores = inputs.answers(logits)
        unread = np.ones(inputs.total, dtype=bool)
        unread[np.concatenate(inputs.places)] = False
        scores[unread, OUTSIDE] = 1.0
        if self.spec.entities:
            firsts = np.array(inputs.firsts, dtype=np.int64)
            numbers = best_tags(begin_anew(scores, firsts), inputs.sizes)
        else:
            numbers = scores.argmax(axis=1)
        names = np.array(self.outputs, dtype=object)[numbers]
        parts = np.split(names, np.cumsum(inputs.sizes)[:-1])
        return [part.tolist() for part in parts]

    def scores(self, inputs: TaggedInputs, logits: Sequence[np.ndarray]) -> dict[str, float]:
        """F1, precision and recall of entities, or accuracy of tags."""
        score = entity_scores if self.spec.entities else tag_scores
        return score(inputs.tags, self.predicted(inputs, logits))

    def only_answer(self, inputs: TaggedInputs, logits: Sequence[np.ndarray]) -> str | None:
        """The tag of all words."""
        found = {tag for tags in self.predicted(inputs, logits) for tag in tags}
        return next(iter(found)) if len(found) == 1 else None


# Splitting words into pieces with any tokenizer.


class WordPieces(NamedTuple):
    """A sentence of W words as n pieces.

    Attributes:
        ids: (n,) int64.
        words: (n,) int64, the index of the word of which this is the first piece, -1 for others.
    """

    ids: np.ndarray
    words: np.ndarray


def word_pieces(tokenizer: Tokenizer, sentences: Sequence[Sequence[str]]) -> list[WordPieces]:
    """Tokenise sentences that are lists of words.

    Words are joined by spaces and aligned by character offsets, which works for WordPiece,
    byte-level BPE and SentencePiece. A word of control characters may have no piece. A piece that
    covers several words belongs to the first of them.
    """
    found = []
    texts = [" ".join(words) for words in sentences]
    for words, encoding in zip(sentences, encodings(tokenizer, texts), strict=True):
        pieces = pieces_of(encoding)
        sizes = np.array([len(word) for word in words], dtype=np.int64)
        begins = np.cumsum(sizes + 1) - (sizes + 1)
        found.append(WordPieces(pieces.ids, first_pieces(begins, begins + sizes, pieces.offsets)))
    return found


def new_beginnings(words: Sequence[str]) -> list[int]:
    """Indices of words after a boundary, which an entity cannot continue into.

    Args:
        words: of a sentence, joined by spaces; a word may also be white space.
    """
    seen = [n for n, word in enumerate(words) if word.strip() and not separates(word)]
    sizes = np.array([len(word) for word in words], dtype=np.int64)
    begins = (np.cumsum(sizes + 1) - (sizes + 1))[seen]
    behind = after_boundaries(" ".join(words), begins, begins + sizes[seen])
    return [place for place, is_one in zip(seen, behind, strict=True) if is_one]
