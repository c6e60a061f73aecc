"""Good bodies for every path that takes one, with as many fields as each may have: what damage is done to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["BODIES", "called"]

AGENT = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "fuzz", "version": "0"},
}
_USER = {"role": "user", "content": "What is 17% of 4310?"}
_TOOL = {
    "name": "f",
    "description": "a tool",
    "parameters": {"type": "object", "properties": {"a": {"type": "string"}}},
}
_IMAGE = "data:image/png;base64,iVBORw0KGgo="


def called(tool: str, **arguments: Any) -> dict[str, Any]:
    """A call of an agent, in the era without sessions."""
    params = {"name": tool, "arguments": arguments, "_meta": AGENT}
    return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}


BODIES: Mapping[str, Sequence[dict[str, Any]]] = {
    "/v1/chat/completions": (
        {"model": "auto", "messages": [_USER], "stream": False, "cost_quality": 0.5, "max_tokens": 9},
        {"model": "crew", "messages": [{"role": "system", "content": "x"}, _USER], "stream": True, "progress": True},
        {
            "model": "fuse",
            "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
            "tools": [{"type": "function", "function": _TOOL}],
            "tool_choice": "auto",
            "user": "u",
        },
        {
            "messages": [
                _USER,
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
                },
                {"role": "tool", "tool_call_id": "c", "content": "5"},
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": _IMAGE}}]},
            ],
            "stream": True,
            "stream_options": {"include_usage": True},
            "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
        },
    ),
    "/v1/responses": (
        {"model": "auto", "input": "hi", "instructions": "short", "stream": True, "max_output_tokens": 5},
        {
            "input": [
                {
                    "role": "user",
                    "content": [{"type": "input_text", "text": "hi"}, {"type": "input_image", "image_url": _IMAGE}],
                },
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": [{"type": "output_text", "text": "5"}]},
                {"type": "reasoning", "summary": []},
            ],
            "tools": [{"type": "function", **_TOOL}],
            "tool_choice": {"type": "function", "name": "f"},
            "text": {"format": {"type": "json_schema", "name": "a", "schema": {}}},
            "reasoning": {"effort": "low"},
            "metadata": {"a": "b"},
            "top_logprobs": 2,
            "temperature": 1,
        },
    ),
    "/v1/messages": (
        {
            "model": "auto",
            "max_tokens": 5,
            "system": [{"type": "text", "text": "x"}],
            "messages": [_USER],
            "stream": True,
        },
        {
            "max_tokens": 5,
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "hi"},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
                    ],
                },
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "x"},
                        {"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "c", "content": [{"type": "text", "text": "5"}]}
                    ],
                },
            ],
            "tools": [{"name": "f", "description": "x", "input_schema": {"type": "object"}}],
            "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
            "stop_sequences": ["END"],
            "metadata": {"user_id": "u"},
        },
    ),
    "/v1/embeddings": (
        {"model": "vectors", "input": ["a", "b"], "encoding_format": "float", "dimensions": 3},
        {"model": "minilm", "input": "a text", "encoding_format": "base64"},
    ),
    "/v1/search": ({"query": "Venus", "top_k": 2, "experts": ["shelf"]}, {"query": "bread", "model": "auto"}),
    "/v1/route": ({"query": "17% of 4310", "explain": True, "cost_quality": 1}, {"messages": [_USER], "model": "fuse"}),
    "/v1/feedback": (
        {"decision": "dec-1", "score": 1, "category": "math", "expert": "crew", "comment": "good", "rating": "up"},
    ),
    "/mcp": (
        called("ask", query="What is 17% of 4310?", model="auto", cost_quality=0.5),
        called("search", query="Venus", top_k=2, experts=["shelf"], model="auto"),
        called("route", query="a story"),
        called("ask_expert", query="a story", expert="crew"),
        called("feedback", decision="dec-1", score=1, rating="up", category="math", expert="crew", comment="x"),
        called("list_experts"),
        {
            "jsonrpc": "2.0",
            "id": "1",
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "f", "version": "1"},
            },
        },
        {
            "jsonrpc": "2.0",
            "id": 2,
            "method": "resources/read",
            "params": {"uri": "orchestrator://experts/crew", "_meta": AGENT},
        },
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}},
    ),
}
