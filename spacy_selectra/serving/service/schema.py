"""What goes in and what comes out: requests are checked by these models, and OpenAPI shows them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from spacy_selectra.components.zero_shot.component import DEFAULT_TEMPLATE
from spacy_selectra.components.zero_shot.given_labels import check_labels, check_template
from spacy_selectra.errors import SelectraError
from spacy_selectra.serving.records import unreadable
from spacy_selectra.serving.service.limits import Limits, Refusal

# Not only white space, in Python's sense; what \s stands for depends on who reads the schema.
NOT_BLANK = r"[^\s\x1c-\x1f\x85]"
Wording = Annotated[str, Field(pattern=NOT_BLANK)]
Wordings = Annotated[list[Wording], Field(min_length=1)]
Distinct = Annotated[list[Wording], Field(json_schema_extra={"uniqueItems": True})]


def _closed(schema: dict[str, Any]) -> None:
    """Names that do not match the pattern are not allowed, which pydantic leaves open."""
    schema["additionalProperties"] = False


NamedWordings = Annotated[dict[Wording, Wording | Wordings], Field(json_schema_extra=_closed)]
Offset = Annotated[int, Field(ge=0, description="Characters from the beginning of the text.")]
Share = Annotated[float, Field(ge=0, le=1)]


def _left_out(schema: dict[str, Any]) -> None:
    """A default that stands for a key that is not there is none that a client could send."""
    schema.pop("default", None)


class AnnotationRequest(BaseModel):
    """One text or several, and what else is wanted than the pipeline finds by itself."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"oneOf": [{"required": ["text"]}, {"required": ["texts"]}]},
    )

    text: str = Field(
        "", description="A text; the answer is one object.", json_schema_extra=_left_out
    )
    texts: list[str] = Field(
        [], description="Texts; the answer has one object each.", json_schema_extra=_left_out
    )
    labels: Distinct | NamedWordings | None = Field(
        None,
        description="Labels to score by the zero-shot component: names, all different, or names "
        "with a wording or several.",
    )
    hypothesis_template: Annotated[str, Field(pattern=r"\{\}")] | None = Field(
        None, description="Sentence with {} where a label goes; the component's own if left out."
    )
    multi_label: bool | None = Field(
        None, description="Judge every label alone; as the component does if left out."
    )
    entity_scores: bool = Field(False, description="The probability of each entity.")
    sentences: bool = Field(False, description="The sentences of the text.")
    words: bool = Field(False, description="The probability of each word that it was replaced.")

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
    """A named entity; `score` if entity scores were asked for."""

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
    """What the pipeline found in a text; what it has no component for, or nobody asked for, is not
    there."""

    text: str
    ents: list[Entity]
    cats: dict[str, Share] = Field(description="Scores of the pipeline's own labels.")
    replaced: list[Replaced] = Field([], json_schema_extra=_left_out)
    zero_shot: dict[str, Share] = Field(
        {}, description="Scores of the labels in the request.", json_schema_extra=_left_out
    )
    sentences: list[Sentence] = Field([], json_schema_extra=_left_out)
    words: list[Word] = Field([], json_schema_extra=_left_out)
    truncated: list[str] = Field(
        [],
        description="Components that did not read the text to its end, if there are any.",
        json_schema_extra=_left_out,
    )


class AnnotatedTexts(_Answer):
    """One object for each of the texts, in their order."""

    docs: list[AnnotatedText]


class Health(_Answer):
    """The service answers."""

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
    """Which wishes of a request this pipeline can fulfil."""

    labels: bool
    entity_scores: bool
    words: bool


class Bounds(_Answer):
    """What a request may hold at most, and the seconds after which it is given up."""

    body: int
    texts: int
    characters: int
    timeout: float


class Info(_Answer):
    """The pipeline behind the service."""

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
    """Why a request was not answered, in one sentence."""

    error: str


def checked_request(content: Any, limits: Limits, longest: int) -> AnnotationRequest:
    """The request that a body holds.

    Args:
        content: what the JSON stands for.
        limits: `texts` and `characters` of them count here.
        longest: characters of a text at most, the pipeline's `max_length`.

    Raises:
        Refusal: it is not as the schema has it, or too large.
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
    """The first mistake, in words."""
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
    if field in ("text", "texts"):
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
    """`texts[1]`; the kinds that pydantic tried are left out of it."""
    field, *rest = place
    return str(field) + "".join(f"[{each}]" for each in rest if isinstance(each, int))
