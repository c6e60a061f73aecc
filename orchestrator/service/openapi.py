"""What the OpenAPI document says of bodies that the service reads itself, without a model of them."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from orchestrator.service.headers import PREFIX

__all__ = ["FEEDBACK_BODY", "ROUTE_BODY", "SEARCH_BODY", "document_plain_routes"]

_MESSAGES = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["role"],
        "properties": {"role": {"type": "string"}, "content": {"type": ["string", "array", "null"]}},
        "additionalProperties": True,
    },
}
_MODEL = {"type": "string", "default": "auto", "description": "auto, fuse, or the id of an expert"}
_COST_QUALITY = {
    "type": ["number", "null"],
    "minimum": 0,
    "maximum": 1,
    "description": "where on the learned frontier to choose experts: 0 the cheapest, 1 (and without it) the best",
}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}

_ERROR_ANSWER = {"description": "OpenAI's error object", "content": {"application/json": {"schema": _ERROR}}}


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


ROUTE_BODY = _body(
    {
        "type": "object",
        "properties": {
            "query": {"type": "string"},
            "messages": _MESSAGES,
            "model": _MODEL,
            "explain": {"type": "boolean", "default": False, "description": "say what decided the category"},
            "cost_quality": _COST_QUALITY,
        },
        "additionalProperties": True,
    }
)
SEARCH_BODY = _body(
    {
        "type": "object",
        "required": ["query"],
        "properties": {
            "query": {"type": "string", "minLength": 1},
            "top_k": {"type": "integer", "minimum": 1, "maximum": 100, "default": 5},
            "experts": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            "model": {"enum": ["auto", None], "description": "auto: the router chooses among these retrievers"},
        },
    }
)
FEEDBACK_BODY = _body(
    {
        "type": "object",
        "required": ["decision"],
        "properties": {
            "decision": {"type": "string", "description": "its id: header x-orchestrator-decision-id of the answer"},
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
        "anyOf": [{"required": ["score"]}, {"required": ["rating"]}, {"required": ["category"]}],
    }
)
_CHAT = {
    "post": {
        "summary": "Chat completions",
        "description": (
            "OpenAI's chat completions. `auto` routes, `fuse` forces drafts and a verdict, an expert's id bypasses "
            f"routing. The answer's `model` is the expert that gave it; `{PREFIX}*` headers hold the decision. Fields "
            "that this document does not name are passed to the expert untouched."
        ),
        **_body(
            {
                "type": "object",
                "required": ["messages"],
                "properties": {
                    "model": _MODEL,
                    "messages": _MESSAGES,
                    "cost_quality": _COST_QUALITY,
                    "stream": {"type": ["boolean", "null"], "default": False},
                    "stream_options": {"type": ["object", "null"]},
                    "progress": {
                        "type": ["boolean", "null"],
                        "default": False,
                        "description": "with `stream`: tell how far experts are, in comments `: progress {...}`",
                    },
                },
                "additionalProperties": True,
            }
        ),
        "responses": {
            "200": {
                "description": "A chat.completion, or with `stream` chat.completion.chunk events and [DONE]",
                "content": {"application/json": {"schema": {"type": "object"}}, "text/event-stream": {}},
            },
            "default": _ERROR_ANSWER,
        },
    }
}
_TEXTS = {"type": "string", "minLength": 1}
_EMBEDDINGS = {
    "post": {
        "summary": "Embeddings",
        "description": (
            "OpenAI's embeddings: passed on to an expert whose servers run `pooling`, or answered by a text embedder "
            "that the configuration names (`minilm`), which takes texts alone, at most 2048, always gives vectors of "
            "its own length, and counts no tokens. GET /v1/models lists both."
        ),
        **_body(
            {
                "type": "object",
                "required": ["model", "input"],
                "properties": {
                    "model": {"type": "string", "description": "an expert that embeds, or a text embedder"},
                    "input": {"anyOf": [_TEXTS, {"type": "array", "minItems": 1}]},
                    "encoding_format": {"enum": ["float", "base64"], "default": "float"},
                    "dimensions": {"type": ["integer", "null"], "description": "for experts alone"},
                },
                "additionalProperties": True,
            }
        ),
        "responses": {
            "200": {
                "description": "A list of embedding objects, one for each text",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            "default": _ERROR_ANSWER,
        },
    }
}
_RESPONSES = {
    "post": {
        "summary": "Responses",
        "description": (
            "OpenAI's Responses API over the same experts, models and headers as chat completions. Nothing is stored: "
            "`previous_response_id` is refused. Tools are functions."
        ),
        **_body(
            {
                "type": "object",
                "required": ["input"],
                "properties": {
                    "model": _MODEL,
                    "input": {"anyOf": [_TEXTS, {"type": "array", "minItems": 1, "items": {"type": "object"}}]},
                    "instructions": {"type": ["string", "null"]},
                    "max_output_tokens": {"type": ["integer", "null"]},
                    "stream": {"type": ["boolean", "null"], "default": False},
                    "cost_quality": _COST_QUALITY,
                },
                "additionalProperties": True,
            }
        ),
        "responses": {
            "200": {
                "description": "A response, or with `stream` its events, each with `type` and `sequence_number`",
                "content": {"application/json": {"schema": {"type": "object"}}, "text/event-stream": {}},
            },
            "default": _ERROR_ANSWER,
        },
    }
}
_OTHER_ERROR = {
    "description": "Anthropic's error object",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["type", "error"],
                "properties": {
                    "type": {"const": "error"},
                    "error": {
                        "type": "object",
                        "required": ["type", "message"],
                        "properties": {"type": {"type": "string"}, "message": {"type": "string"}},
                    },
                },
            }
        }
    },
}
_ANTHROPIC = {
    "post": {
        "summary": "Messages",
        "description": (
            "Anthropic's messages API over the same experts, models and headers as chat completions. The key may come "
            "in `x-api-key`. Tools are your own; thinking of earlier turns is not passed on."
        ),
        **_body(
            {
                "type": "object",
                "required": ["max_tokens", "messages"],
                "properties": {
                    "model": _MODEL,
                    "max_tokens": {"type": "integer", "minimum": 1},
                    "messages": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "required": ["role", "content"],
                            "properties": {
                                "role": {"enum": ["user", "assistant"]},
                                "content": {"type": ["string", "array"]},
                            },
                        },
                    },
                    "system": {"type": ["string", "array", "null"]},
                    "stream": {"type": ["boolean", "null"], "default": False},
                    "cost_quality": _COST_QUALITY,
                },
                "additionalProperties": True,
            }
        ),
        "responses": {
            "200": {
                "description": "A message, or with `stream` its events",
                "content": {"application/json": {"schema": {"type": "object"}}, "text/event-stream": {}},
            },
            "default": _OTHER_ERROR,
        },
    }
}
_PLAIN = {
    "/v1/chat/completions": _CHAT,
    "/v1/responses": _RESPONSES,
    "/v1/messages": _ANTHROPIC,
    "/v1/embeddings": _EMBEDDINGS,
}


def document_plain_routes(app: FastAPI) -> None:
    """Add those that are plain Starlette routes to the document that FastAPI makes."""
    made = app.openapi

    def with_plain_routes() -> dict[str, Any]:
        document = made()
        document["paths"] = _PLAIN | document["paths"]
        return document

    app.openapi = with_plain_routes  # type: ignore[method-assign]
