"""What the service takes at most, and how it refuses the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus


@dataclass(frozen=True)
class Limits:
    """What the service takes at most.

    Attributes:
        body: bytes of a request's body.
        texts: texts of a request.
        characters: characters of all texts of a request.
        waiting: requests that are read or wait for it; one more is refused.
        batch: texts that are read together.
        wait: seconds for which the first request of a batch waits for others.
        timeout: seconds until a request that is not answered is given up.
        silence: seconds after which a client that sends nothing is dropped.
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
class Refusal(Exception):  # noqa: N818 - not every one is an error of ours
    """A request that is not answered, with the HTTP status and the sentence that say why."""

    status: HTTPStatus
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.message


def busy(message: str, status: HTTPStatus = HTTPStatus.TOO_MANY_REQUESTS) -> Refusal:
    """A refusal after which the same request may succeed."""
    return Refusal(status, f"{message}; try again later", {"Retry-After": "1"})
