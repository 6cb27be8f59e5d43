"""Limits of requests, and error responses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus


@dataclass(frozen=True)
class Limits:
    """Limits of the service.

    Attributes:
        body: bytes of a request body.
        texts: texts per request.
        characters: characters of all texts of a request.
        waiting: concurrent requests, in progress or queued; more are rejected.
        batch: texts per batch.
        wait: seconds for which the first request of a batch waits for others.
        timeout: seconds until an unfinished request is cancelled.
        silence: seconds after which an inactive client is disconnected.
    """

    body: int = 1_000_000
    texts: int = 1_000
    characters: int = 1_000_000
    waiting: int = 256
    batch: int = 64
    wait: float = 0.005
    timeout: float = 60.0
    silence: float = 30.0


@dataclass
class Refusal(Exception):  # noqa: N818 - not necessarily an error of the service
    """A rejected request, with HTTP status and message."""

    status: HTTPStatus
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.message


def busy(message: str, status: HTTPStatus = HTTPStatus.TOO_MANY_REQUESTS) -> Refusal:
    """A rejection after which the client may retry."""
    return Refusal(status, f"{message}; try again later", {"Retry-After": "1"})
