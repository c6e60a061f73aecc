"""The routes beside the hot path in the document: bodies that they read themselves, and how they fail."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.service.openapi import parts
from orchestrator.service.openapi.parts import Json

__all__ = ["ANSWERS", "FEEDBACK_BODY", "METRICS", "ROUTE_BODY", "SEARCH_BODY", "TAGS"]

_QUERY: Json = {"type": "string", "pattern": parts.NOT_BLANK}
ROUTE_BODY = parts.body(
    {
        "type": "object",
        "properties": {
            "query": {"description": "what to route, where there are no messages"},
            "messages": parts.MESSAGES,
            "model": parts.MODEL,
            "explain": {"type": "boolean", "default": False, "description": "say what decided the category"},
            "cost_quality": parts.COST_QUALITY,
            "orchestrator": parts.CONTROLS,
        },
        "anyOf": [{"required": ["query"], "properties": {"query": _QUERY}}, {"required": ["messages"]}],
        "additionalProperties": True,
    },
    query={"query": "What is 17% of 4310?"},
    conversation={"messages": [{"role": "user", "content": "What is 17% of 4310?"}], "explain": True},
)
SEARCH_BODY = parts.body(
    {
        "type": "object",
        "required": ["query"],
        "properties": {
            "query": _QUERY,
            "top_k": {"type": "integer", "minimum": 1, "maximum": 100, "default": 5},
            "experts": {
                "type": ["array", "null"],
                "items": {"type": "string"},
                "minItems": 1,
                "description": "ids of retrievers; without it all of them",
            },
            "model": {"enum": ["auto", None], "description": "auto: the router chooses among these retrievers"},
        },
    },
    all={"query": "Why is Venus hotter than Mercury?"},
    few={"query": "Why is Venus hotter than Mercury?", "top_k": 2},
)
FEEDBACK_BODY = parts.body(
    {
        "type": "object",
        "required": ["decision"],
        "properties": {
            "decision": {
                "type": "string",
                "minLength": 1,
                "description": "its id: header x-orchestrator-decision-id of the answer",
            },
            "score": {"type": ["number", "null"], "minimum": 0, "maximum": 1, "description": "0 wrong, 1 right"},
            "rating": {"enum": ["up", "down", None], "description": "instead of a score: up is 1, down is 0"},
            "category": {"type": ["string", "null"], "description": "where the query belongs"},
            "expert": {
                "type": ["string", "null"],
                "description": "whose part is judged, of those that were asked; default: the one that answered",
            },
            "comment": {
                "type": ["string", "null"],
                "maxLength": 4000,
                "description": "kept only where the configuration says usage.content",
            },
        },
        "anyOf": [
            {"required": ["score"], "properties": {"score": {"type": "number"}, "rating": {"type": "null"}}},
            {"required": ["rating"], "properties": {"rating": {"type": "string"}, "score": {"type": "null"}}},
            {
                "required": ["category"],
                "properties": {"category": {"type": "string"}, "score": {"type": "null"}, "rating": {"type": "null"}},
            },
        ],
    },
    score={"decision": "dec-0123456789abcdef01234567", "score": 0.5, "comment": "half of it was right"},
    rating={"decision": "dec-0123456789abcdef01234567", "rating": "up"},
)
METRICS: Json = {
    "get": {
        "operationId": "metrics",
        "tags": ["health"],
        "summary": "Metrics",
        "description": "Prometheus: requests, attempts, tokens, cost, times, overhead, experts that are up.",
        "responses": {
            "200": parts.answer("Prometheus' text format", parts.content({"type": "string"}, media="text/plain"))
        },
    }
}
_READ = (400, 413, 415)
"""Statuses of what reads a body."""
ANSWERS: Mapping[str, Json] = {
    "feedback": parts.errors(*_READ, 403, 404, 503),
    "model": parts.errors(404),
    "route": parts.errors(*_READ, 404),
    "search": parts.errors(*_READ, 502, 503, 504),
    "decision": parts.errors(404),
    "router": parts.errors(400),
    "upload": parts.errors(400, 413),
    "file": parts.errors(404),
    "content": parts.errors(404),
    "delete": parts.errors(404),
    "create": parts.errors(*_READ, 404),
    "batches": parts.errors(400),
    "batch": parts.errors(404),
    "cancel": parts.errors(404),
}
"""By operation: how it fails. Where the service has nothing to say of its router, 400."""
TAGS: Mapping[str, str] = {
    "feedback": "learn",
    "alerts": "learn",
    "models": "look",
    "model": "look",
    "route": "look",
    "search": "ask",
    "experts": "look",
    "decision": "look",
    "router": "look",
    "health": "health",
    "ready": "health",
    "version": "health",
}
