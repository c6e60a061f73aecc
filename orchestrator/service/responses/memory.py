"""Responses that a client goes on from: `previous_response_id` put back into a conversation, answers kept for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.engine import Engine
from orchestrator.errors import InvalidRequest, UnknownResponse

__all__ = ["is_kept", "kept_items", "recalled"]

_FIELD = "previous_response_id"


def is_kept(engine: Engine, body: Mapping[str, Any]) -> bool:
    """Whether the answer to this request is kept: where the service does so, and the client has nothing against it."""
    return engine.store is not None and engine.config.serve.responses and body.get("store") is not False


async def recalled(engine: Engine, body: dict[str, Any], caller: str) -> dict[str, Any]:
    """The request with the conversation that it goes on from before its own input.

    Raises:
        InvalidRequest: nothing is kept here, or the id is no id.
        UnknownResponse: it is not kept (any more), or is another caller's.
        RunError: the store does not answer.

    """
    previous = body.get(_FIELD)
    if previous is None:
        return body
    if engine.store is None or not engine.config.serve.responses:
        message = f"{_FIELD!r} is not supported: no responses are kept here; send the whole conversation as 'input'."
        raise InvalidRequest(message, param=_FIELD)
    if not isinstance(previous, str):
        raise InvalidRequest(f"{_FIELD!r} must be a string.", param=_FIELD)
    items = await engine.store.response(previous, caller)
    if items is None:
        raise UnknownResponse(f"No response {previous!r} is kept here.", param=_FIELD)
    return {**body, "input": [*items, *_input(body)]}


def kept_items(body: Mapping[str, Any], output: list[Any]) -> list[Any]:
    """The conversation to go on from: what was put in, the earlier turns included, and what came out."""
    return [*_input(body), *output]


def _input(body: Mapping[str, Any]) -> list[Any]:
    given = body.get("input")
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    return list(given) if isinstance(given, list) else []
