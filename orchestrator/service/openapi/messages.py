"""POST /v1/messages in the document."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.service.openapi import parts
from orchestrator.service.openapi.chat import ERRORS
from orchestrator.service.openapi.parts import Json, ref

__all__ = ["MESSAGES", "SCHEMAS", "SHAPE"]

_NAMES = (
    *("message_start", "message_delta", "message_stop", "error"),
    *("content_block_start", "content_block_delta", "content_block_stop"),
)


def _block(kind: str, **fields: Json) -> Json:
    """What has this type and these fields."""
    properties = {"type": {"const": kind}, **fields}
    return {"type": "object", "required": list(properties), "properties": properties}


SCHEMAS: Mapping[str, Json] = {
    "MessagesError": {
        "type": "object",
        "description": "Anthropic's error object.",
        "required": ["type", "error"],
        "additionalProperties": False,
        "properties": {
            "type": {"const": "error"},
            "error": {
                "type": "object",
                "required": ["type", "message"],
                "additionalProperties": False,
                "properties": {"type": {"type": "string"}, "message": {"type": "string", "minLength": 1}},
            },
        },
    },
    "Message": {
        "type": "object",
        "description": "Anthropic's message.",
        "required": ["id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"],
        "properties": {
            "id": {"type": "string"},
            "type": {"const": "message"},
            "role": {"const": "assistant"},
            "model": {"type": "string", "description": "id of the expert that answered"},
            "content": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["type"],
                    "properties": {"type": {"enum": ["text", "thinking", "tool_use"]}},
                },
            },
            "stop_reason": {"enum": ["end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal"]},
            "stop_sequence": {"type": ["string", "null"]},
            "usage": {
                "type": "object",
                "required": ["input_tokens", "output_tokens"],
                "properties": {name: {"type": "integer"} for name in ("input_tokens", "output_tokens")},
            },
        },
    },
    "MessagesTurn": {
        "anyOf": [
            {
                "type": "object",
                "required": ["role", "content"],
                "properties": {
                    "role": {"const": role},
                    "content": {"anyOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": blocks}]},
                },
            }
            for role, blocks in (
                ("user", {"anyOf": [ref("ContentBlock"), ref("ToolResult")]}),
                ("assistant", {"anyOf": [ref("ContentBlock"), ref("ToolUse"), ref("Thinking")]}),
            )
        ]
    },
    "ContentBlock": {
        "description": "Text, or an image.",
        "anyOf": [
            _block("text", text={"type": "string"}),
            _block(
                "image",
                source={
                    "anyOf": [
                        _block("base64", media_type={"type": "string"}, data={"type": "string"}),
                        _block("url", url={"type": "string"}),
                    ]
                },
            ),
        ],
    },
    "ToolUse": {
        "type": "object",
        "required": ["type", "id", "name"],
        "properties": {
            "type": {"const": "tool_use"},
            "id": {"type": "string"},
            "name": {"type": "string"},
            "input": {"type": ["object", "null"]},
        },
    },
    "ToolResult": {
        **_block("tool_result", tool_use_id={"type": "string"}),
        "properties": {
            "type": {"const": "tool_result"},
            "tool_use_id": {"type": "string"},
            "content": {"anyOf": [{"type": ["string", "null"]}, {"type": "array", "items": ref("ContentBlock")}]},
        },
    },
    "Thinking": {
        "description": "Of an earlier turn; passed over.",
        "anyOf": [_block("thinking"), _block("redacted_thinking")],
    },
    "MessagesEvent": {
        "type": "object",
        "description": "One event; the last is message_stop, or error.",
        "required": ["type"],
        "properties": {"type": {"enum": list(_NAMES)}},
    },
}
SHAPE: Json = {"anyOf": [ref("MessagesError"), ref("Error")]}
"""Of errors that may come from before the surface, which tells in its own."""
_EVENTS = (
    'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    '"delta":{"type":"text_delta","text":"732.7"}}\n\n'
)
_QUESTION = [{"role": "user", "content": "What is 17% of 4310?"}]
MESSAGES: Json = {
    "post": {
        "operationId": "messages",
        "tags": ["ask"],
        "summary": "Messages",
        "description": (
            "Anthropic's messages API over the same experts, models and headers as chat completions. The key may come "
            "in `x-api-key`. Tools are your own; thinking of earlier turns is not passed on."
        ),
        "parameters": parts.CONTROL_HEADERS,
        **parts.body(
            {
                "type": "object",
                "required": ["max_tokens", "messages"],
                "properties": {
                    "model": parts.MODEL,
                    "max_tokens": parts.TOKENS,
                    "messages": {"type": "array", "minItems": 1, "items": ref("MessagesTurn")},
                    "system": {
                        "anyOf": [
                            {"type": ["string", "null"]},
                            {
                                "type": "array",
                                "items": {
                                    "type": "object",
                                    "required": ["text"],
                                    "properties": {"text": {"type": "string"}},
                                },
                            },
                        ]
                    },
                    "stream": parts.STREAM,
                    "cost_quality": parts.COST_QUALITY,
                    "orchestrator": parts.CONTROLS,
                },
                "additionalProperties": True,
            },
            whole={"model": "auto", "max_tokens": 200, "messages": _QUESTION},
            streamed={"max_tokens": 200, "system": "Be short.", "messages": _QUESTION, "stream": True},
            blocks={"max_tokens": 50, "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]},
        ),
        "responses": {
            "200": parts.answer(
                "A message, or with `stream` its events",
                parts.content(ref("Message")),
                parts.events(ref("MessagesEvent"), _EVENTS, names=_NAMES),
                headers=parts.DECISION_HEADERS | parts.STREAM_HEADERS,
                links=parts.about_decision(),
            ),
            **parts.errors(*ERRORS, decided=True, shape=ref("MessagesError")),
        },
    }
}
