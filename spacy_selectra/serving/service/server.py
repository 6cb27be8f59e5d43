"""The uvicorn server, with a graceful shutdown that answers all accepted requests."""

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

# Size of the listen queue; the kernel may reduce it.
BACKLOG = 1024
# Seconds after a request to stop during which idle connections may still send a request.
LAST_CALL = 2.0
POLL = 0.05


class AnnotationServer(uvicorn.Server):
    """HTTP server for a pipeline; see `spacy_selectra.serving.service.app` for its routes.

    Args:
        nlp: the pipeline.
        host: address to listen on.
        port: port to listen on; 0 for a free one (see `url`).
        limits: limits of requests.
        quiet: do not log requests to stderr.

    Raises:
        SelectraError: the port is in use or not allowed.
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
        """Address of the service, with the actual port."""
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def serve_until_stopped(self) -> None:
        """Serve until SIGINT or SIGTERM, then finish open requests and close."""
        self.run([self._socket])

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Exit normally after a signal; uvicorn would raise it again."""
        with StopRequest() as self._stop:
            yield

    async def on_tick(self, counter: int) -> bool:
        """Whether it is time to stop."""
        stopped = self._stop is not None and self._stop.requested
        return await super().on_tick(counter) or stopped

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting connections, answer open requests, then close."""
        for _ in range(2):  # accept connections that are still in the listen queue
            await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        # not earlier, since clients reconnect immediately when a connection is closed
        self._app.state.stopping = True
        end = time.monotonic() + LAST_CALL
        while self.server_state.connections and time.monotonic() < end:
            await asyncio.sleep(POLL)
        await super().shutdown(sockets)


def _listening(host: str, port: int) -> socket.socket:
    """A socket on the first address of the host."""
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
    """HTTP protocol with a timeout for connections without a complete request head."""

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
            # the timeout of request bodies is in `app`
            if self.cycle is None or self.cycle.response_complete:
                self.transport.close()

    return Protocol


def _log_to_stderr() -> dict[str, Any]:
    config = copy.deepcopy(LOGGING_CONFIG)
    for handler in config["handlers"].values():
        handler["stream"] = "ext://sys.stderr"
    return config
