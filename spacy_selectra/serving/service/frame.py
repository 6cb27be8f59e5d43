"""Middleware for all routes: paths, methods, draining of bodies, security headers."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

ANNOTATE, HEALTH, INFO, SCHEMA = "/annotate", "/health", "/info", "/openapi.json"
_READ = ("GET", "HEAD", "OPTIONS")
FILES = {"/": "index.html", "/page.css": "page.css", "/page.js": "page.js", "/words.js": "words.js"}
METHODS: dict[str, tuple[str, ...]] = {
    ANNOTATE: ("POST", "OPTIONS"),
    **dict.fromkeys((HEALTH, INFO, SCHEMA, *FILES), _READ),
}
DRAINED_BYTES = 1 << 26  # maximum of a rejected body
# The page needs only files of the package, and shows untrusted text.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-cache"),
]


def refusal_of_page(path: str, method: str) -> tuple[str, dict[str, str]] | None:
    """Error message and header `Allow` for a method that a page does not support; None if there is
    no such page."""
    methods = METHODS.get(path)
    if methods is None:
        return None
    allowed = ", ".join(methods)
    return f"{path} does not take {method}, only {allowed}", {"Allow": allowed}


class Frame:
    """ASGI middleware around all routes.

    Paths may end in a slash. Responses to HEAD have no body. A response is sent after the request
    body has been read, up to a limit, because clients do not read while they send. When the service
    stops, connections are closed after their response.

    Args:
        app: the application.
        silence: timeout in seconds between parts of a request body.
    """

    def __init__(self, app: ASGIApp, silence: float) -> None:
        self._app, self._silence = app, silence

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"].rstrip("/") or "/"
        scope = {**scope, "path": path, "raw_path": path.encode()}
        body_read = False

        async def watched_receive() -> Message:
            nonlocal body_read
            message = await receive()
            body_read = body_read or not message.get("more_body", False)
            return message

        async def framed_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                with contextlib.suppress(asyncio.TimeoutError):
                    drained = 0
                    while not body_read and drained < DRAINED_BYTES:
                        part = await asyncio.wait_for(watched_receive(), self._silence)
                        drained += len(part.get("body", b""))
                headers = [*message["headers"], *HEADERS]
                if not body_read or getattr(scope["app"].state, "stopping", False):
                    headers.append((b"connection", b"close"))
                message = {**message, "headers": headers}
            elif scope["method"] == "HEAD" and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app(scope, watched_receive, framed_send)
