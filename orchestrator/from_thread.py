"""Calls from a worker thread to the event loop that started it, which end when their request does."""

from __future__ import annotations

import asyncio
import concurrent.futures
import math
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from anyio import from_thread

__all__ = ["run"]

T = TypeVar("T")


def run(call: Callable[[], Awaitable[T]]) -> T:
    """What a coroutine function gives; for threads of `anyio.to_thread`.

    It ends with the request whose thread asks, also where that has been cancelled before: anyio runs such a call within
    the request's scope and tells it of no cancellation any more, so that its first checkpoint would wait for ever.

    Raises:
        concurrent.futures.CancelledError: the request was cancelled.

    """

    async def unless_cancelled() -> T:
        if anyio.current_effective_deadline() == -math.inf:
            raise asyncio.CancelledError
        return await call()

    try:
        return from_thread.run(unless_cancelled)
    except asyncio.CancelledError as error:  # which of the two it is depends on who was first
        raise concurrent.futures.CancelledError from error
