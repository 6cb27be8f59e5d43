"""Questions and answers in SQuAD's formats (Rajpurkar et al. 2016, 2018)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.data.examples import Question
from spacy_selectra.finetuning.data.json_rows import read_json
from spacy_selectra.finetuning.data.sources import Row


def squad_rows(path: Path) -> Iterator[Row]:
    """A row for each question of a SQuAD 1.1 or 2.0 file: id, context, question, answers.

    A question marked `is_impossible` has no answers; plausible ones are ignored.

    Raises:
        SelectraError: missing file, or not JSON in SQuAD's format.
    """
    whole = read_json(path)
    try:
        for article in whole["data"]:
            for paragraph in article["paragraphs"]:
                for asked in paragraph["qas"]:
                    answers = [] if asked.get("is_impossible") else asked["answers"]
                    yield (
                        f"{path}, question {asked['id']}",
                        {
                            "id": asked["id"],
                            "context": paragraph["context"],
                            "question": asked["question"],
                            "answers": answers,
                        },
                    )
    except KeyError as error:
        raise SelectraError(f"{path}: not in SQuAD's format ({error} is missing)") from error
    except (TypeError, AttributeError) as error:
        raise SelectraError(
            f"{path}: not in SQuAD's format (data, paragraphs, qas, each a list of objects)"
        ) from error


# In SQuAD-es (Carrino et al. 2020), an answer that was lost in translation.
_LOST = ("", -1)


def question_of(row: Mapping[str, Any], place: str) -> Question | None:
    """A question from a row with context, question and answers, after checking their offsets.

    Answers are a list of {text, answer_start} or, as on the hub, {text: [...],
    answer_start: [...]}. The id of a row without one is its place.

    Returns:
        The question; None if all its answers were lost in translation (SQuAD-es), because it is
        then unknown whether it has an answer.

    Raises:
        SelectraError: answers have another form or are not at their offsets.
    """
    context, found = str(row["context"]), row["answers"]
    try:
        if isinstance(found, Mapping):
            pairs = list(zip(found["text"], found["answer_start"], strict=True))
        else:
            pairs = [(answer["text"], answer["answer_start"]) for answer in found]
        answers = [(str(text), int(start)) for text, start in pairs]
    except (KeyError, TypeError, ValueError) as error:
        raise SelectraError(
            f"{place}: column 'answers' needs a text and an answer_start for each answer"
        ) from error
    kept = [answer for answer in answers if answer != _LOST]
    if answers and not kept:
        return None
    for text, start in kept:
        if not text or start < 0 or context[start : start + len(text)] != text:
            raise SelectraError(
                f"{place}: answer '{text}' is not at character {start} of the context, which has "
                f"'{context[max(start, 0) : max(start, 0) + max(len(text), 1)]}'"
            )
    return Question(str(row.get("id") or place), context, str(row["question"]), kept)
