"""What servers say of their tools, and what may be called."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import Tool, ToolAnnotations

from orchestrator.experts.mcp.arguments import Signature
from orchestrator.experts.mcp.listing import ListedTool, cleaned, cleaned_schema, listed, refusal
from orchestrator.experts.mcp.pace import Pace


@pytest.mark.parametrize(
    ("said", "destructive", "repeatable"),
    [
        (None, False, False),
        ({}, False, False),
        ({"title": "x", "open_world_hint": True}, False, False),
        ({"read_only_hint": True}, False, True),
        ({"read_only_hint": True, "destructive_hint": True}, False, True),
        ({"read_only_hint": False}, True, False),
        ({"read_only_hint": False, "destructive_hint": False}, False, False),
        ({"read_only_hint": False, "idempotent_hint": True}, True, True),
        ({"destructive_hint": True}, True, False),
        ({"destructive_hint": False, "idempotent_hint": True}, False, True),
    ],
)
def test_what_a_tool_may_destroy_is_what_its_server_says(
    said: dict[str, Any] | None,
    destructive: bool,  # noqa: FBT001 - pytest's
    repeatable: bool,  # noqa: FBT001 - pytest's
) -> None:
    """Ours: silence counts as harmless, half a word as the protocol's defaults have it."""
    tool = ListedTool(name="t", annotations=None if said is None else ToolAnnotations(**said))
    assert (tool.destructive, tool.repeatable) == (destructive, repeatable)
    assert bool(refusal(tool, allow=False)) == destructive
    assert refusal(tool, allow=True) == ""


def test_words_of_a_server_hold_nothing_unseen() -> None:
    """Specified: no controls, marks of direction, tags and variation selectors; not too long."""
    hidden = "a\x00\x1b[31m\u202eb\u200b\U000e0041\U000e0100\ufeff c\n\td é 漢 🙂"
    assert cleaned(hidden) == "a[31mb c\n\td é 漢 🙂"
    assert cleaned("x" * 50, most=10) == "x" * 9 + "…"


@given(st.text())
def test_cleaning_twice_changes_nothing(text: str) -> None:
    """Ours: what was cleaned is clean."""
    assert cleaned(cleaned(text)) == cleaned(text)


def test_a_schema_is_shown_cleaned_and_checked_as_it_is() -> None:
    """Specified: the words in it are data; a property called description is none of them."""
    inner = {"type": "string", "description": "city\u202e" + "y" * 9000, "enum": ["a\u200b"]}
    schema = {"type": "object", "title": "T\x07", "properties": {"description": inner}, "required": ["description"]}
    shown = cleaned_schema(schema)
    assert shown["title"] == "T"
    assert shown["properties"]["description"]["description"].startswith("cityy")
    assert len(shown["properties"]["description"]["description"]) == 600
    assert shown["properties"]["description"]["enum"] == ["a\u200b"]
    signature = Signature("t", "", schema)
    assert signature.problem({"description": "a\u200b"}) == ""
    assert signature.problem({"description": "a"}) != ""


@pytest.mark.anyio
async def test_a_server_cannot_list_tools_for_ever() -> None:
    """Ours: pages end after a hundred, and a name that cannot be printed is left out."""
    asked: list[str | None] = []

    async def list_tools(*, cursor: str | None) -> Any:
        asked.append(cursor)
        names = [f"tool{len(asked)}", "a\nb"]
        return SimpleNamespace(tools=[Tool(name=name, input_schema={}) for name in names], next_cursor="again")

    client: Any = SimpleNamespace(list_tools=list_tools)
    tools = await listed(client)
    assert len(asked) == len(tools) == 100
    assert "a\nb" not in tools


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_pause_doubles_up_to_a_limit_and_is_never_the_same_for_all(failures: int, luck: float) -> None:
    """Specified: back-off with jitter and a cap."""
    pace = Pace(retry_s=0.5, most_s=30, jitter=lambda: luck)
    longest = min(30.0, 0.5 * 2.0 ** min(failures - 1, 32))
    assert longest / 2 <= pace.pause_s(failures) <= longest
