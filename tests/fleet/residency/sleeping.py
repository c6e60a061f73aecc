"""Faked vLLM servers that sleep, and the residency over them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from orchestrator.config import Config
from orchestrator.config.kinds import VllmSettings
from orchestrator.experts import Site
from orchestrator.fleet.registry import Registry
from orchestrator.fleet.residency.live import residency_of
from orchestrator.fleet.residency.residency import Residency
from orchestrator.testing import FakeVLLM
from orchestrator.types import ChatRequest


@dataclass(frozen=True)
class Asleep:
    """Experts in service, by id; each with its servers."""

    registry: Registry
    residency: Residency
    servers: dict[str, list[FakeVLLM]]

    async def ask(self, expert: str, *, within_s: float = 20.0) -> str:
        """An answer's text."""
        return (await self.registry.draft(expert, self.request(within_s=within_s), nowhere)).text

    @staticmethod
    def request(*, within_s: float = 20.0) -> ChatRequest:
        """A request with so much time."""
        body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
        return ChatRequest(body=body, deadline=anyio.current_time() + within_s)

    @property
    def while_asleep(self) -> int:
        """Requests that reached a server which was not awake."""
        return sum(server.while_asleep for servers in self.servers.values() for server in servers)


async def nowhere(_: object) -> None:
    """An `emit` for what nobody sees."""


def configured(urls: dict[str, Sequence[str]], *, settings: dict[str, Any], rules: dict[str, Any]) -> Config:
    """Experts of 10 GB that sleep; the general category is nobody of them."""
    common = {"kind": "vllm", "model": "fake-model", "sleep": True, "weights_gb": 10.0}
    experts = {name: {**common, "replicas": list(each), **settings.get(name, {})} for name, each in urls.items()}
    experts["other"] = {"kind": "vllm", "model": "fake-model", "replicas": ["http://127.0.0.1:9"]}
    experts |= {name: each for name, each in settings.items() if name not in experts}

    return Config.model_validate(
        {
            "version": 1,
            "categories": {"general": {"description": "all", "experts": ["other"]}},
            "general": "general",
            "experts": {name: VllmSettings(**each) for name, each in experts.items()},
            "budget": {"deadline_s": 0.5},
            "residency": {"awake_gb": {"default": 20.0}, "wake_gb_per_s": 1000.0, **rules},
        }
    )


@asynccontextmanager
async def asleep(
    folder: Path,
    names: Sequence[str] = ("one", "two", "three", "four"),
    *,
    replicas: int = 1,
    settings: dict[str, Any] | None = None,
    move_s: float = 0.0,
    **rules: Any,
) -> AsyncIterator[Asleep]:
    """Experts of which two fit, each with so many servers that take `move_s` to sleep or wake."""
    async with AsyncExitStack() as stack:
        servers = {
            name: [await stack.enter_async_context(FakeVLLM(dev=True)) for _ in range(replicas)] for name in names
        }
        for server in (server for each in servers.values() for server in each):
            server.engine.sleep_s = server.engine.wake_s = server.engine.reload_s = move_s
        urls = {name: [server.url for server in each] for name, each in servers.items()}
        config = configured(urls, settings=settings or {}, rules=rules)
        residency = residency_of(config)
        site = Site(
            folder=folder,
            cache=folder,
            expert=lambda name: registry[name],
            embedder=_no_embedder,
            residency=residency,
        )
        registry = Registry(config, site, residency=residency)
        async with anyio.create_task_group() as group, registry.background.open():
            await group.start(residency.serve)
            yield Asleep(registry, residency, servers)
            group.cancel_scope.cancel()


def _no_embedder(name: str) -> Any:
    raise AssertionError(name)


__all__ = ["Asleep", "asleep", "nowhere"]
