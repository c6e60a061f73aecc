"""What a server says of its tools. Its words are data: cleaned and cut, for others to quote and never to follow."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import anyio.lowlevel
import structlog
from mcp import Client
from mcp_types import Tool, ToolAnnotations

__all__ = ["ListedTool", "cleaned", "cleaned_schema", "listed", "refusal"]

log = structlog.get_logger()

_MOST_PAGES = 100
_MOST_TOOLS = 2000
_NAME_CHARS = 256
_TITLE_CHARS = 200
_DESCRIPTION_CHARS = 4000
_SCHEMA_TEXT_CHARS = 600  # of one description within a schema
_SCHEMA_DEPTH = 16
_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs"})  # and the supplementary variation selectors, in which text can be hidden
_BLANKS = {10: " ", 9: " "}
_WORDS = frozenset({"description", "title", "$comment"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTool:
    """One tool of a server. title and description: cleaned; input_schema: as it came, for checking arguments."""

    name: str
    title: str = ""
    description: str = ""
    input_schema: dict[str, Any] = field(default_factory=dict)
    annotations: ToolAnnotations | None = None

    @property
    def destructive(self) -> bool:
        """Whether the server says that the tool may destroy.

        By the protocol a tool that says nothing at all may, too. Such a tool counts as harmless here: most servers say
        nothing, and a person has named the tool in the configuration. But one that is said to change things, and not
        how, is taken as the protocol's defaults have it.
        """
        said = self.annotations
        if said is None or said.read_only_hint:
            return False
        return said.read_only_hint is False if said.destructive_hint is None else said.destructive_hint

    @property
    def only_reads(self) -> bool | None:
        """Whether the server says that the tool changes nothing; None where it says neither."""
        return self.annotations.read_only_hint if self.annotations else None

    @property
    def repeatable(self) -> bool:
        """Whether the server says that a call may be made again: it only reads, or has no further effect."""
        said = self.annotations
        return said is not None and bool(said.read_only_hint or said.idempotent_hint)


def refusal(tool: ListedTool, *, allow: bool) -> str:
    """Why a tool is not to be called; empty where it may be. allow: what the configuration says."""
    if allow or not tool.destructive:
        return ""
    return f"tool {tool.name!r} may destroy something, as its server says: it is called only with 'allow: true'"


def cleaned(text: str, *, most: int = _DESCRIPTION_CHARS) -> str:
    """A server's words without characters that are not seen (controls, marks of direction, tags), and not too many."""
    kept = text[: 2 * most]
    if not kept.isascii() or not kept.translate(_BLANKS).isprintable():
        kept = "".join(character for character in kept if character in "\n\t" or _is_seen(character))
    kept = kept.strip()
    return kept if len(kept) <= most else kept[: most - 1] + "…"


def cleaned_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema to be shown to a model: the words in it cleaned, the rest as it was."""
    shown = _shown(schema, 0)
    return shown if isinstance(shown, dict) else {}


async def listed(client: Client) -> Mapping[str, ListedTool]:
    """The server's tools by name, not more than one could want.

    Raises:
        MCPError: it does not list them.
        ValueError: what it sent is no list of tools.

    """
    tools: dict[str, ListedTool] = {}
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        page = await client.list_tools(cursor=cursor)
        for tool in page.tools:
            await anyio.lowlevel.checkpoint()  # cleaning a thousand long ones would hold up others
            if len(tool.name) <= _NAME_CHARS and tool.name.isprintable():
                tools[tool.name] = _listed(tool)
        cursor = page.next_cursor
        if cursor is None or len(tools) > _MOST_TOOLS:
            break
    if cursor is not None:
        log.warning("mcp.too_many_tools", read=len(tools))
    return MappingProxyType(tools)


def _listed(tool: Tool) -> ListedTool:
    annotations = tool.annotations
    title = tool.title or (annotations.title if annotations else None) or ""
    return ListedTool(
        name=tool.name,
        title=cleaned(title, most=_TITLE_CHARS),
        description=cleaned(tool.description or ""),
        input_schema=tool.input_schema,
        annotations=annotations,
    )


def _is_seen(character: str) -> bool:
    if character.isascii():
        return character.isprintable()
    return unicodedata.category(character) not in _UNSEEN and not "\U000e0100" <= character <= "\U000e01ef"


def _shown(value: Any, depth: int) -> Any:
    if depth > _SCHEMA_DEPTH:
        return {}
    if isinstance(value, Mapping):
        return {
            key: cleaned(item, most=_SCHEMA_TEXT_CHARS)
            if key in _WORDS and isinstance(item, str)
            else _shown(item, depth + 1)
            for key, item in value.items()
        }
    return [_shown(item, depth + 1) for item in value] if isinstance(value, list) else value
