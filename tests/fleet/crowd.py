"""The real service over a real socket, before servers that fake vLLM, and a crowd of clients that stream from it."""

import socket
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import anyio
import httpx

from eval.soak.asking import Client
from eval.soak.outcomes import Outcome
from orchestrator.config.kinds import VllmSettings
from orchestrator.config.settings import Serve
from orchestrator.engine import Engine
from orchestrator.experts.vllm.circuit import Rules
from orchestrator.experts.vllm.expert import VllmExpert
from orchestrator.experts.vllm.replicas import Replicas
from orchestrator.service.app import create_app
from orchestrator.service.intake import IntakeConfig
from orchestrator.service.server import Server
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

    def __init__(self, url: str, control: httpx.AsyncClient, deadline_s: float) -> None:
        self._url = url
        self._control = control
        self._within_s = deadline_s + GRACE_S
        self._free: list[Client] = []
        self._asked = 0

    async def ask(self) -> Outcome:
        """One stream, of a client that has nothing else to do."""
        self._asked += 1
        client = self._free.pop() if self._free else Client(self._url)
        outcome = await client.ask(f"q{self._asked}", within_s=self._within_s)
        self._free.append(client)
        return outcome

    async def all_ask(self, outcomes: list[Outcome] | None = None) -> list[Outcome]:
        """As many streams at once as there are clients; each outcome is there as soon as it is known."""
        found = [] if outcomes is None else outcomes

        async def one() -> None:
            found.append(await self.ask())

        async with anyio.create_task_group() as group:
            for _ in range(CLIENTS):
                group.start_soon(one)
        return found

    def leave(self) -> None:
        """Close all connections."""
        for client in self._free:
            client.leave()

    async def expert(self, name: str = "crew") -> dict[str, Any]:
        """What `GET /v1/experts` says of one."""
        shown = (await self._control.get("/v1/experts")).json()
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

        async with (
            listening(create_app(engine.config, there, log_request=_unlogged), engine.config.serve) as url,
            httpx.AsyncClient(base_url=url, trust_env=False, verify=False) as control,  # noqa: S501 - no TLS here
        ):
            crowd = Crowd(url, control, deadline_s)
            while (await crowd.expert())["state"] == "starting":  # noqa: ASYNC110 - its probe
                await anyio.sleep(0.005)
            yield crowd
            assert [each["in_flight"] for each in await crowd.replicas()] == [0] * len(servers)
            crowd.leave()


def vllm(*servers: FakeVLLM, **settings: Any) -> VllmSettings:
    """The block of an expert on these servers."""
    return VllmSettings(model="m", replicas=tuple(server.url for server in servers), **settings)


class PromptServer(Server):
    """The product's own server, which says when it listens and ends when it is told to, not a tick later."""

    def __init__(self, config: IntakeConfig) -> None:
        super().__init__(config, drain_s=0)
        self.listening, self.told = anyio.Event(), anyio.Event()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        self.listening.set()
        await self.told.wait()

    async def shutdown(self, sockets: Any = None) -> None:
        for each in [*self.servers, *(sockets or [])]:
            each.close()
        await self.lifespan.shutdown()


@asynccontextmanager
async def listening(app: Any, serve: Serve) -> AsyncIterator[str]:
    """The address of the service, in this event loop."""
    config = IntakeConfig(
        app, max_header_bytes=serve.max_header_bytes, body_timeout_s=serve.body_timeout_s, log_config=None, ws="none"
    )
    server = PromptServer(config)
    with socket.create_server(("127.0.0.1", 0), backlog=2 * CLIENTS) as listener:
        async with anyio.create_task_group() as group:
            group.start_soon(server.serve, [listener])
            await server.listening.wait()
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            server.told.set()


def _unlogged(_: Trace) -> None:
    """Thousands of lines that nobody reads."""


def counted(outcomes: Sequence[Outcome]) -> Counter[str]:
    """How many of each kind; what is bad fails here, and says why."""
    bad = [outcome.reason for outcome in outcomes if outcome.kind == "bad"]
    assert not bad, bad[:3]
    return Counter(outcome.kind for outcome in outcomes)
