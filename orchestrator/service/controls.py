"""What a request asks of the router: headers `x-orchestrator-*` or the body's `orchestrator`. Experts see neither."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.types import Scope

from orchestrator.controls import NO_CONTROLS, Controls
from orchestrator.errors import InvalidRequest
from orchestrator.service.body import cost_quality_of
from orchestrator.service.headers import PREFIX

__all__ = ["Asked", "take_controls"]

BODY = "orchestrator"
"""The body's object of controls."""
_PREFIX = PREFIX.encode()
_WORDS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Controls, and what a surface does: tell experts' progress, put more into the response's headers."""

    controls: Controls = NO_CONTROLS
    progress: bool = False
    debug: bool = False


_NOTHING = Asked()


def take_controls(scope: Scope, body: dict[str, Any]) -> Asked:
    """What the headers and the body ask; taken out of the body.

    A header stands above the body's object; `cost_quality` and `progress` may stand in the body itself, below it.

    Raises:
        InvalidRequest: a name nobody knows, or a value out of its range.

    """
    given = _from_body(body)
    given |= _from_headers(scope)
    if not given:
        return _NOTHING
    progress, debug = bool(given.pop("progress", None)), bool(given.pop("debug", None))
    return Asked(controls=Controls(**given) if given else NO_CONTROLS, progress=progress, debug=debug)


def _from_body(body: dict[str, Any]) -> dict[str, Any]:
    given = body.pop(BODY, None) if BODY in body else None
    if given is not None and not isinstance(given, dict):
        raise InvalidRequest(f"{BODY!r} must be an object.", param=BODY)
    found: dict[str, Any] = {}
    for name, value in (given or {}).items():
        if name not in _READ or name == "debug":
            known = ", ".join(sorted(set(_READ) - {"debug"}))
            raise InvalidRequest(f"'{BODY}.{name}' is unknown; known: {known}.", param=f"{BODY}.{name}")
        if value is not None:
            found[name] = _READ[name](name, value)
    for name in ("cost_quality", "progress"):
        if name in body and (value := body.pop(name)) is not None:
            found.setdefault(name, _READ[name](name, value))
    return found


def _from_headers(scope: Scope) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for raw, value in scope["headers"]:
        if raw.startswith(_PREFIX):
            name = raw[len(_PREFIX) :].decode("latin-1").replace("-", "_")
            if name in _READ and (value or name != "category"):  # an empty name is none
                found[name] = _READ[name](name, _of_header(name, value.decode("latin-1").strip()))
    return found


def _of_header(name: str, text: str) -> object:
    if _READ[name] is _switch and text in _WORDS:
        return _WORDS[text]
    if _READ[name] in {_positive, _cost_quality}:
        try:
            return float(text)
        except ValueError:
            return text
    return text


def _switch(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidRequest(f"{name!r} must be true or false.", param=name)
    return value


def _positive(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise InvalidRequest(f"{name!r} must be a number above 0.", param=name)
    return float(value)


def _cost_quality(name: str, value: object) -> float | None:  # noqa: ARG001 - as all that read
    return cost_quality_of(value)


def _name(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidRequest(f"{name!r} must be a non-empty string.", param=name)
    return value.strip()


_READ: Mapping[str, Callable[[str, object], Any]] = {
    "category": _name,
    "cost_quality": _cost_quality,
    "max_cost_usd": _positive,
    "deadline_s": _positive,
    "fuse": _switch,
    "explain": _switch,
    "progress": _switch,
    "debug": _switch,
}
