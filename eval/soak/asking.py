"""One client: asks for one streamed chat completion after the other, and reads each to its end."""

from __future__ import annotations

from dataclasses import replace

import anyio
import orjson

from eval.soak.outcomes import Outcome, of_refusal, of_stream
from orchestrator.experts.vllm.connection import Connection, HttpError, Origin, connect, request_head

__all__ = ["Client"]

_CHAT = "/v1/chat/completions"
_OK = 200


class Client:
    """Has one connection to the service, which it keeps for as long as that does; `leave` closes it.

    It is the connection that the experts have to their servers: a general client takes more of the processor than the
    service itself, which is what a crowd of them is to try.
    """

    def __init__(self, url: str) -> None:
        self._origin = Origin.of(url)
        self._head = request_head(url + _CHAT, {})
        self._connection: Connection | None = None
        self.connections = 0
        """That it has opened."""

    async def ask(self, tag: str, *, within_s: float, model: str = "auto") -> Outcome:
        """What became of one stream. tag: of this request alone. within_s: a later end is a bad one."""
        started = anyio.current_time()
        outcome, answer = Outcome(kind="bad", reason=f"no end within {within_s:g} s", status=0), _Answer(started)
        body = orjson.dumps({"model": model, "stream": True, "messages": [{"role": "user", "content": f"{tag} count"}]})
        try:
            with anyio.move_on_after(within_s):
                status = await self._exchange(body, answer, within_s=within_s)
                outcome = of_stream(answer.body, tag=tag) if status == _OK else of_refusal(status, answer.body)
        except HttpError as error:
            reason = f"{type(error).__name__}: {error}, after {answer.body[-200:]!r}"
            outcome = Outcome(kind="bad", reason=reason, status=0)
        if outcome.kind == "bad" or (self._connection is not None and not self._connection.reusable):
            self.leave()
        return replace(outcome, took_s=anyio.current_time() - started, first_s=answer.first_s)

    async def _exchange(self, body: bytes, answer: _Answer, *, within_s: float) -> int:
        """Send a request and read its answer; the status."""
        if self._connection is None or not self._connection.reusable:
            self.leave()
            self._connection = await connect(self._origin, within_s)
            self.connections += 1
        connection = self._connection
        connection.send(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
        await connection.head(within_s)
        while piece := await connection.read(within_s):
            answer.add(piece)
        return connection.status

    def leave(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None


class _Answer:
    """What has come so far."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._pieces: list[bytes] = []
        self.first_s: float | None = None

    def add(self, piece: bytes) -> None:
        if self.first_s is None:
            self.first_s = anyio.current_time() - self._started
        self._pieces.append(piece)

    @property
    def body(self) -> bytes:
        return b"".join(self._pieces)
