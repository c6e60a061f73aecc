"""Agents that ask several experts at once over HTTP: they hear how far the answer is, and can give it up."""

from itertools import pairwise

import anyio
import pytest

from orchestrator.testing import Reply, ScriptedExpert
from tests.service.agents import MODES, agent, called, serving_agents

pytestmark = pytest.mark.anyio

CATEGORIES = {"math": ["solver", "writer", "third"], "general": ["solver"]}
Told = tuple[float, float | None, str | None]


@pytest.mark.parametrize("mode", MODES)
async def test_progress_arrives_while_drafts_are_written(mode: str) -> None:
    """Specified: before the answer is there; each number is larger than the one before, and the last is the total."""
    release = anyio.Event()
    experts = ScriptedExpert("solver", "42"), ScriptedExpert("third", "42")
    held = ScriptedExpert("writer", Reply(pieces=("42",), before=release))
    told: list[Told] = []

    async def hear(done: float, total: float | None, message: str | None) -> None:
        told.append((done, total, message))
        if message == "fusion: drafting 2 of 3":
            release.set()

    async with serving_agents(held, *experts, categories=CATEGORIES) as (url, _), agent(url, mode) as client:
        result = await client.call_tool("ask", {"query": "math", "model": "fuse"}, progress_callback=hear)
    assert (result.structured_content or {})["plan"] == "fuse"
    stages = [message for _, _, message in told if message != "fusion: drafting 3 of 3"]  # the drafting may end before
    assert stages == [
        *(f"fusion: drafting {drafts} of 3" for drafts in range(3)),
        "fusion: consensus",
        "fusion: verdict",
    ]
    assert all(before[0] < after[0] for before, after in pairwise(told))
    assert told[-1][0] == told[-1][1]


@pytest.mark.parametrize("mode", MODES)
async def test_a_call_that_is_given_up_ends_the_work_of_every_expert(mode: str) -> None:
    """Specified: of all that draft; the connection goes on."""
    experts = [ScriptedExpert(name, Reply(pieces=("42",), before=anyio.Event()), "43") for name in CATEGORIES["math"]]
    async with serving_agents(*experts, categories=CATEGORIES) as (url, _), agent(url, mode) as client:
        async with anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "ask", {"query": "math", "model": "fuse"})
            for expert in experts:
                await expert.asked.wait()
            group.cancel_scope.cancel()
        while any(expert.running for expert in experts):  # noqa: ASYNC110 - within the client's deadline
            await anyio.sleep(0.005)
        again = await called(client, "ask", query="math", model="solver")
    assert [expert.cancelled for expert in experts] == [1, 1, 1]
    assert again["answer"] == "43"
