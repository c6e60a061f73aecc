"""Which web pages may call the MCP endpoint, and by which names of this machine.

A page of another site can make its visitor's browser send requests here, and can have its own name point here (DNS
rebinding). Programs send no `Origin`; browsers always do. Knows nothing of keys but whether there are any.
"""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers

from orchestrator.config.conditions import is_loopback
from orchestrator.config.serve import Serve

__all__ = ["Callers", "Refused"]


class Refused(Exception):
    """A request is not answered. status: of HTTP, which says why; the message says what to do."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Callers:
    """Judges by `Host` and `Origin`.

    Loopback origins and those of `serve.origins` may call. Without keys the service must be called by a loopback name
    or by that of such an origin; with keys by any, since a foreign page has no key.
    """

    def __init__(self, serve: Serve) -> None:
        self._origins = frozenset(origin.lower() for origin in serve.origins)
        self._names = frozenset(_name(_split(origin)) for origin in self._origins)
        self._any_name = bool(serve.key_list)

    def check(self, headers: Headers) -> None:
        """Pass, or raise `Refused`: 403 for a foreign origin, 421 for a foreign name."""
        origin = headers.get("origin")
        if origin is not None and not self._may(origin.lower()):
            raise Refused(403, f"Pages of {origin!r} may not call; serve.origins lists those that may.")
        name = _name(_split(f"//{headers.get('host', '')}"))
        if not self._any_name and not is_loopback(name) and name not in self._names:
            raise Refused(421, f"Not served as {name!r}: call by a loopback name, set serve.keys or serve.origins.")

    def _may(self, origin: str) -> bool:
        parts = _split(origin)
        return origin in self._origins or (parts.scheme in {"http", "https"} and is_loopback(_name(parts)))


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # brackets that hold no address
        return urlsplit("")


def _name(parts: SplitResult) -> str:
    return parts.hostname or ""
