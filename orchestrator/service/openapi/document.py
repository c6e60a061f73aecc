"""The whole document: FastAPI's, with the plain routes, and with what every route may answer."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from orchestrator.service.keys import OPEN_PATHS
from orchestrator.service.openapi import admin, agents, chat, messages, parts, responses
from orchestrator.service.openapi.parts import Json, ref
from orchestrator.service.server import STILL_SERVED

__all__ = ["complete_document"]

_TAGS = {
    "ask": "Answers, passages and vectors.",
    "look": "What there is, and what would be done.",
    "learn": "What was thought of answers, and what has moved.",
    "health": "How the service is.",
    "agents": "The Model Context Protocol.",
    "batches": "Requests that nobody waits for, where serve.batches is set.",
}
_ABOUT = (
    "One endpoint in front of all your experts. Errors have OpenAI's body, on /v1/messages Anthropic's, on /mcp "
    "JSON-RPC's. Beside what stands at each operation: a path that is not there is 404, one with a slash too many 307, "
    "a method that it does not take 405 with `allow`, what is no HTTP 400. A client that leaves before its answer gets "
    "none (the log says 499). Every response echoes `x-request-id`, or has a new one."
)
_SCHEMAS = {**parts.SCHEMAS, **chat.SCHEMAS, **responses.SCHEMAS, **messages.SCHEMAS, **agents.SCHEMAS}
_PLAIN = {
    "/v1/chat/completions": chat.CHAT,
    "/v1/responses": responses.RESPONSES,
    "/v1/messages": messages.MESSAGES,
    "/v1/embeddings": chat.EMBEDDINGS,
    "/metrics": admin.METRICS,
}
_KEYS = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "one of serve.keys"},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "one of serve.keys"},
}
_EVERYWHERE = (408, 431, 500)
"""Statuses that stand before all routes, or behind them all."""


def complete_document(app: FastAPI, *, keys: bool, mcp: bool) -> None:
    """Let the application give the whole document.

    keys: whether a key is wanted. mcp: whether agents are served.
    """
    made = app.openapi

    def complete() -> dict[str, Any]:
        known = app.openapi_schema is not None  # FastAPI keeps the one that it made
        document = made()
        if not known:
            _complete(document, keys=keys, mcp=mcp)
        return document

    app.openapi = complete  # type: ignore[method-assign]


def _complete(document: Json, *, keys: bool, mcp: bool) -> None:
    document["info"]["description"] = _ABOUT
    document["tags"] = [{"name": name, "description": what} for name, what in _TAGS.items()]
    document["paths"] = _PLAIN | ({"/mcp": agents.AGENTS} if mcp else {}) | document["paths"]
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas |= _SCHEMAS
    for unused in ("HTTPValidationError", "ValidationError"):  # paths take any text
        schemas.pop(unused, None)
    if keys:
        document["components"]["securitySchemes"] = _KEYS
        document["security"] = [{name: []} for name in _KEYS]
    for path, item in document["paths"].items():
        document["paths"][path] = {method: _operation(path, one, keys=keys) for method, one in item.items()}


def _operation(path: str, operation: Json, *, keys: bool) -> Json:
    """The same with its name, and with all that it may answer."""
    name = operation["operationId"]
    found = {status: one for status, one in operation["responses"].items() if status != "422"}
    found |= admin.ANSWERS.get(name, {})
    shape = {"/v1/messages": messages.SHAPE, "/mcp": agents.SHAPE}.get(path, ref("Error"))
    everywhere = [*_EVERYWHERE, *(() if path in STILL_SERVED else (503,))]
    if keys and path not in OPEN_PATHS:
        everywhere.append(401)
    for status in map(str, sorted(everywhere)):
        found[status] = _widened(found.get(status), parts.error(int(status), shape=shape))
    made = {**operation, "responses": dict(sorted(found.items()))}
    if name in admin.TAGS:
        made["tags"] = [admin.TAGS[name]]
    return made | ({"security": []} if keys and path in OPEN_PATHS else {})


def _widened(there: Json | None, every: Json) -> Json:
    """The response of a status that both the operation and the service may give."""
    if there is None:
        return every
    content = {**there["content"]}
    own, other = content[parts.JSON]["schema"], every["content"][parts.JSON]["schema"]
    if own != other and own not in other.get("anyOf", ()):
        other = {"anyOf": [own, other]}
    headers = {**every.get("headers", {}), **there.get("headers", {})}
    return {**there, "content": {parts.JSON: {"schema": other}}, "headers": headers}
