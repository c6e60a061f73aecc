"""What a tool returned, as text and as data. Knows no server and no expert."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from mcp_types import (
    AudioContent,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
)

__all__ = ["structured", "text"]


def text(result: CallToolResult) -> str:
    """The text blocks joined; other blocks are named. Where there are none, the data as compact JSON."""
    whole = "\n".join(_block(block) for block in result.content)
    if not whole and result.structured_content is not None:
        return orjson.dumps(result.structured_content).decode()
    return whole


def structured(result: CallToolResult) -> Mapping[str, Any] | None:
    """The data as an object; a value that is none stands under `result`, as MCP servers themselves wrap it."""
    data = result.structured_content
    return data if data is None or isinstance(data, Mapping) else {"result": data}


def _block(block: ContentBlock) -> str:
    match block:
        case TextContent():
            return block.text
        case ImageContent() | AudioContent():
            return f"[{block.type}: {block.mime_type}]"
        case EmbeddedResource(resource=TextResourceContents() as resource):
            return resource.text
        case EmbeddedResource(resource=resource):
            return f"[resource: {resource.uri}]"
        case _:
            return f"[{block.title or block.name}]({block.uri})"
