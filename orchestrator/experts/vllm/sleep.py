"""vLLM's paths of sleep and wake, for all servers of one expert together. Knows no bytes and no other experts.

`/sleep` without a mode aborts what runs; ours says `mode=wait`. What a server at level 2 has forgotten it reads again
after it woke, by `/collective_rpc`. A server that is not there holds no memory, and one that comes back is awake.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar
from urllib.parse import urlsplit

import anyio
import httpx

from orchestrator.config.kinds import VllmSettings
from orchestrator.errors import ExpertUnavailable
from orchestrator.fleet.residency.control import Seen

__all__ = ["VllmSleep"]

T = TypeVar("T")
_OK = 200
_NOT_FOUND = 404
_SHOWN_CHARS = 200
_DROPPED = 2
"""The level of sleep that keeps no weights."""


class VllmSleep:
    """Sends one expert's servers to sleep and wakes them; in service inside the block `open`.

    look_timeout_s: most seconds of one look. Moves have no limit of their own: the caller sets one.
    """

    def __init__(self, expert: str, settings: VllmSettings, *, look_timeout_s: float = 5.0) -> None:
        self._expert = expert
        self._urls = settings.replicas
        self._look_timeout_s = look_timeout_s
        key = settings.api_key
        self._headers = {} if key is None else {"Authorization": f"Bearer {key.get_secret_value()}"}
        self._connect_timeout_s = settings.connect_timeout_s
        self._client: httpx.AsyncClient | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Keep connections inside the block."""
        timeout = httpx.Timeout(None, connect=self._connect_timeout_s)
        async with httpx.AsyncClient(timeout=timeout, headers=self._headers, trust_env=False) as client:
            self._client = client
            try:
                yield
            finally:
                self._client = None

    async def look(self) -> Seen:
        """How the servers are together; those that are not there do not count while any is."""
        found = await self._each(self._is_sleeping)
        here = [seen for seen in found if seen != "gone"]
        if not here:
            return "gone"
        return here[0] if len(set(here)) == 1 else "unsure" if "unsure" in here else "mixed"

    async def sleep(self, level: int) -> None:
        """Send all that are there to sleep, when they have answered what they were asked.

        Raises:
            ExpertUnavailable: one of them would not.

        """

        async def one(url: str) -> bool:
            return await self._post(url, "/sleep", params={"level": str(level), "mode": "wait"})

        await self._each(one)

    async def wake(self, level: int) -> None:
        """Wake all that are there from that level, and see that they are awake.

        Raises:
            ExpertUnavailable: one of them would not, or none is there.

        """

        async def one(url: str) -> bool:
            here = await self._post(url, "/wake_up")
            if here and level == _DROPPED:
                here = await self._post(url, "/collective_rpc", json={"method": "reload_weights"})
            if here and (seen := await self._is_sleeping(url)) != "awake":
                raise ExpertUnavailable(self._expert, f"{_shown(url)} was woken and is {seen}")
            return here

        if not any(await self._each(one)):
            raise ExpertUnavailable(self._expert, "none of its servers is there to be woken")

    async def _each(self, ask: Callable[[str], Awaitable[T]]) -> list[T]:
        """What all servers answer; the first error once all have."""
        answers: dict[str, T] = {}
        errors: list[ExpertUnavailable] = []

        async def one(url: str) -> None:
            try:
                answers[url] = await ask(url)
            except ExpertUnavailable as error:
                errors.append(error)

        async with anyio.create_task_group() as group:
            for url in self._urls:
                group.start_soon(one, url)
        if errors:
            raise errors[0]
        return [answers[url] for url in self._urls]

    async def _is_sleeping(self, url: str) -> Seen:
        try:
            response = await self._http.get(f"{url}/is_sleeping", timeout=self._look_timeout_s)
            asleep = response.json()["is_sleeping"] if response.status_code == _OK else None
        except httpx.ConnectError:
            return "gone"
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError):
            return "unsure"
        return "unsure" if not isinstance(asleep, bool) else "asleep" if asleep else "awake"

    async def _post(self, url: str, path: str, **sent: object) -> bool:
        """Whether the server is there, and did it."""
        try:
            response = await self._http.post(f"{url}{path}", **sent)  # type: ignore[arg-type]  # httpx's own words
        except httpx.ConnectError:
            return False
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            message = f"{_shown(url)}{path}: {type(error).__name__}: {error}".rstrip(": ")
            raise ExpertUnavailable(self._expert, message) from error
        if response.status_code == _OK:
            return True
        why = response.text[:_SHOWN_CHARS]
        if response.status_code == _NOT_FOUND:
            why = "it has no such path; start it with --enable-sleep-mode and VLLM_SERVER_DEV_MODE=1"
        raise ExpertUnavailable(self._expert, f"{_shown(url)}{path} answers {response.status_code}: {why}")

    @property
    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            raise ExpertUnavailable(self._expert, "its residency is not in service")
        return self._client


def _shown(url: str) -> str:
    """An address without user name and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
