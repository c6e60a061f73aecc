"""What can go wrong with a faked model server, as values that a test switches on and off."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import anyio

__all__ = [
    "FAULTS",
    "Cut",
    "Drop",
    "Fault",
    "Garbage",
    "Hang",
    "Hold",
    "Html",
    "Huge",
    "Reset",
    "Slow",
    "Stall",
    "Status",
    "StreamError",
    "WrongModel",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Answers with this status and an error body in OpenAI's form, or with `body` as it is."""

    code: int
    message: str = "the fake was told to refuse"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Html:
    """Answers with a page, as a web server or a proxy at this address would."""

    code: int = 200
    page: str = "<!DOCTYPE html><html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Hang:
    """Takes the request and never answers."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Closes the connection instead of answering."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """Resets the connection (RST) after so many events, a whole answer in its midst; None: instead of answering."""

    after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """Waits so many seconds before its first byte."""

    seconds: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Sends `after` events, then waits for the release before the rest (a whole answer waits before its bytes)."""

    after: int = 1
    release: anyio.Event = field(default_factory=anyio.Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """Sends `after` events, then nothing for so many seconds (a whole answer: headers, then nothing)."""

    after: int = 2
    seconds: float = math.inf


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Huge:
    """After so many events sends one of this size; a whole answer has this size."""

    after: int = 1
    size_bytes: int = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongModel:
    """Answers in the name of another model than the one that was asked."""

    model: str = "some-other-model"


Fault = Status | Html | Hang | Drop | Reset | Slow | Hold | Stall | Cut | Garbage | StreamError | Huge | WrongModel

FAULTS: Mapping[str, Fault] = {
    "429": Status(code=429),
    "429-after": Status(code=429, headers={"Retry-After": "1"}),
    "500": Status(code=500),
    "503": Status(code=503),
    "503-after": Status(code=503, headers={"Retry-After": "1"}),
    "html": Html(),
    "hang": Hang(),
    "drop": Drop(),
    "reset": Reset(),
    "reset-amid": Reset(after=3),
    "slow": Slow(),
    "stall": Stall(),
    "cut": Cut(after=3, clean=False),
    "cut-clean": Cut(after=3),
    "garbage": Garbage(after=3),
    "error-event": StreamError(after=3),
    "huge": Huge(after=3),
    "wrong-model": WrongModel(),
}
"""Each fault by the name that the command line knows it by."""
