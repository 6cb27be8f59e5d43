"""The FastAPI application: routes and error responses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from spacy_selectra.serving.service.batching import Batcher
from spacy_selectra.serving.service.frame import (
    ANNOTATE,
    FILES,
    HEALTH,
    INFO,
    METHODS,
    SCHEMA,
    Frame,
    refusal_of_page,
)
from spacy_selectra.serving.service.items import Item, ItemAnnotator
from spacy_selectra.serving.service.limits import Limits, Refusal, busy
from spacy_selectra.serving.service.schema import (
    AnnotatedText,
    AnnotatedTexts,
    AnnotationRequest,
    Health,
    Info,
    Problem,
    checked_request,
)

if TYPE_CHECKING:
    from spacy.language import Language

KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
REFUSALS = {
    HTTPStatus.BAD_REQUEST: "Invalid JSON, or it does not match the schema.",
    HTTPStatus.REQUEST_TIMEOUT: "The body is incomplete.",
    HTTPStatus.LENGTH_REQUIRED: "The header Content-Length is missing.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Too many bytes, texts or characters.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The pipeline does not support an option.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests are waiting.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "The pipeline failed on a text.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Timeout.",
}
PACKAGES = ("spacy-selectra", "spacy", "torch")


def make_app(nlp: Language, limits: Limits | None = None) -> FastAPI:
    """The application for a pipeline, which runs in a separate thread.

    Args:
        nlp: the pipeline.
        limits: limits of requests; defaults if None.
    """
    limits = limits or Limits()
    annotator = ItemAnnotator(nlp)
    # before the thread starts to use the pipeline
    described = _described(nlp, annotator, limits)
    about = {key: described[key] for key in ("pipeline", "version")}
    about["components"] = [each["name"] for each in described["components"]]
    batcher: Batcher[Item] = Batcher(annotator, lambda item: len(item.text), limits)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        batcher.start()
        yield
        await asyncio.to_thread(batcher.close)

    app = FastAPI(
        title=_name(nlp),
        version=nlp.meta["version"],
        description=nlp.meta.get("description") or "A spaCy pipeline.",
        lifespan=lifespan,
        openapi_url=None,  # see below; FastAPI's own pages need internet access
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.stopping = False
    app.add_middleware(Frame, silence=limits.silence)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _no_such_page)
    app.add_exception_handler(Exception, _failed)

    @app.post(
        ANNOTATE,
        response_model=AnnotatedText | AnnotatedTexts,
        response_model_exclude_unset=True,
        responses={int(s): {"model": Problem, "description": t} for s, t in REFUSALS.items()},
        openapi_extra={"requestBody": _request_body()},
    )
    async def annotate(request: Request) -> Response:
        """Annotate one or several texts."""
        content = _json(await _body(request, limits))
        wanted = checked_request(content, limits, nlp.max_length)
        records = await _answered(request, batcher, annotator.items(wanted), limits.timeout)
        return _answer(records[0] if wanted.single else {"docs": records})

    @app.get(HEALTH, response_model=Health)
    async def health() -> Response:
        """Check that the service is available."""
        return _answer({"status": "ok", **about})

    @app.get(INFO, response_model=Info)
    async def info() -> Response:
        """Describe the pipeline and the limits of requests."""
        return _answer(described)

    async def schema() -> Response:
        return _answer(app.openapi())

    async def page(request: Request) -> Response:
        name = FILES[request.url.path]
        return Response(pages[name], media_type=KINDS[name.rpartition(".")[2]])

    async def allowed(request: Request) -> Response:
        return Response(
            status_code=HTTPStatus.NO_CONTENT,
            headers={"Allow": ", ".join(METHODS[request.url.path])},
        )

    folder = files("spacy_selectra.serving.service") / "page"
    pages = {name: (folder / name).read_bytes() for name in FILES.values()}
    get = {HEALTH: health, INFO: info, SCHEMA: schema, **dict.fromkeys(FILES, page)}
    for path, methods in METHODS.items():
        app.add_api_route(path, allowed, methods=["OPTIONS"], include_in_schema=False)
        if "GET" in methods:
            only = ["HEAD"] if path in (HEALTH, INFO) else ["GET", "HEAD"]
            app.add_api_route(path, get[path], methods=only, include_in_schema=False)
    return app


def _name(nlp: Language) -> str:
    return f"{nlp.meta['lang']}_{nlp.meta['name']}"


def _request_body() -> dict[str, Any]:
    schema = AnnotationRequest.model_json_schema()
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _described(nlp: Language, annotator: ItemAnnotator, limits: Limits) -> dict[str, Any]:
    labels = nlp.meta["labels"]
    return {
        "pipeline": _name(nlp),
        "version": nlp.meta["version"],
        "language": nlp.meta["lang"],
        "description": nlp.meta.get("description") or "",
        "license": nlp.meta.get("license") or "",
        "components": [
            {
                "name": name,
                "factory": nlp.get_pipe_meta(name).factory,
                "labels": [str(label) for label in labels.get(name) or ()],
            }
            for name in nlp.pipe_names
        ],
        "offers": annotator.offers,
        "limits": {
            "body": limits.body,
            "texts": limits.texts,
            "characters": min(limits.characters, nlp.max_length),
            "timeout": limits.timeout,
        },
        "versions": {package: version(package) for package in PACKAGES},
    }


async def _body(request: Request, limits: Limits) -> bytes:
    """The request's body.

    Raises:
        Refusal: it is too large, or does not arrive.
    """
    stated = request.headers.get("content-length")
    if not (stated or "").isdecimal() and "transfer-encoding" not in request.headers:
        raise Refusal(HTTPStatus.LENGTH_REQUIRED, "Content-Length is missing")
    if stated and stated.isdecimal() and int(stated) > limits.body:
        raise _too_many_bytes(stated, limits)
    parts, size = [], 0
    while True:
        try:
            message = await asyncio.wait_for(request.receive(), limits.silence)
        except asyncio.TimeoutError as error:
            raise Refusal(
                HTTPStatus.REQUEST_TIMEOUT, f"nothing was sent for {limits.silence:g} seconds"
            ) from error
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limits.body:
            raise _too_many_bytes(f"more than {limits.body}", limits)
        if not message.get("more_body", False):
            return b"".join(parts)


def _too_many_bytes(size: str, limits: Limits) -> Refusal:
    message = f"the body has {size} bytes, at most {limits.body} are accepted"
    return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"not UTF-8 JSON ({error})") from error


async def _answered(
    request: Request, batcher: Batcher[Item], items: list[Item], timeout: float
) -> list[dict[str, Any]]:
    """The records of a request's items.

    Raises:
        Refusal: too many requests are waiting, or a timeout.
    """
    found = asyncio.wrap_future(batcher.submit(items))
    gone = asyncio.ensure_future(request.receive())  # returns when the client disconnects
    try:
        await asyncio.wait((found, gone), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if found.done():
            return found.result()
        message = "the client has left" if gone.done() else f"not answered in {timeout:g} seconds"
        raise busy(message, HTTPStatus.SERVICE_UNAVAILABLE)
    finally:
        found.cancel()
        gone.cancel()


def _answer(
    value: dict[str, Any], status: int = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> Response:
    # an error message may quote a key with half a surrogate pair, which is not valid UTF-8
    body = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    return Response(body, status, headers, media_type="application/json; charset=utf-8")


def _refused(_: Request, error: Any) -> Response:
    return _answer({"error": error.message}, error.status, dict(error.headers))


def _no_such_page(request: Request, error: Any) -> Response:
    wrong = refusal_of_page(request.url.path, request.method)
    if wrong is not None:
        return _answer({"error": wrong[0]}, HTTPStatus.METHOD_NOT_ALLOWED, wrong[1])
    known = f"GET {HEALTH}, POST {ANNOTATE}, GET {INFO}, GET {SCHEMA}, GET /"
    return _answer({"error": f"no such page; there are {known}"}, HTTPStatus.NOT_FOUND)


def _failed(_: Request, error: Exception) -> Response:
    return _answer({"error": type(error).__name__}, HTTPStatus.INTERNAL_SERVER_ERROR)
