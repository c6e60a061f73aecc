"""The faked server on its port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from itertools import count
from types import TracebackType
from typing import Self

import anyio
import anyio.lowlevel
from aiohttp import web

from orchestrator.testing.fake_vllm.control import Control
from orchestrator.testing.fake_vllm.errors import NOT_FOUND, Refused
from orchestrator.testing.fake_vllm.generation import Generation
from orchestrator.testing.fake_vllm.remote import Remote
from orchestrator.testing.fake_vllm.spoiling import before, refusal, reset
from orchestrator.testing.fake_vllm.state import Recorded, ServerState

__all__ = ["FakeVLLM", "Recorded"]

_BACKLOG = 256
_TURNS = 4
"""Of the event loop, in which a connection that was accepted reaches its server; it takes three."""

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FakeVLLM(ServerState):
    """`async with FakeVLLM() as server:` serves vLLM's endpoints at `server.url`.

    What may be changed while it runs: `answer` (what it says, or a function of the body that says so), `fault` (what
    goes wrong with text and vectors, or who picks it; None for nothing), `fault_at` (what goes wrong before the answer
    of a path, such as `/wake_up`; `*` for all paths), `health` (the status of `/health`), `echo` (the `model` it puts
    into answers; None: the one it was asked for), `newline` (how its events' lines end), `logprob` (how likely a token
    is), `first_s` and `pace_s` (seconds before the first event and between two), `load_s` (seconds that loading an
    adapter takes), `engine.sleep_s`, `engine.wake_s`, `engine.reload_s` (seconds that sleeping, waking and reading
    weights take), `max_num_seqs` and `max_loras` of `engine`, and of `counts`, which `/metrics` tells:
    `pretended_running`, `pretended_waiting`, `kv_cache_usage`.

    What it saw: `requests`, of which `received` came; `sent`, the data of all events and all whole bodies in order;
    `running`, `waiting` and `aborted`, the requests under way, those before them and those whose client left; `probes`
    of `/health`; `while_asleep`, the requests that came while it slept (they hang until it is woken);
    `engine.aborted_by_sleep`, those that ran when it was sent to sleep; `adapters.loaded`, paths by name. `until` waits
    for such a fact.

    runner: `pooling` has `/v1/embeddings` and no chat. dev: whether it has `/sleep`, `/wake_up`, `/is_sleeping` and
    `/collective_rpc`. enable_lora, runtime_lora: whether adapters can be used, and loaded while it runs. adapters: the
    paths of those it starts with. adapter_exists: whether there is one at a path. max_loras: most of them in a batch.
    max_num_seqs: most requests at once; others wait. keep: about how many requests and events are remembered.
    remote: whether `/fake` tells what it saw, and changes it. port: 0 for any that is free.
    """

    _runner: web.AppRunner | None = None
    _listener: socket.socket | None = None

    @property
    def url(self) -> str:
        """The root of the server; the same when the server stops listening and starts again."""
        return f"http://{self.host}:{self.port}"

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self.refuse()
            await self.moves.stop()

    async def listen(self) -> None:
        """Accept connections (again)."""
        # The handler of a client that left is cancelled, as vLLM aborts such a request.
        self._runner = web.AppRunner(
            self._application(), handler_cancellation=True, access_log=None, shutdown_timeout=0.05
        )
        await self._runner.setup()
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._listener = socket.create_server((self.host, self.port), family=family, backlog=_BACKLOG)
        await web.SockSite(self._runner, self._listener, backlog=_BACKLOG).start()
        self.port = self._listener.getsockname()[1]

    async def refuse(self) -> None:
        """Close the port and every connection, as a server that died."""
        if self._runner is not None:
            await self._accept_no_more()
            await self._runner.cleanup()
            self._runner = self._listener = None

    async def kill(self) -> None:
        """Die as a killed process does: connections are reset, what it knew is lost. `listen` starts it anew."""
        await self._accept_no_more()
        if self._runner is not None and self._runner.server is not None:
            for connection in self._runner.server.connections:
                reset(connection.transport)
        await self.refuse()
        await self.moves.stop()
        self.reborn()

    async def _accept_no_more(self) -> None:
        """Leave new connections to the kernel, which resets them with the port; those just taken become known first.

        asyncio forgets a connection that it has taken when its server is closed meanwhile: its client would hang.
        """
        if self._listener is not None and self._listener.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._listener)
            for _ in range(_TURNS):
                await anyio.lowlevel.checkpoint()

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[self._bordered], client_max_size=64 * 1024 * 1024)
        app.on_response_prepare.append(_named(count(1)))
        control, generation = Control(self), Generation(self)
        get: dict[str, _Handler] = {
            "/health": control.health,
            "/ping": control.health,
            "/version": control.version,
            "/load": control.load,
            "/metrics": control.metrics,
            "/v1/models": control.models,
        }
        post: dict[str, _Handler] = {"/tokenize": control.tokenize, "/detokenize": control.detokenize}
        if self.runner == "pooling":
            post |= {"/v1/embeddings": control.embeddings}
        else:
            post |= {"/v1/chat/completions": generation.chat, "/v1/completions": generation.completions}
        if self.dev:
            get |= {"/is_sleeping": control.is_sleeping}
            post |= {
                "/sleep": control.sleep,
                "/wake_up": control.wake_up,
                "/collective_rpc": control.collective_rpc,
            }
        if self.runtime_lora:
            post |= {
                "/v1/load_lora_adapter": control.load_adapter,
                "/v1/unload_lora_adapter": control.unload_adapter,
            }
        if self.remote:
            remote = Remote(self)
            get |= {"/fake": remote.facts}
            post |= {"/fake": remote.tell}
        app.add_routes([web.get(path, handler) for path, handler in get.items()])
        app.add_routes([web.post(path, handler) for path, handler in post.items()])
        return app

    @web.middleware
    async def _bordered(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            wanted = f"Bearer {self.api_key}"
            if self.api_key and request.path.startswith("/v1") and request.headers.get("Authorization") != wanted:
                raise Refused(401, "Unauthorized")  # noqa: TRY301 - one place writes refusals
            fault = self.fault_at.get(request.path, self.fault_at.get("*"))
            refused = refusal(fault)
            if refused is not None:
                return refused
            return await handler(request) if await before(request, fault) else web.Response()
        except Refused as refused:
            return web.Response(status=refused.status, body=refused.body, content_type="application/json")
        except ConnectionResetError:
            # The client left, or a fault broke the connection: nobody is there to be answered.
            return web.Response()
        except web.HTTPNotFound:
            return web.Response(status=404, body=NOT_FOUND, content_type="application/json")


def _named(numbers: count[int]) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Gives each answer the name of its request, or one of its own."""

    async def name(request: web.Request, response: web.StreamResponse) -> None:
        response.headers["X-Request-Id"] = request.headers.get("X-Request-Id") or f"fake-{next(numbers)}"

    return name
