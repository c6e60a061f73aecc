"""What a tool returned: as text, as data, and as what is neither. Knows no server and no expert."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson
from mcp_types import (
    AudioContent,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)

from orchestrator.types import Attachment

__all__ = ["attachments", "size", "structured", "text"]


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


def attachments(result: CallToolResult) -> tuple[Attachment, ...]:
    """The blocks that are no text, in their order."""
    return tuple(attached for block in result.content if (attached := _attachment(block)) is not None)


def size(result: CallToolResult) -> int:
    """Bytes of text, data and attachments, as they stand in an answer (base64 where they do)."""
    attached = sum(len(value.encode()) for one in attachments(result) for value in asdict(one).values())
    return len(text(result).encode()) + len(orjson.dumps(structured(result))) + attached


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


def _attachment(block: ContentBlock) -> Attachment | None:
    match block:
        case ImageContent() | AudioContent():
            return Attachment(kind=block.type, mime_type=block.mime_type, data=block.data)
        case ResourceLink():
            return Attachment(
                kind="resource_link",
                mime_type=block.mime_type or "",
                uri=str(block.uri),
                name=block.title or block.name,
                description=block.description or "",
            )
        case EmbeddedResource(resource=resource):
            held = {"text": resource.text} if isinstance(resource, TextResourceContents) else {"data": resource.blob}
            return Attachment(kind="resource", mime_type=resource.mime_type or "", uri=str(resource.uri), **held)
        case _:
            return None
