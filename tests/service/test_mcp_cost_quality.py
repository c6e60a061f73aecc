"""`cost_quality` of the MCP tools `ask` and `route`, by a real client in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp import Client

from orchestrator.service.mcp import create_server
from orchestrator.service.mcp_server import Surface
from orchestrator.testing import ScriptedExpert
from tests.flowing import config_of, flowing
from tests.learning import learned_mapping

pytestmark = pytest.mark.anyio

CATEGORIES = {"sums": ["cheap"], "verses": ["cheap"], "general": ["cheap"]}
SAID = "'cost_quality' must be a number from 0 (cheapest) to 1 (best)."


@asynccontextmanager
async def agent() -> AsyncIterator[tuple[Client, tuple[ScriptedExpert, ...]]]:
    """An agent's connection to a server over scripted experts with a learned mapping."""
    experts = ScriptedExpert("cheap", "about 40"), ScriptedExpert("dear", "42")

    @asynccontextmanager
    async def surface() -> AsyncIterator[Surface]:
        async with flowing(*experts, categories=CATEGORIES, learned=learned_mapping()) as engine:
            yield Surface(engine=engine, note=engine.keep)

    server = create_server(config_of(["cheap", "dear"], categories=CATEGORIES), surface)
    with anyio.fail_after(30):
        async with Client(server) as client:
            yield client, experts


async def test_an_agent_chooses_its_place_on_the_frontier() -> None:
    """Specified: 0 is the cheapest, 1 and nothing the best; both tools."""
    async with agent() as (client, _):
        answers = [
            await client.call_tool("ask", {"query": "sums", **fields})
            for fields in ({"cost_quality": 0}, {"cost_quality": 1}, {"cost_quality": None}, {})
        ]
        route = await client.call_tool("route", {"query": "sums", "cost_quality": 0.2})
    assert [content(answer)["expert"] for answer in answers] == ["cheap", "dear", "dear", "dear"]
    choose = content(route)["choose"]
    assert (choose["experts"][0], choose["cost_quality"]) == ("cheap", 0.2)


@pytest.mark.parametrize("value", [-0.1, 1.1, "0.5", True, [], {}])
@pytest.mark.parametrize("tool", ["ask", "route"])
async def test_anything_but_a_share_is_an_error_that_the_agent_can_read(tool: str, value: object) -> None:
    """Specified: in the words of the REST service, before anybody is asked."""
    async with agent() as (client, experts):
        result = await client.call_tool(tool, {"query": "sums", "cost_quality": value})
    assert result.is_error
    assert SAID in str(result.content)
    assert [expert.requests for expert in experts] == [[], []]


async def test_the_tools_describe_it() -> None:
    """Specified: what it is and its range, where an agent reads it."""
    async with agent() as (client, _):
        tools = {tool.name: tool.input_schema for tool in (await client.list_tools()).tools}
    for name in ("ask", "route"):
        field = tools[name]["properties"]["cost_quality"]
        assert "cheapest" in field["description"]
        assert {"type": "number", "minimum": 0, "maximum": 1} in field["anyOf"]
        assert "cost_quality" not in tools[name].get("required", [])


def content(result: Any) -> dict[str, Any]:
    assert not result.is_error, result.content
    found: dict[str, Any] = result.structured_content
    return found
