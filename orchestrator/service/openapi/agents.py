"""/mcp in the document: the protocol has a description of its own, here is what carries it."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.service.openapi import parts
from orchestrator.service.openapi.parts import Json, ref

__all__ = ["AGENTS", "SCHEMAS", "SHAPE"]

SCHEMAS: Mapping[str, Json] = {
    "JsonRpcAnswer": {
        "type": "object",
        "description": "JSON-RPC's result or error.",
        "required": ["jsonrpc", "id"],
        "properties": {
            "jsonrpc": {"const": "2.0"},
            "id": {"type": ["string", "integer", "null"]},
            "result": {"type": "object"},
            "error": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
            },
        },
        "oneOf": [{"required": ["result"]}, {"required": ["error"]}],
    },
}
SHAPE: Json = {"anyOf": [ref("JsonRpcAnswer"), ref("Error")]}
_HANDSHAKE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "example", "version": "1"},
    },
}
AGENTS: Json = {
    "post": {
        "operationId": "agents",
        "tags": ["agents"],
        "summary": "MCP",
        "description": (
            "The Model Context Protocol over streamable HTTP, of both eras, without sessions: the tools `ask`, "
            "`route`, `ask_expert`, `search`, `list_experts`, `feedback`, and resources. Clients take "
            "`application/json` and `text/event-stream` both. Only pages of loopback and of `serve.origins` may call. "
            "Other methods are refused with 405."
        ),
        "parameters": [
            {
                "name": "accept",
                "in": "header",
                "required": True,
                "schema": {"const": "application/json, text/event-stream"},
            }
        ],
        **parts.body(
            {
                "type": "object",
                "required": ["jsonrpc", "method"],
                "properties": {
                    "jsonrpc": {"const": "2.0"},
                    "id": {"type": ["string", "integer"]},
                    "method": {"type": "string", "minLength": 1},
                    "params": {"type": "object"},
                },
            },
            handshake=_HANDSHAKE,
        ),
        "responses": {
            "200": parts.answer(
                "The answer, as JSON or as a stream with progress before it",
                parts.content(ref("JsonRpcAnswer")),
                parts.events(
                    {"anyOf": [ref("JsonRpcAnswer"), {"type": "object", "required": ["method"]}]},
                    'event: message\ndata: {"jsonrpc":"2.0","id":1,"result":{}}\n\n',
                    names=("message",),
                ),
            ),
            "202": {"description": "A notification was taken"},
            "204": {"description": "The call was cancelled by another request"},
            **parts.errors(400, 403, 404, 406, 413, 415, 421, shape=SHAPE),
        },
    }
}
