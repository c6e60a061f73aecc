"""What the OpenAPI document says in more than one place: bodies, headers, errors. Knows no route."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.service.body import MOST_TOKENS
from orchestrator.service.headers import PREFIX

__all__ = [
    "CONTROLS",
    "CONTROL_HEADERS",
    "COST_QUALITY",
    "DECISION_HEADERS",
    "JSON",
    "MESSAGES",
    "MODEL",
    "NOT_BLANK",
    "SCHEMAS",
    "STREAM",
    "STREAM_HEADERS",
    "TOKENS",
    "Json",
    "about_decision",
    "answer",
    "body",
    "content",
    "error",
    "errors",
    "events",
    "ref",
]

Json = dict[str, Any]
JSON = "application/json"
_EVENTS = "text/event-stream"

NOT_BLANK = "[^\\t-\\r\\x1c-\\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
r"""A pattern: something is left once blanks have been taken off. `\S` means something else in each language."""
MODEL: Json = {
    "type": ["string", "null"],
    "pattern": NOT_BLANK,
    "default": "auto",
    "description": "auto, fuse, or the id of an expert; blanks around it do not count",
}
MESSAGES: Json = {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/ChatMessage"}}
TOKENS: Json = {"type": "integer", "minimum": 1, "maximum": MOST_TOKENS, "description": "most tokens of the answer"}
STREAM: Json = {"type": ["boolean", "null"], "default": False}
COST_QUALITY: Json = {
    "type": ["number", "null"],
    "minimum": 0,
    "maximum": 1,
    "description": "where on the learned frontier to choose experts: 0 the cheapest, 1 (and without it) the best",
}
_TEXT_OR_NULL = {"type": ["string", "null"]}
_ABOVE_0 = {"type": ["number", "null"], "exclusiveMinimum": 0}
_SWITCH = {"type": ["boolean", "null"]}
_CONTROLS: Mapping[str, Json] = {
    "category": {"type": ["string", "null"], "pattern": r"\S", "description": "instead of what the router would say"},
    "cost_quality": COST_QUALITY,
    "max_cost_usd": {**_ABOVE_0, "description": "experts expected to cost more are not asked; where all would, 400"},
    "deadline_s": {**_ABOVE_0, "description": "seconds until the whole answer; budget.deadline_s holds beside it"},
    "fuse": {**_SWITCH, "description": "true: drafts and a verdict whatever the plan; false: one expert"},
    "explain": {**_SWITCH, "description": "the decision comes with the answer, and what decided the category"},
    "progress": {**_SWITCH, "description": "of a stream: how far experts are, in comments"},
}
CONTROLS: Json = {
    "type": ["object", "null"],
    "additionalProperties": False,
    "properties": dict(_CONTROLS),
    "description": "what is asked of the router itself; experts do not see it",
}
_SAID = {"enum": ["true", "false"]}


def _as_header(schema: Json) -> Json:
    """A header has no null, and an empty text says nothing."""
    if "boolean" in schema["type"]:
        return _SAID
    return {key: value for key, value in schema.items() if key != "pattern"} | {"type": schema["type"][0]}


CONTROL_HEADERS: Sequence[Json] = [
    {
        "name": f"{PREFIX}{name.replace('_', '-')}",
        "in": "header",
        "required": False,
        "description": schema["description"],
        "schema": _as_header(schema),
    }
    for name, schema in {**_CONTROLS, "debug": {**_SWITCH, "description": "more response headers"}}.items()
]
"""The same as headers, which stand above the body."""
SCHEMAS: Mapping[str, Json] = {
    "Error": {
        "type": "object",
        "description": "OpenAI's error object.",
        "required": ["error"],
        "additionalProperties": False,
        "properties": {
            "error": {
                "type": "object",
                "required": ["message", "type", "param", "code"],
                "additionalProperties": False,
                "properties": {
                    "message": {"type": "string", "minLength": 1},
                    "type": {
                        "enum": [
                            "invalid_request_error",
                            "authentication_error",
                            "rate_limit_error",
                            "timeout_error",
                            "server_error",
                        ]
                    },
                    "param": {**_TEXT_OR_NULL, "description": "the field of the request that is wrong"},
                    "code": {**_TEXT_OR_NULL, "description": "for programs, such as model_not_found"},
                },
            }
        },
    },
    "ChatMessage": {
        "type": "object",
        "description": "One turn of a conversation; fields that are not named here are the expert's to judge.",
        "required": ["role"],
        "properties": {
            "role": {"type": "string", "examples": ["user"]},
            "content": {
                "type": ["string", "array", "null"],
                "description": "a text, or parts of which those of type image_url go to experts that see alone",
            },
        },
        "additionalProperties": True,
    },
}
"""By name; together with those of the surfaces the document's `components.schemas`."""

