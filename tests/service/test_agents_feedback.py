"""What agents say of answers: checked as over REST, a comment only as text, and kept only where content is."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.testing import ScriptedExpert
from tests.service.agents import agent, called, serving_agents

pytestmark = pytest.mark.anyio

ALONE = {"math": ["solver"], "general": ["solver"]}


def kept(file: Path) -> list[str | None]:
    """The comments in a usage file."""
    rows = [json.loads(line) for line in file.read_bytes().splitlines()]
    return [row.get("comment") for row in rows if "score" in row]


@pytest.mark.parametrize("comment", ["no", '{"a": 1}', "[1]", "17", "null", "true", "\u0000 \u2028 end"])
async def test_a_comment_is_kept_as_the_text_that_it_is(tmp_path: Path, comment: str) -> None:
    """Specified: also where it looks like data; only with `usage.content`."""
    file = tmp_path / "usage.jsonl"
    usage = {"file": str(file), "content": True}
    async with (
        serving_agents(ScriptedExpert("solver", "42"), categories=ALONE, usage=usage) as (url, _),
        agent(url, "legacy") as client,
    ):
        decision = (await called(client, "ask", query="math"))["decision"]
        told = await called(client, "feedback", decision=decision, rating="down", comment=comment)
    assert told["comment_kept"] is True
    assert kept(file) == [comment]


async def test_a_comment_is_not_kept_without_content(tmp_path: Path) -> None:
    """Specified: and the agent is told."""
    file = tmp_path / "usage.jsonl"
    async with (
        serving_agents(ScriptedExpert("solver", "42"), categories=ALONE, usage={"file": str(file)}) as (url, _),
        agent(url, "legacy") as client,
    ):
        decision = (await called(client, "ask", query="math"))["decision"]
        told = await called(client, "feedback", decision=decision, rating="up", comment="private-word")
    assert told["comment_kept"] is False
    assert "private-word" not in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "wrong",
    [
        {"comment": 5},
        {"comment": None},
        {"comment": ["a"]},
        {"comment": {"text": "a"}},
        {"comment": "x" * 4001},
        {"score": "0.5"},
        {"score": True},
        {"score": 1.5},
        {"score": {}},
        {"rating": "good"},
        {"score": 1, "rating": "up"},
        {"category": "nowhere"},
        {"expert": "nobody"},
    ],
)
async def test_what_is_no_feedback_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    """Specified: an error result that names the argument, and nothing is written down."""
    file = tmp_path / "usage.jsonl"
    async with (
        serving_agents(ScriptedExpert("solver", "42"), categories=ALONE, usage={"file": str(file)}) as (url, _),
        agent(url, "legacy") as client,
    ):
        decision = (await called(client, "ask", query="math"))["decision"]
        given = {"decision": decision, **({} if {"score", "rating"} & wrong.keys() else {"rating": "up"}), **wrong}
        result = await client.call_tool("feedback", given)
    assert result.is_error
    assert f"'{list(wrong)[-1]}'" in str(result.content)
    assert kept(file) == []
