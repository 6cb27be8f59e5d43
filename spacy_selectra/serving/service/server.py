"""The service on a port: uvicorn, and an end in which every request that came in is answered."""

from __future__ import annotations

import asyncio
import copy
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.config import LOGGING_CONFIG
from uvicorn.protocols.http.h11_impl import H11Protocol

from spacy_selectra.errors import SelectraError
from spacy_selectra.serving.service.app import make_app
from spacy_selectra.serving.service.limits import Limits
from spacy_selectra.util.signals import StopRequest

if TYPE_CHECKING:
    from spacy.language import Language

# Clients that come together queue up in the system; the kernel cuts this to its own limit.
BACKLOG = 1024
# Seconds after the request to stop in which a connection that is idle may bring a request yet.
LAST_CALL = 2.0
POLL = 0.05


class AnnotationServer(uvicorn.Server):
    """A pipeline behind a port; see `spacy_selectra.serving.service.app` for its pages.

    Args:
        nlp: the pipeline.
        host: address to listen on.
        port: port to listen on; 0 takes a free one (see `url`).
        limits: what is accepted at most.
        quiet: no line on stderr for each request.

    Raises:
        SelectraError: the port is taken or not allowed.
    """

    def __init__(
        self, nlp: Language, host: str, port: int, limits: Limits, *, quiet: bool = False
    ) -> None:
        self._socket = _listening(host, port)
        self._app = make_app(nlp, limits)
        config = uvicorn.Config(
            self._app,
            http=_protocol(limits.silence),
            ws="none",
            loop="asyncio",
            lifespan="on",
            backlog=BACKLOG,
            access_log=not quiet,
            log_config=_log_to_stderr(),
            log_level="warning" if quiet else "info",
            server_header=False,
        )
        super().__init__(config)
        self._stop: StopRequest | None = None

    @property
    def url(self) -> str:
        """Address of the service, with the port really used."""
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def serve_until_stopped(self) -> None:
        """Serve until SIGINT or SIGTERM, then finish the requests under way and close."""
        self.run([self._socket])

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """A request to stop is a normal end, not one by a signal as uvicorn has it."""
        with StopRequest() as self._stop:
            yield

    async def on_tick(self, counter: int) -> bool:
        """Whether it is time to stop."""
        stopped = self._stop is not None and self._stop.requested
        return await super().on_tick(counter) or stopped

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections; answer what has come in, then close."""
        for _ in range(2):  # the event loop takes what the system has accepted for it
            await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        # not before: a client whose connection ends comes back at once
        self._app.state.stopping = True
        end = time.monotonic() + LAST_CALL
        while self.server_state.connections and time.monotonic() < end:
            await asyncio.sleep(POLL)
        await super().shutdown(sockets)


def _listening(host: str, port: int) -> socket.socket:
    """A socket on the first address that the host stands for."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            # from now on clients wait until the service has started
            listening.listen(BACKLOG)
        except BaseException:
            listening.close()
            raise
    except (OSError, OverflowError) as error:
        raise SelectraError(f"cannot listen on {host}:{port} ({error})") from error
    return listening


def _protocol(silence: float) -> type[H11Protocol]:
    """HTTP, and an end of connections whose clients begin no request, or do not end its head."""

    class Protocol(H11Protocol):
        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._wait()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            if self._timer is not None:
                self._timer.cancel()
            super().connection_lost(exc)

        def _wait(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self.loop.call_later(silence, self._drop)

        def _drop(self) -> None:
            # the body of a request under way is waited for elsewhere
            if self.cycle is None or self.cycle.response_complete:
                self.transport.close()

    return Protocol


def _log_to_stderr() -> dict[str, Any]:
    config = copy.deepcopy(LOGGING_CONFIG)
    for handler in config["handlers"].values():
        handler["stream"] = "ext://sys.stderr"
    return config
