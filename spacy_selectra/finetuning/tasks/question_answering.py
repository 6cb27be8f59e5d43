"""Question answering: questions whose answer is a span of a text."""

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

# As in BERT's code for SQuAD: questions are truncated, contexts are read in overlapping windows,
# and all pairs of the best starts and ends are tried, up to a maximum length of the answer.
MAX_QUESTION = 64
MAX_ANSWER = 30
STRIDE = 128
BEST = 20


@dataclass
class ContextPart:
    """A window of a context.

    Attributes:
        question: number of the question.
        offset: number of pieces before those of the context.
        characters: (n, 2) character offsets of its pieces in the context.
    """

    question: int
    offset: int
    characters: np.ndarray


@dataclass
class AnswerInputs(Inputs):
    """Questions with windows of their contexts.

    A target is (2,) int64, first and last piece of the answer, both 0 ([CLS]) if the answer is not
    in the window.
    """

    questions: list[Question] = field(default_factory=list)
    parts: list[ContextPart] = field(default_factory=list)


class QuestionAnswering(Task):
    """Start and end of the answer, with cross-entropy over the pieces of a window.

    (Devlin et al. 2019, sections 4.2 and 4.3.)
    """

    @property
    def outputs(self) -> list[str]:
        """Start and end."""
        return ["start", "end"]

    def inputs(self, examples: Sequence[Question]) -> AnswerInputs:
        """One sequence per window: the question, then the window.

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
                    f"max_length {self.max_length} leaves only {max(room, 0)} pieces for a context "
                    "after its question"
                )
            if pieces is None or example.context != context:  # a context has several questions
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
        """Mean of both cross-entropies, summed over B windows, from (T, 2) logits."""
        padded = _padded(logits.float(), lengths)
        places = torch.from_numpy(np.stack(targets)).to(logits.device)
        return F.cross_entropy(padded, places, reduction="sum") / 2

    def count(self, targets: Sequence[np.ndarray]) -> int:
        """Windows."""
        return len(targets)

    def soft_loss(
        self, logits: Tensor, teacher_logits: Tensor, sizes: Sequence[int], temperature: float
    ) -> Tensor:
        """Mean KL divergence of start and end, summed over windows, from (T, 2) logits."""
        padded = [_padded(side, sizes) for side in (logits.float(), teacher_logits)]
        return softened_divergence(padded[0], padded[1], temperature) / 2

    def soft_count(self, sizes: Sequence[int]) -> int:
        """Windows."""
        return len(sizes)

    def predicted(self, inputs: AnswerInputs, logits: Sequence[np.ndarray]) -> list[str]:
        """The best answer to each question over all windows of its context.

        If the data has unanswerable questions, "" is possible too.
        """
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
        """ "no answer", if it has the highest score in every window."""
        empty = all((scores.argmax(axis=0) == 0).all() for scores in logits)
        return "no answer" if empty else None


def _padded(logits: Tensor, lengths: Sequence[int]) -> Tensor:
    """(T, 2) to (B, max_seqlen, 2), padded with -inf."""
    return torch.nn.utils.rnn.pad_sequence(
        list(logits.split(list(lengths))), batch_first=True, padding_value=float("-inf")
    )


def _target(example: Question, characters: np.ndarray, offset: int) -> np.ndarray:
    """First and last piece of the first answer; [CLS] if it is not all in the window."""
    if example.answers:
        text, begin = example.answers[0]
        end = begin + len(text)
        inside, _ = pieces_of_words(np.array([begin]), np.array([end]), characters)
        # its first or last characters are in another window
        whole = len(inside) and characters[inside[0], 0] <= begin + _spaces(text)
        if whole and characters[inside[-1], 1] >= end - _spaces(text[::-1]):
            return np.array([inside[0] + offset, inside[-1] + offset], dtype=np.int64)
    return np.zeros(2, dtype=np.int64)


def _spaces(text: str) -> int:
    return len(text) - len(text.lstrip())


def _best_span(scores: np.ndarray) -> tuple[float, tuple[int, int] | None]:
    """Highest sum of a start and an end among the `BEST` of each, and both indices."""
    starts = np.argsort(-scores[:, 0], kind="stable")[:BEST]
    ends = np.argsort(-scores[:, 1], kind="stable")[:BEST]
    sums = scores[starts, 0][:, None] + scores[ends, 1][None, :]
    size = ends[None, :] - starts[:, None] + 1
    sums = np.where((size >= 1) & (size <= MAX_ANSWER), sums, -np.inf)
    if not sums.size or not np.isfinite(sums.max()):
        return -np.inf, None
    row, column = np.unravel_index(sums.argmax(), sums.shape)
    return float(sums[row, column]), (int(starts[row]), int(ends[column]))
