"""The real service over a real socket, before servers that fake vLLM, and a crowd of clients that stream from it."""

import socket
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import Any

import anyio
import httpx

from eval.soak.asking import ask, client_of
from eval.soak.outcomes import Outcome
from orchestrator.config.kinds import VllmSettings
from orchestrator.engine import Engine
from orchestrator.experts.vllm.circuit import Rules
from orchestrator.experts.vllm.expert import VllmExpert
from orchestrator.experts.vllm.replicas import Replicas
from orchestrator.service.app import create_app
from orchestrator.service.server import server_of
from orchestrator.testing import FakeVLLM, Numbered
from orchestrator.trace import Trace
from tests.flowing import flowing

CLIENTS = 64
DEADLINE_S = 6.0
GRACE_S = 2.0
"""What a client waits beyond the deadline on a machine that is busy."""
TOKENS = 6


def numbered(name: str) -> FakeVLLM:
    """A server of the model `m` that numbers its tokens."""
    return FakeVLLM(models=("m",), answer=Numbered(name, tokens=TOKENS), keep=1000)


class Crowd:
    """Clients of one service. Whatever they ask is of the category `math`."""

    def __init__(self, clients: Sequence[httpx.AsyncClient], deadline_s: float) -> None:
        self.client = clients[0]
        self._clients = clients
        self._within_s = deadline_s + GRACE_S
        self._asked = 0

    async def ask(self, client: httpx.AsyncClient | None = None) -> Outcome:
        """One stream."""
        self._asked += 1
        return await ask(client or self.client, f"q{self._asked}", within_s=self._within_s)

    async def all_ask(self, outcomes: list[Outcome] | None = None) -> list[Outcome]:
        """As many streams at once as there are clients; each outcome is there as soon as it is known."""
        found = [] if outcomes is None else outcomes

        async def one(client: httpx.AsyncClient) -> None:
            found.append(await self.ask(client))

        async with anyio.create_task_group() as group:
            for client in self._clients:
                group.start_soon(one, client)
        return found

    async def expert(self, name: str = "crew") -> dict[str, Any]:
        """What `GET /v1/experts` says of one."""
        shown = (await self.client.get("/v1/experts")).json()
        return next(each for each in shown if each["id"] == name)

    async def replicas(self) -> list[dict[str, Any]]:
        """The same of its servers."""
        found: list[dict[str, Any]] = (await self.expert())["replicas"]
        return found


@asynccontextmanager
async def crowded(
    servers: Sequence[FakeVLLM],
    *,
    spare: FakeVLLM | None = None,
    deadline_s: float = DEADLINE_S,
    rules: Rules | None = None,
    **crew: Any,
) -> AsyncIterator[Crowd]:
    """A crowd before the service, whose expert `crew` has these servers.

    spare: that of an expert to fall back to. rules: of the servers' breakers.
    """
    experts = {"crew": vllm(*servers, **crew)} | ({"spare": vllm(spare)} if spare else {})
    categories = {"math": [*experts], "general": [*experts]}
    blocks: dict[str, Any] = {"experts": experts, "budget": {"deadline_s": deadline_s}}
    async with flowing(categories=categories, **blocks) as engine:
        expert = engine.registry["crew"]
        assert isinstance(expert, VllmExpert)
        expert.replicas = Replicas([server.url for server in servers], random=Random(5), rules=rules)  # noqa: S311 - seeded

        @asynccontextmanager
        async def there() -> AsyncIterator[Engine]:
            yield engine

        async with listening(create_app(engine.config, there, log_request=_unlogged), engine) as url, AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(client_of(url)) for _ in range(CLIENTS)]
            crowd = Crowd(clients, deadline_s)
            while (await crowd.expert())["state"] == "starting":
                await anyio.sleep(0.005)
            yield crowd
            assert [each["in_flight"] for each in await crowd.replicas()] == [0] * len(servers)


def vllm(*servers: FakeVLLM, **settings: Any) -> VllmSettings:
    """The block of an expert on these servers."""
    return VllmSettings(model="m", replicas=tuple(server.url for server in servers), **settings)


@asynccontextmanager
async def listening(app: Any, engine: Engine) -> AsyncIterator[str]:
    """The address of the product's own server, in this event loop."""
    with socket.create_server(("127.0.0.1", 0), backlog=2 * CLIENTS) as listener:
        server = server_of(app, engine.config.serve, lifespan="on")
        async with anyio.create_task_group() as group:
            group.start_soon(server.serve, [listener])
            while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
                await anyio.sleep(0.005)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            server.should_exit = True


def _unlogged(_: Trace) -> None:
    """Thousands of lines that nobody reads."""


def counted(outcomes: Sequence[Outcome]) -> Counter[str]:
    """How many of each kind; what is bad fails here, and says why."""
    bad = [outcome.reason for outcome in outcomes if outcome.kind == "bad"]
    assert not bad, bad[:3]
    return Counter(outcome.kind for outcome in outcomes)
