"""Schemas of requests and responses, for validation and OpenAPI."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from spacy_selectra.components.zero_shot.component import DEFAULT_TEMPLATE
from spacy_selectra.components.zero_shot.given_labels import check_labels, check_template
from spacy_selectra.errors import SelectraError
from spacy_selectra.serving.records import unreadable
from spacy_selectra.serving.service.limits import Limits, Refusal

# Not blank in Python's sense; the meaning of \s depends on the JSON Schema implementation.
NOT_BLANK = r"[^\s\x1c-\x1f\x85]"
Wording = Annotated[str, Field(pattern=NOT_BLANK)]
Wordings = Annotated[list[Wording], Field(min_length=1)]
Distinct = Annotated[list[Wording], Field(json_schema_extra={"uniqueItems": True})]


def _closed(schema: dict[str, Any]) -> None:
    """Disallow names that do not match the pattern, which pydantic's schema would allow."""
    schema["additionalProperties"] = False


NamedWordings = Annotated[dict[Wording, Wording | Wordings], Field(json_schema_extra=_closed)]
Offset = Annotated[int, Field(ge=0, description="Characters from the beginning of the text.")]
Share = Annotated[float, Field(ge=0, le=1)]


def _left_out(schema: dict[str, Any]) -> None:
    """Remove a default that only means "missing" and is not a valid value in requests."""
    schema.pop("default", None)


