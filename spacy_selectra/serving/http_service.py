"""A small local HTTP service around a pipeline: standard library only, JSON in and out."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from spacy_selectra.errors import SelectraError
from spacy_selectra.serving.annotate import annotate_texts, unreadable
from spacy_selectra.util.signals import StopRequest

if TYPE_CHECKING:
    from spacy.language import Language

ANNOTATE = "/annotate"
HEALTH = "/health"
METHODS = {ANNOTATE: ("POST", "OPTIONS"), HEALTH: ("GET", "HEAD", "OPTIONS")}
POLL_SECONDS = 0.2  # how often a request to stop is looked at
DRAINED_BYTES = 1 << 26  # of a body that is refused
SOCKET_SECONDS = 30.0  # a client that sends nothing for so long is dropped


class RequestError(Exception):
    """A request that cannot be answered, with the HTTP status that says so."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class AnnotationServer(ThreadingHTTPServer):
    """Answers `POST /annotate` and `GET /health` (also HEAD, and OPTIONS for both).

    Connections are accepted in parallel; the pipeline works on one request at a
    time, because a spaCy vocabulary must not be written by two threads.

    Args:
        nlp: the pipeline.
        host: address to listen on.
        port: port to listen on; 0 takes a free one (see `url`).
        max_body: largest accepted request body in bytes.
        quiet: no line on stderr for each request.

    Raises:
        SelectraError: the port is taken or not allowed.
    """

    request_queue_size = 128  # socketserver's 5 has the system refuse clients that come together
    daemon_threads = False  # closing the server waits for the answers under way

    def __init__(
        self, nlp: Language, host: str, port: int, max_body: int, *, quiet: bool = False
    ) -> None:
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            raise SelectraError(f"cannot listen on {host}:{port} ({error})") from error
        self.nlp = nlp
        self.max_body = max_body
        self.quiet = quiet
        self.timeout = POLL_SECONDS
        self._one_at_a_time = threading.Lock()

    @property
    def url(self) -> str:
        """Address of the service, with the port really used."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def serve_until_stopped(self) -> None:
        """Serve until SIGINT or SIGTERM, then finish the requests under way and close."""
        with StopRequest() as stop:
            while not stop.requested:
                self.handle_request()
        self.server_close()

    def annotate(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer the body of `POST /annotate`.

        Raises:
            RequestError: keys or types are not those of the contract.
        """
        unknown = sorted(set(request) - {"text", "texts", "labels"})
        if unknown:
            raise RequestError(HTTPStatus.BAD_REQUEST, f"unknown key '{unknown[0]}'")
        if ("text" in request) == ("texts" in request):
            raise RequestError(HTTPStatus.BAD_REQUEST, "give either 'text' or 'texts'")
        single = "text" in request
        texts = [request["text"]] if single else request["texts"]
        labels = request.get("labels") or []
        for name, value in (("texts", texts), ("labels", labels)):
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise RequestError(HTTPStatus.BAD_REQUEST, f"'{name}' must hold strings")
            for place, item in enumerate(value):
                if problem := unreadable(item, self.nlp.max_length):
                    where = "text" if single and name == "texts" else f"{name}[{place}]"
                    raise RequestError(HTTPStatus.BAD_REQUEST, f"'{where}': {problem}")
        with self._one_at_a_time, self.nlp.memory_zone():
            try:
                records = annotate_texts(self.nlp, texts, labels)
            except SelectraError as error:
                raise RequestError(HTTPStatus.BAD_REQUEST, str(error)) from error
        return records[0] if single else {"docs": records}


class _Handler(BaseHTTPRequestHandler):
    timeout = SOCKET_SECONDS

    @property
    def _service(self) -> AnnotationServer:
        return cast(AnnotationServer, self.server)

    def do_GET(self) -> None:
        if self._wrong_page(self.command):
            return
        meta = self._service.nlp.meta
        self._send(
            HTTPStatus.OK,
            {
                "status": "ok",
                "pipeline": f"{meta['lang']}_{meta['name']}",
                "version": meta["version"],
                "components": self._service.nlp.pipe_names,
            },
        )

    do_HEAD = do_GET  # noqa: N815

    def do_OPTIONS(self) -> None:
        if methods := METHODS.get(self._page):
            self.send_response(HTTPStatus.NO_CONTENT)
            self.send_header("Allow", ", ".join(methods))
            self.end_headers()
        else:
            self._wrong_page("OPTIONS")

    def do_POST(self) -> None:
        if self._wrong_page("POST"):
            return
        try:
            answer = self._service.annotate(self._read_body())
        except RequestError as error:
            self._refuse(error.status, str(error))
        except Exception as error:  # the service must outlive one bad document
            self.log_error("%r", error)
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, type(error).__name__)
        else:
            self._send(HTTPStatus.OK, answer)

    def _refuse_method(self) -> None:
        self._wrong_page(self.command)

    do_PUT = do_PATCH = do_DELETE = do_TRACE = _refuse_method  # noqa: N815

    @property
    def _page(self) -> str:
        """The path without a query and without a slash at its end."""
        return urlsplit(self.path).path.rstrip("/")

    def _wrong_page(self, method: str) -> bool:
        """Refuse a page that is not there, or does not take this method; True if it did."""
        methods = METHODS.get(self._page)
        if methods and method in methods:
            return False
        self._drain()
        if methods is None:
            known = f"GET {HEALTH}, POST {ANNOTATE}"
            self._refuse(HTTPStatus.NOT_FOUND, f"no such page; there are {known}")
        else:
            allowed = ", ".join(methods)
            message = f"{self._page} does not take {method}, only {allowed}"
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, message, {"Allow": allowed})
        return True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        if not self._service.quiet:
            super().log_request(code, size)

    def _read_body(self) -> dict[str, Any]:
        try:
            length = int(self.headers["Content-Length"])
        except (TypeError, ValueError):
            raise RequestError(HTTPStatus.LENGTH_REQUIRED, "Content-Length is missing") from None
        if not 0 <= length <= self._service.max_body:
            self._drain()
            raise RequestError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the body has {length} bytes, at most {self._service.max_body} are accepted",
            )
        try:
            body = json.loads(self.rfile.read(length).decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise RequestError(HTTPStatus.BAD_REQUEST, f"not UTF-8 JSON ({error})") from error
        if not isinstance(body, dict):
            raise RequestError(HTTPStatus.BAD_REQUEST, "expected a JSON object")
        return body

    def _drain(self) -> None:
        """Read on, up to a limit, what the client is sending: before that it reads no answer."""
        try:
            left = min(int(self.headers["Content-Length"]), DRAINED_BYTES)
        except (TypeError, ValueError):
            return
        while left > 0 and (part := self.rfile.read(min(left, 1 << 16))):
            left -= len(part)

    def _refuse(
        self, status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self._send(status, {"error": message}, headers)

    def _send(
        self,
        status: HTTPStatus,
        value: dict[str, Any],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        # half a surrogate pair, in a key that is complained of, is no UTF-8
        body = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
