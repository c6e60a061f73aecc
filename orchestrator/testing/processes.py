"""A faked vLLM as a process of its own, which can be killed as no server in this process can."""

from __future__ import annotations

import math
import re
import signal
import subprocess
import sys
from types import TracebackType
from typing import Any, Self

import anyio
import httpx
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream

__all__ = ["FakeProcess"]

_START_S = 60.0
_STOP_S = 10.0
_URL = re.compile(r"http://\S+:(\d+)")


class FakeProcess:
    """`async with FakeProcess("--model", "m") as server:` runs the command with these arguments, at `server.url`.

    It has a free port unless the arguments name one, and keeps it when it is started again.
    """

    def __init__(self, *arguments: str) -> None:
        self.url = ""
        self._arguments = arguments
        self._port = 0
        self._process: Process | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs now, or ran last."""
        if self._process is None:
            raise RuntimeError("the process has not been started")
        return self._process.pid

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self.stop()

    async def start(self) -> None:
        """Start it (again); returns once it listens. Raises RuntimeError where it ended instead."""
        port = [] if "--port" in self._arguments else ["--port", str(self._port)]
        command = [sys.executable, "-m", "orchestrator.testing.fake_vllm", *self._arguments, *port]
        self._process = await anyio.open_process(command, stdin=subprocess.DEVNULL, stderr=None)
        try:
            with anyio.fail_after(_START_S):
                self.url = await self._announced(self._process)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self.kill()
            raise
        self._port = int(self.url.rpartition(":")[2])

    @staticmethod
    async def _announced(process: Process) -> str:
        said = ""
        if process.stdout is not None:
            async for text in TextReceiveStream(process.stdout):
                said += text
                found = _URL.search(said)
                if found and "\n" in said:
                    return found[0]
        raise RuntimeError(f"the process ended with status {await process.wait()} and said {said!r}")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; `wait` tells how it ended."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def wait(self) -> int:
        """Its exit status, once it has ended."""
        return 0 if self._process is None else await self._process.wait()

    async def kill(self) -> int:
        """`kill -9`: no connection is closed in order. Its exit status, which is negative."""
        return await self._end(signal.SIGKILL, math.inf)

    async def stop(self) -> int:
        """Ask it to stop, as a supervisor does; its exit status, 0 unless it had to be killed."""
        return await self._end(signal.SIGTERM, _STOP_S)

    async def _end(self, number: signal.Signals, patience_s: float) -> int:
        process = self._process
        if process is None:
            return 0
        self.send(number)
        with anyio.move_on_after(patience_s):
            await process.wait()
        if process.returncode is None:
            process.kill()
        status = await process.wait()
        await process.aclose()
        return status

    async def facts(self) -> dict[str, Any]:
        """What it saw: `requests`, `running`, `waiting`, `aborted`, `while_asleep` and more."""
        return await self._asked("GET")

    async def tell(self, **settings: Any) -> dict[str, Any]:
        """Change what goes wrong, how fast it is and so on, by the fields of `POST /fake`; what it saw so far."""
        return await self._asked("POST", settings)

    async def _asked(self, method: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as client:
            response = await client.request(method, "/fake", json=body)
            if response.is_error:
                raise ValueError(response.json()["error"]["message"])
            facts: dict[str, Any] = response.json()
            return facts
