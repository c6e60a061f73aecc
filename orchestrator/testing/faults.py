"""What can go wrong with a faked model server, as values that a test switches on and off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import anyio

__all__ = ["Cut", "Drop", "Fault", "Garbage", "Hang", "Hold", "Status", "StreamError"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Answers with this status and an error body in OpenAI's form, or with `body` as it is."""

    code: int
    message: str = "the fake was told to refuse"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Hang:
    """Takes the request and never answers."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Closes the connection instead of answering."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Sends `after` events, then waits for the release before the rest (a whole answer waits before its bytes)."""

    after: int = 1
    release: anyio.Event = field(default_factory=anyio.Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Ends the answer after so many events, without `[DONE]`; a whole answer loses its second half.

    clean: the HTTP body ends as if it were complete; otherwise the connection is torn down.
    """

    after: int = 1
    clean: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbage:
    """After so many events sends one that is no JSON; a whole answer is no JSON altogether."""

    after: int = 1
    data: bytes = b'{"choices": [{"delta": {"con'


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamError:
    """After so many events sends an error object, then `[DONE]`; a whole answer is that object with status 200."""

    after: int = 1
    message: str = "the engine died"


Fault = Status | Hang | Drop | Hold | Cut | Garbage | StreamError
