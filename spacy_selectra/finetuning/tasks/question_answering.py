"""Questions answered by a span of a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.examples import Question
from spacy_selectra.finetuning.metrics import answer_scores
from spacy_selectra.finetuning.tasks.base import Inputs, Task, softened_divergence
from spacy_selectra.text.encode import Template, encode_ids, join, pieces_of
from spacy_selectra.text.pieces import overlapping_windows, pieces_of_words

# As in the code of BERT for SQuAD: questions are cut, contexts read in overlapping windows, and
# of the best beginnings and ends all pairs are tried whose answer is not longer than this.
MAX_QUESTION = 64
MAX_ANSWER = 30
STRIDE = 128
BEST = 20


@dataclass
class ContextPart:
    """Part of a context.

    Attributes:
        question: number of the question.
        offset: pieces before the context's.
        characters: (n, 2) where its pieces lie in the context.
    """

    question: int
    offset: int
    characters: np.ndarray


@dataclass
class AnswerInputs(Inputs):
    """Questions with windows of their contexts; a target is (2,) int64, first and last piece of
    the answer, both 0 ([CLS]) where the window does not hold it."""

    questions: list[Question] = field(default_factory=list)
    parts: list[ContextPart] = field(default_factory=list)


class QuestionAnswering(Task):
    """Beginning and end of the answer, by cross-entropy over the pieces of a window (Devlin et
    al. 2019, sections 4.2 and 4.3)."""

    @property
    def outputs(self) -> list[str]:
        """Beginning and end."""
        return ["start", "end"]

    def inputs(self, examples: Sequence[Question]) -> AnswerInputs:
        """One sequence a window of a context, its question before it.

        Raises:
            SelectraError: `max_length` leaves too little room for contexts.
        """
        template = Template.of(self.tokenizer, pairs=True)
        found = AnswerInputs([], [], 0, [], [], 0, list(examples))
        asked = encode_ids(self.tokenizer, [example.question for example in examples])
        context, pieces = None, None
        for number, (example, question) in enumerate(zip(examples, asked, strict=True)):
            question = question[:MAX_QUESTION]
            room = self.max_length - template.added - len(question)
            if room < 8:
                raise SelectraError(
                    f"max_length {self.max_length} leaves {max(room, 0)} pieces for a context "
                    "beside its question"
                )
            if pieces is None or example.context != context:  # one text has several questions
                context = example.context
                pieces = pieces_of(self.tokenizer.encode(context, add_special_tokens=False))
            left = template.left(question)
            stride = min(STRIDE, room // 2)
            for window in overlapping_windows(len(pieces.ids), room, stride, "strides"):
                characters = pieces.offsets[window.begin : window.end]
                sequence = join([left, template.right(pieces.ids[window.begin : window.end])])
                offset = len(left) + len(template.between)
                found.sequences.append(sequence)
                found.targets.append(_target(example, characters, offset))
                found.parts.append(ContextPart(number, offset, characters))
                found.rows.append(np.arange(len(sequence)))
                found.places.append(np.arange(len(sequence)) + found.total)
                found.total += len(sequence)
        return found

    def loss(self, logits: Tensor, lengths: Sequence[int], targets: Sequence[np.ndarray]) -> Tensor:
        """Sum over B windows of the mean of both cross-entropies, from (T, 2) logits."""
        padded = _padded(logits.float(), lengths)
        places = torch.from_numpy(np.stack(targets)).to(logits.device)
        return F.cross_entropy(padded, places, reduction="sum") / 2

    def count(self, targets: Sequence[np.ndarray]) -> int:
        """Windows."""
        return len(targets)

    def soft_loss(
        self, logits: Tensor, teacher_logits: Tensor, sizes: Sequence[int], temperature: float
    ) -> Tensor:
        """Sum over windows of the mean divergence of beginning and end, from (T, 2) logits."""
        padded = [_padded(side, sizes) for side in (logits.float(), teacher_logits)]
        return softened_divergence(padded[0], padded[1], temperature) / 2

    def soft_count(self, sizes: Sequence[int]) -> int:
        """Windows."""
        return len(sizes)

    def predicted(self, inputs: AnswerInputs, logits: Sequence[np.ndarray]) -> list[str]:
        """The best answer to each question over all windows of its context; "" where no answer
        scores higher and the data holds unanswerable questions."""
        best = [(-np.inf, "")] * len(inputs.questions)
        nothing = np.full(len(inputs.questions), np.inf)
        for part, scores in zip(inputs.parts, logits, strict=True):
            question = part.question
            nothing[question] = min(nothing[question], scores[0].sum())
            score, span = _best_span(scores[part.offset :][: len(part.characters)])
            if span is not None and score > best[question][0]:
                begin, end = part.characters[span[0], 0], part.characters[span[1], 1]
                text = inputs.questions[question].context[begin:end]
                best[question] = (score, text.strip())
        unanswerable = any(not question.answers for question in inputs.questions)
        return [
            "" if unanswerable and nothing[number] >= score else text
            for number, (score, text) in enumerate(best)
        ]

    def scores(self, inputs: AnswerInputs, logits: Sequence[np.ndarray]) -> dict[str, float]:
        """F1 and exact match."""
        right = [[text for text, _ in question.answers] for question in inputs.questions]
        return answer_scores(right, self.predicted(inputs, logits))

    def only_answer(self, inputs: AnswerInputs, logits: Sequence[np.ndarray]) -> str | None:
        """ "no answer", if that scores highest in every window."""
        empty = all((scores.argmax(axis=0) == 0).all() for scores in logits)
        return "no answer" if empty else None


def _padded(logits: Tensor, lengths: Sequence[int]) -> Tensor:
    """(T, 2) to (B, longest, 2), -inf where there is no piece."""
    return torch.nn.utils.rnn.pad_sequence(
        list(logits.split(list(lengths))), batch_first=True, padding_value=float("-inf")
    )


def _target(example: Question, characters: np.ndarray, offset: int) -> np.ndarray:
    """Pieces of the first answer, [CLS] if the window does not hold all of it."""
    if example.answers:
        text, begin = example.answers[0]
        end = begin + len(text)
        inside, _ = pieces_of_words(np.array([begin]), np.array([end]), characters)
        # cut off: its first or last characters belong to pieces of another window
        whole = len(inside) and characters[inside[0], 0] <= begin + _spaces(text)
        if whole and characters[inside[-1], 1] >= end - _spaces(text[::-1]):
            return np.array([inside[0] + offset, inside[-1] + offset], dtype=np.int64)
    return np.zeros(2, dtype=np.int64)


def _spaces(text: str) -> int:
    return len(text) - len(text.lstrip())


def _best_span(scores: np.ndarray) -> tuple[float, tuple[int, int] | None]:
    """Highest sum of a beginning and an end, and both, among the `BEST` of each."""
    starts = np.argsort(-scores[:, 0], kind="stable")[:BEST]
    ends = np.argsort(-scores[:, 1], kind="stable")[:BEST]
    sums = scores[starts, 0][:, None] + scores[ends, 1][None, :]
    size = ends[None, :] - starts[:, None] + 1
    sums = np.where((size >= 1) & (size <= MAX_ANSWER), sums, -np.inf)
    if not sums.size or not np.isfinite(sums.max()):
        return -np.inf, None
    row, column = np.unravel_index(sums.argmax(), sums.shape)
    return float(sums[row, column]), (int(starts[row]), int(ends[column]))
