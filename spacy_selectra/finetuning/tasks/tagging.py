"""A tag for each word: entities and parts of speech."""

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
from spacy_selectra.finetuning.features import TEXTS_PER_CALL, Pieces, Template, join
from spacy_selectra.finetuning.metrics import entity_scores, tag_scores
from spacy_selectra.finetuning.tasks.base import IGNORED, Inputs, Problem
from spacy_selectra.text.iob import OUTSIDE, best_tags

if TYPE_CHECKING:
    from tokenizers import Tokenizer


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


# Words as the pieces of any tokenizer, and long sentences as windows of them.


class WordPieces(NamedTuple):
    """A sentence of W words as n pieces.

    Attributes:
        ids: (n,) int64.
        words: (n,) int64, the word whose first piece this is, -1 for others.
    """

    ids: np.ndarray
    words: np.ndarray


class Window(NamedTuple):
    """Pieces `begin` to `end` of a sentence; it answers for those from `first` to `last`."""

    begin: int
    end: int
    first: int
    last: int


def word_pieces(tokenizer: Tokenizer, sentences: Sequence[Sequence[str]]) -> list[WordPieces]:
    """Tokenise sentences given as words.

    Words are joined by spaces and found again by their characters, which is the same for
    WordPiece, byte-level BPE and SentencePiece: those mark a space on the piece behind it. A word
    may have no piece (control characters); the first piece of several written as one is the
    first word's.
    """
    found = []
    for begin in range(0, len(sentences), TEXTS_PER_CALL):
        some = sentences[begin : begin + TEXTS_PER_CALL]
        texts = [" ".join(words) for words in some]
        encoded = tokenizer.encode_batch(texts, add_special_tokens=False)
        for words, encoding in zip(some, encoded, strict=True):
            ids = np.array(encoding.ids, dtype=np.int64)
            offsets = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
            found.append(WordPieces(ids, _first_pieces(words, offsets)))
    return found


def windows(words: np.ndarray, room: int) -> list[Window]:
    """Share out (n,) pieces over windows of at most `room`, evenly, half of it overlapping.

    Every piece is answered for by one window, in which it is at least a quarter of `room` away
    from where text was cut off. Windows begin with the first piece of a word, unless a word
    fills more than half of one.
    """
    count = len(words)
    if count <= room:
        return [Window(0, count, 0, count)]
    number = -(-(count - room) // (room // 2)) + 1
    begins = np.linspace(0, count - room, number).astype(np.int64)
    starts = np.flatnonzero(words >= 0)
    for place in range(1, number):
        # a little later, at the next word; the window before reaches far beyond
        nearest = np.searchsorted(starts, begins[place])
        if nearest < len(starts) and starts[nearest] - begins[place] < room // 8:
            begins[place] = starts[nearest]
    ends = np.minimum(begins + room, count)
    borders = [0, *((begins[1:] + ends[:-1]) // 2).tolist(), count]
    return [
        Window(int(begin), int(end), borders[place], borders[place + 1])
        for place, (begin, end) in enumerate(zip(begins, ends, strict=True))
    ]


def _first_pieces(words: Sequence[str], offsets: np.ndarray) -> np.ndarray:
    """(n,) word that begins with each piece, -1 for none; `offsets` are (n, 2) characters."""
    sizes = np.array([len(word) for word in words], dtype=np.int64)
    starts = np.cumsum(sizes + 1) - (sizes + 1)
    # the last character: a piece may begin with the space before its word
    last = np.maximum(offsets[:, 1] - 1, 0)
    word = np.searchsorted(starts, last, side="right") - 1
    inside = (offsets[:, 1] > offsets[:, 0]) & (word >= 0)
    inside &= last < (starts + sizes)[np.maximum(word, 0)] if len(words) else False
    owner = np.where(inside, word, -1)
    found, first = np.unique(owner, return_index=True)
    result = np.full(len(offsets), -1, dtype=np.int64)
    result[first[found >= 0]] = found[found >= 0]
    return result
