"""POST /v1/chat/completions and POST /v1/embeddings in the document: what is passed on to experts in OpenAI's form."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.service.headers import PREFIX
from orchestrator.service.openapi import parts
from orchestrator.service.openapi.parts import Json, ref

__all__ = ["CHAT", "EMBEDDINGS", "ERRORS", "SCHEMAS"]

ERRORS = (400, 404, 413, 415, 429, 502, 503, 504)
"""Statuses of what asks an expert."""
_COUNT = {"type": "integer"}
SCHEMAS: Mapping[str, Json] = {
    "ChatCompletion": {
        "type": "object",
        "description": "An answer as the expert sent it, whose fields are its own; `model` names the expert.",
        "required": ["choices"],
        "properties": {
            "id": {"type": "string"},
            "object": {"const": "chat.completion"},
            "created": {"type": "integer", "description": "seconds since 1970"},
            "model": {"type": "string", "description": "id of the expert that answered"},
            "choices": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["message"],
                    "properties": {
                        "index": _COUNT,
                        "message": {
                            "type": "object",
                            "properties": {
                                "role": {"type": "string"},
                                "content": {"type": ["string", "array", "null"]},
                                "citations": {"type": "array", "description": "passages that the answer stands on"},
                                "structured_content": {"description": "the answer as data, where a tool gave it so"},
                                "attachments": {"type": "array", "description": "what a tool gave beside text"},
                            },
                        },
                        "finish_reason": {"type": ["string", "null"]},
                    },
                },
            },
            "usage": {"type": ["object", "null"]},
        },
    },
    "ChatChunk": {
        "description": "A piece of an answer, as the expert sent it; last comes `[DONE]` or an error.",
        "anyOf": [{"type": "object", "required": ["choices"]}, ref("Error")],
    },
    "EmbeddingList": {
        "type": "object",
        "description": "Vectors, in the order of the texts.",
        "required": ["data"],
        "properties": {
            "object": {"const": "list"},
            "data": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "object": {"const": "embedding"},
                        "index": _COUNT,
                        "embedding": {
                            "anyOf": [
                                {"type": "array", "items": {"type": "number"}},
                                {"type": "string", "contentEncoding": "base64"},
                            ]
                        },
                    },
                },
            },
            "model": {"type": "string"},
            "usage": {"type": "object"},
        },
    },
}
_QUESTION = [{"role": "user", "content": "What is 17% of 4310?"}]
_EVENTS = (
    'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"calculator","choices":'
    '[{"index":0,"delta":{"role":"assistant","content":"732.7"},"finish_reason":null}]}\n\ndata: [DONE]\n\n'
)
CHAT: Json = {
    "post": {
        "operationId": "chat",
        "tags": ["ask"],
        "summary": "Chat completions",
        "description": (
            "OpenAI's chat completions. `auto` routes, `fuse` forces drafts and a verdict, an expert's id bypasses "
            f"routing. The answer's `model` is the expert that gave it; `{PREFIX}*` headers hold the decision. "
            "Fields that this document does not name are passed to the expert untouched. An error after the first "
            'event is the last event: `data: {"error": ...}`, without `[DONE]`.'
        ),
        "parameters": parts.CONTROL_HEADERS,
        **parts.body(
            {
                "type": "object",
                "required": ["messages"],
                "properties": {
                    "model": parts.MODEL,
                    "messages": parts.MESSAGES,
                    "cost_quality": parts.COST_QUALITY,
                    "orchestrator": parts.CONTROLS,
                    "stream": parts.STREAM,
                    "stream_options": {"type": ["object", "null"]},
                    "progress": {
                        "type": ["boolean", "null"],
                        "default": False,
                        "description": "with `stream`: tell how far experts are, in comments `: progress {...}`",
                    },
                },
                "additionalProperties": True,
            },
            whole={"model": "auto", "messages": _QUESTION},
            streamed={"messages": _QUESTION, "stream": True, "stream_options": {"include_usage": True}},
        ),
        "responses": {
            "200": parts.answer(
                "A chat.completion, or with `stream` chat.completion.chunk events and [DONE]",
                parts.content(
                    ref("ChatCompletion"),
                    example={
                        "id": "chatcmpl-1",
                        "object": "chat.completion",
                        "created": 1,
                        "model": "calculator",
                        "choices": [
                            {
                                "index": 0,
                                "message": {"role": "assistant", "content": "732.7"},
                                "logprobs": None,
                                "finish_reason": "stop",
                            }
                        ],
                        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
                    },
                ),
                parts.events(ref("ChatChunk"), _EVENTS, done=True),
                headers=parts.DECISION_HEADERS | parts.STREAM_HEADERS,
                links=parts.about_decision(),
            ),
            **parts.errors(*ERRORS, decided=True),
        },
    }
}
EMBEDDINGS: Json = {
    "post": {
        "operationId": "embeddings",
        "tags": ["ask"],
        "summary": "Embeddings",
        "description": (
            "OpenAI's embeddings: passed on to an expert whose servers run `pooling`, or answered by a text embedder "
            "that the configuration names (`minilm`), which takes texts alone, at most 2048, always gives vectors of "
            "its own length, and counts no tokens. GET /v1/models lists both."
        ),
        **parts.body(
            {
                "type": "object",
                "required": ["model", "input"],
                "properties": {
                    "model": {"type": "string", "minLength": 1, "description": "what embeds, by GET /v1/models"},
                    "input": {
                        "anyOf": [
                            {"type": "string", "minLength": 1},
                            {
                                "type": "array",
                                "minItems": 1,
                                "maxItems": 2048,
                                "items": {"type": "string", "minLength": 1},
                            },
                        ],
                        "description": "one text or several; experts may take token ids too",
                    },
                    "encoding_format": {"enum": ["float", "base64", None], "default": "float"},
                    "dimensions": {"type": ["integer", "null"], "description": "for experts alone"},
                },
                "additionalProperties": True,
            },
            floats={"model": "minilm", "input": ["a night sky", "a loaf of bread"]},
            base64={"model": "minilm", "input": "a night sky", "encoding_format": "base64"},
        ),
        "responses": {
            "200": parts.answer("A list of embedding objects, one for each text", parts.content(ref("EmbeddingList"))),
            **parts.errors(*ERRORS),
        },
    }
}
