"""The HTTP server of the REST service: bounds on what clients send, and an end that lets answers under way finish."""

from __future__ import annotations

import math
import signal
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator import clock
from orchestrator.config.serve import Serve
from orchestrator.service.errors import plain_error
from orchestrator.service.intake import Connection, IntakeConfig

__all__ = ["Server", "server_of"]

STILL_SERVED = frozenset({"/health", "/version", "/metrics"})
"""While the service drains: what says how it is."""
RETRY_AFTER_S = 1
"""Another instance may answer at once; this one will not."""
LOOK_EVERY_TICKS = 5
"""Between looks for clients that are too slow; uvicorn ticks ten times a second."""
CUT_S = 1
"""Seconds that requests get to end once they have been cancelled or drained."""


def server_of(app: ASGIApp, settings: Serve, **options: Any) -> Server:
    """A server of the application, with the bounds of the configuration; options are uvicorn's."""
    return Server(
        IntakeConfig(
            app,
            max_header_bytes=settings.max_header_bytes,
            body_timeout_s=settings.body_timeout_s,
            timeout_graceful_shutdown=CUT_S,
            ws="none",
            log_config=None,
            proxy_headers=False,  # nothing here asks for the client's address
            **options,
        ),
        drain_s=settings.drain_s,
    )


class Server(uvicorn.Server):
    """Told to stop, it goes on listening for as long as answers are under way, `drain_s` at most.

    New requests are refused meanwhile, with 503 and the advice to connect anew. Told twice, it stops at once.
    """

    def __init__(self, config: IntakeConfig, *, drain_s: float) -> None:
        super().__init__(config)
        self._drain_s = drain_s
        self._told = False
        self._until = math.inf

    def handle_exit(self, sig: int, _: FrameType | None) -> None:
        """Take a signal; the first one begins the draining, at the next tick, the second one ends it.

        uvicorn's own method is not called: the library of the agents' event streams replaces it by one that ends the
        streams of every server in the process, and of those that are still to come.
        """
        self._captured_signals.append(sig)
        if not self._told:
            self.drain()
        elif not self.should_exit:
            self.should_exit = True
        elif sig == signal.SIGINT:
            self.force_exit = True

    def drain(self) -> None:
        """Stop once the answers under way have ended."""
        self._told = True

    async def on_tick(self, counter: int) -> bool:
        """Do what uvicorn does ten times a second, and what is ours; whether to stop now."""
        if self._told and math.isinf(self._until):
            self._until = clock.now() + self._drain_s
            self._turn_away()
        if counter % LOOK_EVERY_TICKS == 0:
            self._expire()
        stop = await super().on_tick(counter)
        return stop or (self._told and (not self.server_state.tasks or clock.now() >= self._until))

    def _turn_away(self) -> None:
        """New requests get another application, on connections that are there and on those that come."""
        closing = _closing(self.config.loaded_app)
        self.config.loaded_app = closing
        for connection in self._connections():
            connection.app = closing

    def _expire(self) -> None:
        now = clock.now()
        for connection in self._connections():
            connection.expire(now)

    def _connections(self) -> list[Connection]:
        return [each for each in self.server_state.connections if isinstance(each, Connection)]


def _closing(app: ASGIApp) -> ASGIApp:
    async def turned_away(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in STILL_SERVED:
            await app(scope, receive, send)
            return
        headers = {"retry-after": str(RETRY_AFTER_S), "connection": "close"}
        await plain_error(503, "The service is being stopped.", headers=headers)(scope, receive, send)

    return turned_away
