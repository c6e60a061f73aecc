"""POST /v1/messages in the document."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.service.openapi import parts
from orchestrator.service.openapi.chat import ERRORS
from orchestrator.service.openapi.parts import Json, ref

__all__ = ["MESSAGES", "SCHEMAS", "SHAPE"]

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
        "type": "object",
        "required": ["role", "content"],
        "properties": {
            "role": {"enum": ["user", "assistant"]},
            "content": {
                "anyOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": ref("ContentBlock")}],
            },
        },
    },
    "ContentBlock": {
        "description": "Text, an image, a call of a tool or its result; thinking of earlier turns is passed over.",
        "anyOf": [
            {
                "type": "object",
                "required": ["type", "text"],
                "properties": {"type": {"const": "text"}, "text": {"type": "string"}},
            },
            {
                "type": "object",
                "required": ["type", "source"],
                "properties": {
                    "type": {"const": "image"},
                    "source": {
                        "anyOf": [
                            {
                                "type": "object",
                                "required": ["type", "media_type", "data"],
                                "properties": {
                                    "type": {"const": "base64"},
                                    "media_type": {"type": "string"},
                                    "data": {"type": "string"},
                                },
                            },
                            {
                                "type": "object",
                                "required": ["type", "url"],
                                "properties": {"type": {"const": "url"}, "url": {"type": "string"}},
                            },
                        ]
                    },
                },
            },
            {
                "type": "object",
                "description": "in a turn of the assistant",
                "required": ["type", "id", "name", "input"],
                "properties": {
                    "type": {"const": "tool_use"},
                    "id": {"type": "string"},
                    "name": {"type": "string"},
                    "input": {"type": "object"},
                },
            },
            {
                "type": "object",
                "description": "in a turn of the user",
                "required": ["type", "tool_use_id"],
                "properties": {
                    "type": {"const": "tool_result"},
                    "tool_use_id": {"type": "string"},
                    "content": {"anyOf": [{"type": "string"}, {"type": "array", "items": ref("ContentBlock")}]},
                },
            },
            {
                "type": "object",
                "description": "in a turn of the assistant",
                "required": ["type"],
                "properties": {"type": {"enum": ["thinking", "redacted_thinking"]}},
            },
        ],
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
        **parts.body(
            {
                "type": "object",
                "required": ["max_tokens", "messages"],
                "properties": {
                    "model": parts.MODEL,
                    "max_tokens": {"type": "integer", "minimum": 1},
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
                parts.events("typed events; one that breaks off ends with an error event", _EVENTS),
                headers=parts.DECISION_HEADERS | parts.STREAM_HEADERS,
                links=parts.about_decision(),
            ),
            **parts.errors(*ERRORS, decided=True, shape=ref("MessagesError")),
        },
    }
}