class AnnotationRequest(BaseModel):
    """One text or several, with options."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"oneOf": [{"required": ["text"]}, {"required": ["texts"]}]},
    )

    text: str = Field(
        "", description="A text; the response is one object.", json_schema_extra=_left_out
    )
    texts: list[str] = Field(
        [], description="Texts; the response has one object each.", json_schema_extra=_left_out
    )
    labels: Distinct | NamedWordings | None = Field(
        None,
        description="Labels for the zero-shot component: distinct names, or names with one or "
        "several wordings.",
    )
    hypothesis_template: Annotated[str, Field(pattern=r"\{\}")] | None = Field(
        None, description="Sentence with {} for the label; the component's by default."
    )
    multi_label: bool | None = Field(
        None, description="Score labels independently; the component's setting by default."
    )
    entity_scores: bool = Field(False, description="Return the probability of each entity.")
    sentences: bool = Field(False, description="Return the sentences of the text.")
    words: bool = Field(False, description="Return each word's probability of being replaced.")

    @field_validator("labels")
    @classmethod
    def _distinct(cls, labels: Any) -> Any:
        if labels:
            check_labels(labels)
        return labels

    @field_validator("hypothesis_template")
    @classmethod
    def _with_place(cls, template: str | None) -> str | None:
        return None if template is None else check_template(template, DEFAULT_TEMPLATE)

    @model_validator(mode="after")
    def _one_of_both(self) -> AnnotationRequest:
        if ("text" in self.model_fields_set) == ("texts" in self.model_fields_set):
            raise SelectraError("give either 'text' or 'texts'")
        return self

    @property
    def single(self) -> bool:
        """Whether the answer is for one text."""
        return "text" in self.model_fields_set

    @property
    def all_texts(self) -> list[str]:
        """The texts to read."""
        return [self.text] if self.single else self.texts


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Entity(_Answer):
    """A named entity; `score` if entity scores were requested."""

    start: Offset
    end: Offset
    label: str
    text: str
    score: Share = Field(0.0, json_schema_extra=_left_out)


class Replaced(_Answer):
    """A word above the threshold of the component for replaced words."""

    start: Offset
    end: Offset
    text: str
    score: Share


class Sentence(_Answer):
    """A sentence of the text."""

    start: Offset
    end: Offset


class Word(_Answer):
    """A word, and the probability that it was replaced."""

    start: Offset
    end: Offset
    score: Share


class AnnotatedText(_Answer):
    """Annotations of a text. Keys without a component, or not requested, are missing."""

    text: str
    ents: list[Entity]
    cats: dict[str, Share] = Field(description="Scores of the pipeline's labels.")
    replaced: list[Replaced] = Field([], json_schema_extra=_left_out)
    zero_shot: dict[str, Share] = Field(
        {}, description="Scores of the labels in the request.", json_schema_extra=_left_out
    )
    sentences: list[Sentence] = Field([], json_schema_extra=_left_out)
    words: list[Word] = Field([], json_schema_extra=_left_out)
    truncated: list[str] = Field(
        [],
        description="Components that truncated the text, if any.",
        json_schema_extra=_left_out,
    )


class AnnotatedTexts(_Answer):
    """One object per text, in the same order."""

    docs: list[AnnotatedText]


class Health(_Answer):
    """The service is available."""

    status: str
    pipeline: str
    version: str
    components: list[str]


class Component(_Answer):
    """A component of the pipeline."""

    name: str
    factory: str
    labels: list[str]


class Offers(_Answer):
    """Which options this pipeline supports."""

    labels: bool
    entity_scores: bool
    words: bool


class Bounds(_Answer):
    """Limits of requests, and the timeout in seconds."""

    body: int
    texts: int
    characters: int
    timeout: float


class Info(_Answer):
    """The pipeline of the service."""

    pipeline: str
    version: str
    language: str
    description: str
    license: str
    components: list[Component]
    offers: Offers
    limits: Bounds
    versions: dict[str, str] = Field(description="Packages by name.")


class Problem(_Answer):
    """Error message of a rejected request."""

    error: str


def checked_request(content: Any, limits: Limits, longest: int) -> AnnotationRequest:
    """Validate the JSON of a request.

    Args:
        content: the decoded JSON.
        limits: here `texts` and `characters` are used.
        longest: maximum characters per text, the pipeline's `max_length`.

    Raises:
        Refusal: it does not match the schema, or is too large.
    """
    if not isinstance(content, dict):
        raise _malformed("expected a JSON object")
    try:
        request = AnnotationRequest.model_validate(content)
    except ValidationError as error:
        raise _malformed(_sentence(error, content)) from error
    texts = request.all_texts
    if len(texts) > limits.texts:
        raise _too_large(f"{len(texts):,} texts, at most {limits.texts:,} are accepted")
    for place, text in enumerate(texts):
        if problem := unreadable(text, longest):
            where = "text" if request.single else f"texts[{place}]"
            message = f"'{where}': {problem}"
            raise _too_large(message) if len(text) > longest else _malformed(message)
    if (characters := sum(map(len, texts))) > limits.characters:
        raise _too_large(
            f"{characters:,} characters, at most {limits.characters:,} are accepted in a request"
        )
    return request


def _malformed(message: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, message)


def _too_large(message: str) -> Refusal:
    return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)


def _sentence(error: ValidationError, content: dict[str, Any]) -> str:
    """A message for the first validation error."""
    unknown = sorted(set(content) - set(AnnotationRequest.model_fields))
    if unknown:
        return f"unknown key '{unknown[0]}'"
    mistakes = error.errors(include_url=False)
    place = next((each for each in mistakes if each["type"] == "string_unicode"), None)
    if place is not None:
        return f"'{_path(place['loc'])}': {unreadable(place['input'], len(place['input']))}"
    first = mistakes[0]
    if first["type"] == "value_error":
        return str(first.get("ctx", {})["error"])
    field = str(first["loc"][0])
    if field == "text":
        return "'text' must hold a string; several texts go into 'texts'"
    if field == "texts":
        return "'texts' must hold strings"
    if field == "labels":
        return "'labels' must hold strings" + _not_empty(mistakes)
    if field == "hypothesis_template":
        return _template_mistake(content[field])
    return f"'{field}' must be true or false"


def _not_empty(mistakes: list[Any]) -> str:
    empty = ("string_pattern_mismatch", "too_short")
    return " that are not empty" if any(each["type"] in empty for each in mistakes) else ""


def _template_mistake(template: Any) -> str:
    try:
        check_template(template, DEFAULT_TEMPLATE)
    except SelectraError as error:
        return str(error)
    return "'hypothesis_template' must be a string"


def _path(place: tuple[int | str, ...]) -> str:
    """A path such as `texts[1]`, without pydantic's names of union members."""
    field, *rest = place
    return str(field) + "".join(f"[{each}]" for each in rest if isinstance(each, int))
