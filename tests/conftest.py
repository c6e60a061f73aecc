"""What every test stands on: asyncio, and no network beyond loopback."""

import ipaddress
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture
def anyio_backend() -> str:
    """The service runs on asyncio (uvicorn, aiohttp), so do its tests."""
    return "asyncio"


@pytest.fixture(autouse=True, scope="session")
def loopback_only() -> Iterator[None]:
    """Any connection that would leave this machine fails the test that made it."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def check(address: Any) -> None:
        if not isinstance(address, tuple):
            return
        host = address[0]
        if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            message = f"a test tried to reach {address!r}"
            raise AssertionError(message)

    class Guarded(socket.socket):
        def connect(self, address: Any) -> None:
            check(address)
            connect(self, address)

        def connect_ex(self, address: Any) -> int:
            check(address)
            return connect_ex(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket, "socket", Guarded)
    yield
    patch.undo()