_HEADERS: Mapping[str, tuple[str, Json]] = {
    "schema-version": ("version of these headers", {"const": "1"}),
    "decision-id": ("id of the decision, for GET /v1/decisions/{decision_id} and feedback", {"type": "string"}),
    "attempts": ("calls of experts so far, retries included", {"type": "integer", "minimum": 0}),
    "path": ("the kind of plan", {"enum": ["single", "fuse"]}),
    "category": ("what the query was taken for", {"type": "string"}),
    "confidence": ("probability of that category", {"type": "number", "minimum": 0, "maximum": 1}),
    "expert": ("whose answer it is", {"type": "string"}),
    "cost-usd": ("what the experts cost; not of a stream", {"type": "number", "minimum": 0}),
    "overhead-ms": ("milliseconds in which no expert was at work; not of a stream", {"type": "number", "minimum": 0}),
}
_ALWAYS = frozenset({"schema-version", "decision-id", "attempts"})


def _headers(*, required: frozenset[str]) -> Json:
    return {
        f"{PREFIX}{name}": {"description": what, "required": name in required, "schema": schema}
        for name, (what, schema) in _HEADERS.items()
    }


DECISION_HEADERS = _headers(required=_ALWAYS)
"""Of an answer; what is not known (the category where an expert was named) is left out."""
STREAM_HEADERS: Json = {
    "cache-control": {"description": "of a stream: no-cache", "schema": {"type": "string"}},
    "x-accel-buffering": {
        "description": "of a stream: no, for proxies that would collect it",
        "schema": {"const": "no"},
    },
}
_RETRY_AFTER = {
    "retry-after": {
        "description": "seconds after which to ask again, where that is known",
        "schema": {"type": "integer", "minimum": 0},
    }
}
_CHALLENGE = {"www-authenticate": {"description": "Bearer", "required": True, "schema": {"const": "Bearer"}}}
_MEANINGS: Mapping[int, str] = {
    400: "The request is not what the API takes, or the expert refused it",
    401: "No valid API key",
    403: "This service does not do that",
    404: "There is none of that name",
    405: "Not this method",
    406: "The client takes neither JSON nor events",
    408: "The request did not come as a whole in time (serve.body_timeout_s)",
    413: "The body is too large (serve.max_body_bytes)",
    415: "The body is not declared as application/json",
    421: "The service is not called by a name that it has",
    429: "The experts have too much to do; ask again later",
    431: "The headers are too large (serve.max_header_bytes)",
    500: "A defect of the service; its log has the details",
    502: "The experts gave no answer that is one",
    503: "No expert is there now, or the service is being stopped",
    504: "No answer in time (budget.deadline_s)",
}
_WAITING = (429, 503)


def ref(name: str) -> Json:
    """A schema of `components.schemas`."""
    return {"$ref": f"#/components/schemas/{name}"}


def content(schema: Json, *, media: str = JSON, example: Any = None) -> Json:
    """What a body holds."""
    return {media: {"schema": schema} if example is None else {"schema": schema, "example": example}}


def events(data: Json, example: str, *, names: Sequence[str] = (), done: bool = False) -> Json:
    """A stream of server-sent events. data: what each holds. names: their types, where they have any.

    done: whether the last one is `[DONE]`.
    """
    held: Json = {"type": "string", "contentMediaType": JSON, "contentSchema": data}
    properties: Json = {"data": {"anyOf": [{"const": "[DONE]"}, held]} if done else held}
    if names:
        properties["event"] = {"enum": list(names)}
    item = {"type": "object", "required": list(properties), "properties": properties}
    return {_EVENTS: {"itemSchema": item, "example": example}}


def body(schema: Json, **examples: Any) -> Json:
    """A JSON body that must be there, and what it may look like, by name."""
    shown = {name: {"value": value} for name, value in examples.items()}
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema, "examples": shown}}}}


def answer(description: str, *contents: Json, headers: Json | None = None, links: Json | None = None) -> Json:
    """A response."""
    made: Json = {
        "description": description,
        "content": {media: one for each in contents for media, one in each.items()},
    }
    return made | ({"headers": headers} if headers else {}) | ({"links": links} if links else {})


def error(status: int, *, headers: Json | None = None, shape: Json | None = None) -> Json:
    """The response of this status. shape: of its body where it is not OpenAI's."""
    told = dict(headers or {})
    if status in _WAITING:
        told |= _RETRY_AFTER
    if status == 401:  # noqa: PLR2004 - HTTP's "unauthorized"
        told = _CHALLENGE
    return answer(_MEANINGS[status], content(shape or ref("Error")), headers=told)


def errors(*statuses: int, decided: bool = False, shape: Json | None = None) -> Json:
    """The responses of these statuses. decided: they may tell of the decision, where it came to one."""
    headers = _headers(required=frozenset()) if decided else None
    return {str(status): error(status, headers=headers, shape=shape) for status in statuses}


def about_decision() -> Json:
    """What to do next with an answer's decision."""
    decision = f"$response.header.{PREFIX}decision-id"
    return {
        "decision": {"operationId": "decision", "parameters": {"decision_id": decision}},
        "feedback": {"operationId": "feedback", "requestBody": {"decision": decision, "score": 1}},
    }
