"""A real server on loopback over scripted experts: what wire bytes and disconnects need."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import uvicorn

from orchestrator.config import Config
from orchestrator.engine import Engine
from orchestrator.experts import Expert
from orchestrator.service.app import create_app
from tests.flowing import flowing


class Server(uvicorn.Server):
    """Says when it listens, and where."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = anyio.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.servers[0].sockets[0].getsockname()[1]}"


@asynccontextmanager
async def listening(app: Any) -> AsyncIterator[str]:
    """The address of an ASGI application that a real server runs in this event loop."""
    server = Server(uvicorn.Config(app, port=0, log_config=None, ws="none", timeout_graceful_shutdown=1))
    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(server.serve)
            await server.listening.wait()
            yield server.url
            server.should_exit = True


@asynccontextmanager
async def served(*experts: Expert, categories: dict[str, Any], **blocks: Any) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of the REST service over these experts."""
    async with flowing(*experts, categories=categories, **blocks) as engine:

        @asynccontextmanager
        async def there() -> AsyncIterator[Engine]:
            yield engine

        config: Config = engine.config
        async with (
            listening(create_app(config, there)) as url,
            httpx.AsyncClient(base_url=url, timeout=10, trust_env=False) as client,
        ):
            yield client
