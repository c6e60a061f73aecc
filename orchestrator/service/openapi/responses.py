"""POST /v1/responses in the document."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.service.openapi import parts
from orchestrator.service.openapi.chat import ERRORS
from orchestrator.service.openapi.parts import Json, ref

__all__ = ["RESPONSES", "SCHEMAS"]

_TEXT_OR_NULL = {"type": ["string", "null"]}
_OBJECT_OR_NULL = {"type": ["object", "null"]}
_NAMES = (
    *(f"response.{name}" for name in ("created", "in_progress", "completed", "incomplete", "failed")),
    *(f"response.output_item.{name}" for name in ("added", "done")),
    *(f"response.content_part.{name}" for name in ("added", "done")),
    *(f"response.output_text.{name}" for name in ("delta", "done")),
    *(f"response.reasoning_text.{name}" for name in ("delta", "done")),
    *(f"response.function_call_arguments.{name}" for name in ("delta", "done")),
)
SCHEMAS: Mapping[str, Json] = {
    "Response": {
        "type": "object",
        "description": "OpenAI's response object; nothing of it is stored.",
        "required": ["id", "object", "created_at", "model", "status", "output", "error", "incomplete_details", "usage"],
        "properties": {
            "id": {"type": "string"},
            "object": {"const": "response"},
            "created_at": {"type": "integer", "description": "seconds since 1970"},
            "model": {"type": "string", "description": "id of the expert that answered"},
            "status": {"enum": ["completed", "incomplete", "failed", "in_progress"]},
            "store": {"const": False},
            "output": {"type": "array", "items": ref("OutputItem")},
            "error": _OBJECT_OR_NULL,
            "incomplete_details": _OBJECT_OR_NULL,
            "usage": {
                "type": ["object", "null"],
                "required": ["input_tokens", "output_tokens", "total_tokens"],
                "properties": {name: {"type": "integer"} for name in ("input_tokens", "output_tokens", "total_tokens")},
            },
        },
    },
    "ResponseEvent": {
        "type": "object",
        "description": "One event; the last is response.completed, response.incomplete or response.failed.",
        "required": ["type", "sequence_number"],
        "properties": {"type": {"enum": list(_NAMES)}, "sequence_number": {"type": "integer", "minimum": 0}},
    },
    "OutputItem": {
        "type": "object",
        "description": "A message, a thought, or a call of one of the client's functions.",
        "required": ["id", "type", "status"],
        "properties": {
            "id": {"type": "string"},
            "type": {"enum": ["message", "reasoning", "function_call"]},
            "status": {"enum": ["in_progress", "completed", "incomplete"]},
        },
    },
    "InputPart": {
        "description": "A piece of a message: text, an image by its address, or sound.",
        "anyOf": [
            {
                "type": "object",
                "required": ["type", "text"],
                "properties": {
                    "type": {"enum": ["input_text", "output_text", "text", "summary_text", "reasoning_text"]},
                    "text": {"type": "string"},
                },
            },
            {
                "type": "object",
                "required": ["type", "refusal"],
                "properties": {"type": {"const": "refusal"}, "refusal": {"type": "string"}},
            },
            {
                "type": "object",
                "required": ["type", "image_url"],
                "properties": {"type": {"const": "input_image"}, "image_url": {"type": "string"}},
            },
            {"type": "object", "required": ["type"], "properties": {"type": {"const": "input_audio"}}},
        ],
    },
    "InputItem": {
        "description": "A turn of the conversation, a call of a function, its output, or a thought.",
        "anyOf": [
            {
                "type": "object",
                "required": ["role", "content"],
                "properties": {
                    "type": {"const": "message"},
                    "role": {"type": "string"},
                    "content": {"anyOf": [{"type": "string"}, {"type": "array", "items": ref("InputPart")}]},
                },
            },
            {
                "type": "object",
                "required": ["type", "call_id", "name", "arguments"],
                "properties": {
                    "type": {"const": "function_call"},
                    **{name: {"type": "string"} for name in ("call_id", "name", "arguments")},
                },
            },
            {
                "type": "object",
                "required": ["type", "call_id", "output"],
                "properties": {
                    "type": {"const": "function_call_output"},
                    "call_id": {"type": "string"},
                    "output": {"anyOf": [{"type": "string"}, {"type": "array", "items": ref("InputPart")}]},
                },
            },
            {"type": "object", "required": ["type"], "properties": {"type": {"const": "reasoning"}}},
        ],
    },
}
_EVENTS = (
    'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","item_id":"msg_1",'
    '"output_index":0,"content_index":0,"delta":"732.7","logprobs":[],"sequence_number":4}\n\n'
)
RESPONSES: Json = {
    "post": {
        "operationId": "responses",
        "tags": ["ask"],
        "summary": "Responses",
        "description": (
            "OpenAI's Responses API over the same experts, models and headers as chat completions. `store` is "
            "true where serve.responses keeps conversations, so that `previous_response_id` goes on from one. "
            "`conversation`, `prompt` and `background` are refused. Tools are functions."
        ),
        "parameters": parts.CONTROL_HEADERS,
        **parts.body(
            {
                "type": "object",
                "required": ["input"],
                "properties": {
                    "model": parts.MODEL,
                    "input": {
                        "anyOf": [
                            {"type": "string", "minLength": 1},
                            {
                                "type": "array",
                                "minItems": 1,
                                "items": ref("InputItem"),
                                "contains": {
                                    "not": {"properties": {"type": {"const": "reasoning"}}, "required": ["type"]}
                                },
                            },
                        ]
                    },
                    "instructions": _TEXT_OR_NULL,
                    "max_output_tokens": {**parts.TOKENS, "type": ["integer", "null"]},
                    "stream": parts.STREAM,
                    "cost_quality": parts.COST_QUALITY,
                    "orchestrator": parts.CONTROLS,
                },
                "additionalProperties": True,
            },
            whole={"input": "What is 17% of 4310?"},
            streamed={"model": "auto", "input": "What is 17% of 4310?", "instructions": "Be short.", "stream": True},
            items={"input": [{"role": "user", "content": [{"type": "input_text", "text": "What is 17% of 4310?"}]}]},
        ),
        "responses": {
            "200": parts.answer(
                "A response, or with `stream` its events, each with `type` and `sequence_number`",
                parts.content(ref("Response")),
                parts.events(ref("ResponseEvent"), _EVENTS, names=_NAMES),
                headers=parts.DECISION_HEADERS | parts.STREAM_HEADERS,
                links=parts.about_decision(),
            ),
            **parts.errors(*ERRORS, decided=True),
        },
    }
}
