"""What a whole server says of how it chose its tool is in the decision."""

from dataclasses import replace

import anyio
import pytest

from orchestrator.cli.explain import decision_tree
from orchestrator.testing import ScriptedExpert
from orchestrator.types import ChatRequest, Draft, Emit, ToolChoice
from tests.flowing import Collected, flowing

pytestmark = pytest.mark.anyio

CHOICE = ToolChoice(tool="convert", shortlist={"convert": 0.71, "calculate": 0.4}, missing=("unit",))


class Chooses(ScriptedExpert):
    """An expert that says which tool it chose."""

    async def draft(self, request: ChatRequest, emit: Emit) -> Draft:
        return replace(await super().draft(request, emit), tool_choice=CHOICE)


async def test_the_attempt_has_the_tool_the_shortlist_and_what_was_missing() -> None:
    """In its JSON and in what people are shown."""
    with anyio.fail_after(10):
        async with flowing(Chooses("box", "Which unit?"), categories={"general": ["box"]}) as engine:
            body = {"messages": [{"role": "user", "content": "general 5 miles"}]}
            request, trace = engine.pipeline.request(body, model="auto")
            await engine.pipeline.answer(request, Collected(), trace)
    (attempt,) = trace.decision().model_dump(mode="json")["attempts"]
    assert attempt["tool"] == {
        "tool": "convert",
        "shortlist": {"convert": 0.71, "calculate": 0.4},
        "missing": ["unit"],
    }
    branches = decision_tree(trace.decision()).children
    told = [str(leaf.label) for branch in branches for attempt in branch.children for leaf in attempt.children]
    assert "tool convert; asked for unit; shortlist: convert 0.71, calculate 0.40" in told
