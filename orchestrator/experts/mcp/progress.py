"""Passes a tool's progress on without ever holding up its server: what is overtaken is dropped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from mcp.shared.dispatcher import ProgressFnT

from orchestrator.errors import ExpertError
from orchestrator.experts.mcp.listing import cleaned
from orchestrator.types import Progress, Report

__all__ = ["reported"]

T = TypeVar("T")

_PAUSE_S = 0.05
_MESSAGE_CHARS = 400


async def reported(call: Callable[[ProgressFnT | None], Awaitable[T]], report: Report | None, expert: str) -> T:
    """What `call` returns, given a function that takes progress; what that took last goes to `report` meanwhile.

    Raises:
        ExpertError: as the call does.

    """
    if report is None:
        return await call(None)
    latest: list[Progress] = []
    news = anyio.Event()

    async def heard(progress: float, total: float | None, message: str | None) -> None:
        said = cleaned(message or "", most=_MESSAGE_CHARS)
        latest[:] = [Progress(expert=expert, done=progress, total=total, message=said)]
        news.set()

    async def pass_on() -> None:
        nonlocal news
        while True:
            await news.wait()
            news = anyio.Event()
            await report(latest[-1])
            await anyio.sleep(_PAUSE_S)

    failure: ExpertError | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(pass_on)
        try:
            result = await call(heard)
        except ExpertError as error:  # as a value: a task group would wrap it
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return result
