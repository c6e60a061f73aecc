"""How a thread that classifies reaches the experts, which live on an event loop. Knows neither prompts nor registries.

Whoever runs a classifier lays the line around it (`connected`); `ask` finds it wherever in the thread it is called, so
that a classifier within another one needs no wiring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from orchestrator.errors import ExpertUnavailable
from orchestrator.types import Draft

__all__ = ["Body", "Line", "ask", "connected"]

Body = Mapping[str, Any]
"""A chat request without `model`."""

Line = Callable[[str, Sequence[Body]], list[Draft]]
"""Called as (expert, bodies): the drafts, in their order. Blocking; raises `ExpertError` where one does not come."""

_LINE: ContextVar[Line] = ContextVar("line")


@contextmanager
def connected(line: Line) -> Iterator[None]:
    """`ask` takes this line inside the block, also in threads that are started there."""
    before = _LINE.set(line)
    try:
        yield
    finally:
        _LINE.reset(before)


def ask(expert: str, bodies: Sequence[Body]) -> list[Draft]:
    """The expert's drafts for these requests, in their order. For threads: blocking.

    Raises:
        ExpertError: it did not answer one of them, or there is no line here.

    """
    if (line := _LINE.get(None)) is None:
        message = "the classifier asks it, which works only while a service runs or a router is being trained"
        raise ExpertUnavailable(expert, message)
    return line(expert, bodies)
