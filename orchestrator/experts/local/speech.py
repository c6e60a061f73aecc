"""An answer as it is spoken: its text collected and, for a stream, emitted piece by piece."""

from __future__ import annotations

import anyio

from orchestrator.types import Chunk, Draft, Emit, Usage
from orchestrator.wire import ChunkWriter

__all__ = ["Speech"]


class Speech:
    """One answer of one expert; without `emit` nothing goes out before the draft."""

    def __init__(self, expert: str, emit: Emit | None) -> None:
        self._expert = expert
        self._emit = emit
        self._writer = ChunkWriter(expert)
        self._pieces: list[str] = []
        self._started = anyio.current_time()
        self._first_token_s: float | None = None

    async def say(self, piece: str) -> None:
        """Add text; the role goes out with the first."""
        if piece:
            self._pieces.append(piece)
            await self._send(self._writer.text(piece))

    async def end(self, finish_reason: str, usage: Usage, *, with_usage: bool) -> Draft:
        """The draft; a stream closes with the finish reason and, where asked for, the usage."""
        await self._send(self._writer.end(finish_reason))
        if with_usage:
            await self._send(self._writer.usage(usage))
        return Draft(
            expert=self._expert,
            text="".join(self._pieces),
            finish_reason=finish_reason,
            usage=usage,
            total_s=anyio.current_time() - self._started,
            first_token_s=self._first_token_s,
        )

    async def _send(self, chunk: Chunk) -> None:
        if self._emit is None:
            return
        if self._first_token_s is None:
            self._first_token_s = anyio.current_time() - self._started
            await self._emit(self._writer.role())
        await self._emit(chunk)
