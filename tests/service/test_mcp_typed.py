"""Typed results: what every tool returns as data is what its output schema says, and the text says the same."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from jsonschema import Draft202012Validator
from mcp import Client

from orchestrator.errors import ExpertFailed
from orchestrator.service.mcp import create_server
from orchestrator.service.mcp_server import Surface
from orchestrator.testing import Reply, ScriptedExpert
from orchestrator.types import Attachment, ChatRequest, Draft, Emit, Passage
from tests.flowing import config_of, flowing
from tests.service.test_routes import Shelf

pytestmark = pytest.mark.anyio

CATEGORIES: dict[str, Any] = {"math": ["solver", "shelf"], "books": ["shelf"], "general": ["solver"]}
PASSAGE = Passage(
    expert="solver", document="d", title="t", text="x", score=0.5, rank=1, start=0, end=1, page=3, cited=True
)
GIVEN = Attachment(kind="image", mime_type="image/png", data="aGk=")


class Showing(ScriptedExpert):
    """Answers with everything that an answer can have."""

    async def draft(self, request: ChatRequest, emit: Emit) -> Draft:
        found = await super().draft(request, emit)
        return Draft(**{**{name: getattr(found, name) for name in found.__slots__}, "attachments": (GIVEN,)})


@asynccontextmanager
async def agent(folder: Path) -> AsyncIterator[Client]:
    """An agent of a service with an expert that shows everything, a retriever, and feedback."""
    solver = Showing("solver", Reply(pieces=("42",), passages=(PASSAGE,), structured={"answer": 42}))
    experts = solver, Shelf("shelf", "42"), broken
    usage = {"file": str(folder / "usage.jsonl"), "content": True}

    @asynccontextmanager
    async def surface() -> AsyncIterator[Surface]:
        async with flowing(*experts, categories=CATEGORIES, usage=usage) as engine:
            yield Surface(engine=engine, note=engine.keep)

    config = config_of([expert.id for expert in experts], categories=CATEGORIES)
    with anyio.fail_after(30):
        async with Client(create_server(config, surface)) as client:
            yield client


broken = ScriptedExpert("broken", ExpertFailed("broken", "it broke"))
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("ask", {"query": "math"}),
    ("ask", {"query": "math", "model": "fuse"}),
    ("route", {"query": "math"}),
    ("route", {"query": "something else", "model": "fuse"}),
    ("route", {"query": "math", "model": "shelf"}),
    ("ask_expert", {"query": "math", "expert": "solver"}),
    ("search", {"query": "moon"}),
    ("search", {"query": "moon", "top_k": 1, "experts": ["shelf"]}),
    ("list_experts", {}),
    ("feedback", {"score": 0.5, "comment": "so so"}),
    ("feedback", {"category": "books"}),
]


@pytest.mark.parametrize(("tool", "arguments"), CALLS)
async def test_results_are_what_their_schema_says(tmp_path: Path, tool: str, arguments: dict[str, Any]) -> None:
    """Specified: valid, and without a field that the schema does not know, at the top."""
    async with agent(tmp_path) as client:
        schemas = {one.name: one.output_schema for one in (await client.list_tools()).tools}
        if tool == "feedback":
            asked = await client.call_tool("ask", {"query": "math"})
            arguments = {"decision": (asked.structured_content or {})["decision"], **arguments}
        result = await client.call_tool(tool, arguments)
    schema, data = schemas[tool], result.structured_content
    assert not result.is_error, result.content
    assert schema is not None
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(data)
    assert set(data or {}) <= set(schema["properties"])
    assert json.loads(result.content[0].text) == data  # type: ignore[union-attr]


async def test_an_answer_has_all_that_an_expert_gave(tmp_path: Path) -> None:
    """Specified: passages, data and attachments, each typed; what says nothing is left out."""
    async with agent(tmp_path) as client:
        answer: Any = (await client.call_tool("ask_expert", {"query": "math", "expert": "solver"})).structured_content
    assert answer["structured"] == {"answer": 42}
    assert answer["attachments"] == [{"kind": "image", "mime_type": "image/png", "data": "aGk="}]
    (cited,) = answer["citations"]
    assert (cited["page"], cited["cited"], cited["index"]) == (3, True, 1)


async def test_an_error_has_no_data(tmp_path: Path) -> None:
    """Specified: so that nobody takes it for a result."""
    async with agent(tmp_path) as client:
        result = await client.call_tool("ask_expert", {"query": "math", "expert": "broken"})
    assert (result.is_error, result.structured_content) == (True, None)


def test_every_tool_is_called_here() -> None:
    """Ours: a new tool needs a call above."""
    config = config_of(["solver"], categories={"general": ["solver"]})
    listed = anyio.run(create_server(config).list_tools)
    assert {tool.name for tool in listed} == {tool for tool, _ in CALLS}
