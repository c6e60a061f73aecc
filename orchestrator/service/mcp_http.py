"""Agents over HTTP: the MCP server at /mcp of the REST service, over the same engine and in the same event loop.

The protocol is the official SDK's; it is imported for the first request, in a thread, so that a service without agents
neither waits for it nor has it in memory. Here is what stands before it: who may call, how much may be sent, and a way
to cancel calls that needs no sessions. Both eras of the protocol are served without any state of a client: what is kept
lives as long as the one request that it belongs to.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

import anyio
import orjson
import structlog
from anyio import to_thread
from starlette.datastructures import Headers, State
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from orchestrator.config import Config
from orchestrator.errors import RequestError
from orchestrator.service.body import read_object
from orchestrator.service.callers import Callers, Refused
from orchestrator.service.chat import note_end
from orchestrator.service.errors import BUG, plain_error, status_of
from orchestrator.service.mcp_exchange import Exchange, Exchanges

if TYPE_CHECKING:
    from orchestrator.service.mcp_server import AgentServer, Surface

__all__ = ["MCP_PATH", "AgentEndpoint"]

MCP_PATH = "/mcp"
GRACE_S = 5.0
"""Beyond the deadline of a query, for the request around it; then its connection is closed."""
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
INTERNAL_ERROR = -32603
NOT_INSTALLED = "MCP is off here: package 'mcp' is not installed (pip install 'expert-orchestrator[mcp]')."

Handle = Callable[[Scope, Receive, Send], Awaitable[None]]
log = structlog.get_logger()


class AgentEndpoint:
    """The ASGI application at /mcp. state: the service's, which has `engine` once it runs."""

    def __init__(self, config: Config, state: State) -> None:
        self._config = config
        self._state = state
        self._callers = Callers(config.serve)
        self._exchanges = Exchanges()
        self._installed = find_spec("mcp") is not None
        self._handle: Handle | None = None
        self._opened: anyio.Event | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._installed:
            await plain_error(404, NOT_INSTALLED)(scope, receive, send)
            return
        with anyio.move_on_after(self._config.budget.deadline_s + GRACE_S):
            try:
                exchange = await self._admitted(scope, receive, send)
            except Refused as error:
                await _refusal(error)(scope, receive, send)
            except ClientDisconnect:
                return
            else:
                await self._answer(exchange, scope)

    async def _admitted(self, scope: Scope, receive: Receive, send: Send) -> Exchange:
        """The request, once it may be looked at; raises `Refused`."""
        self._callers.check(Headers(scope=scope))
        if scope["method"] != "POST":
            raise Refused(405, "Only POST: no session is kept, and nothing is sent that was not asked for.")
        try:
            raw, body = await read_object(scope, receive, limit=self._config.serve.max_body_bytes)
        except RequestError as error:
            raise Refused(status_of(error), str(error)) from error.__cause__
        return Exchange(scope, receive, send, raw=raw, body=body)

    async def _answer(self, exchange: Exchange, scope: Scope) -> None:
        if exchange.cancels is not None and self._exchanges.cancel(exchange.cancels):
            await Response(status_code=202)(scope, exchange.receive, exchange.send)
            return
        try:
            handle = self._handle or await self._open()
            with self._exchanges.under_way(exchange):
                await handle(scope, exchange.receive, exchange.send)
            await exchange.end()
        except Exception:  # supervised border
            # A defect of ours or of the SDK: logged with its trace, told to the client without.
            log.exception("bug", path=MCP_PATH)
            if not exchange.begun:
                await _error(500, INTERNAL_ERROR, BUG)(scope, exchange.receive, exchange.send)

    async def _open(self) -> Handle:
        """The SDK's part, which runs until the engine ends."""
        if self._opened is None:
            self._opened = anyio.Event()
            self._state.engine.registry.background.start(self._run, self._opened, name="mcp over http")
        await self._opened.wait()
        if self._handle is None:
            message = "MCP could not be started"
            raise RuntimeError(message)
        return self._handle

    async def _run(self, opened: anyio.Event) -> None:
        try:
            server = await to_thread.run_sync(self._imported)
            server.streamable_http_app(stateless_http=True, max_request_body_size=self._config.serve.max_body_bytes)
            manager = server.session_manager
            manager.security_settings = None  # judged here, before the body is read
            async with manager.run():
                self._handle = manager.handle_request
                opened.set()
                await anyio.sleep_forever()
        except Exception:  # supervised border
            log.exception("mcp.failed")  # the service goes on, and the next request tries again
        finally:
            self._handle = self._opened = None
            opened.set()

    def _imported(self) -> AgentServer:
        from sse_starlette.sse import AppStatus  # noqa: PLC0415 - as the SDK, which brings it

        from orchestrator.service.mcp import create_server  # noqa: PLC0415 - a package that takes its time
        from orchestrator.service.mcp_server import Surface  # noqa: PLC0415 - the same

        # It would cut the streams of the whole process once any server in it ends; ours are cut by their own server.
        AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]

        @asynccontextmanager
        async def surface() -> AsyncIterator[Surface]:
            yield Surface(engine=self._state.engine, note=partial(note_end, self._state))

        return create_server(self._config, surface)


def _refusal(error: Refused) -> Response:
    unread = isinstance(error.__cause__, orjson.JSONDecodeError)
    response = _error(error.status, PARSE_ERROR if unread else INVALID_REQUEST, str(error))
    if error.status == 405:  # noqa: PLR2004 - HTTP's "method not allowed"
        response.headers["allow"] = "POST"
    return response


def _error(status: int, code: int, message: str) -> Response:
    """JSON-RPC's error object for a message whose id is not known."""
    body = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}
    return Response(orjson.dumps(body), status_code=status, media_type="application/json")
