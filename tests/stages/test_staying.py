"""Conversations stay with their expert, and move with their subject."""

from typing import Any

import anyio
import pytest

from orchestrator.decision import Decision
from orchestrator.engine import Engine
from orchestrator.errors import ExpertUnavailable
from orchestrator.experts import Capabilities, Condition
from orchestrator.stages.draft import nowhere
from orchestrator.testing import ScriptedExpert
from tests.flowing import flowing

pytestmark = pytest.mark.anyio

CATEGORIES = {"math": ["solver", "writer"], "verse": ["writer", "solver"], "general": ["writer"]}
TOOLS = Capabilities(chat=True, tools=True)
CALL = {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f"}}]}
RESULT = {"role": "tool", "tool_call_id": "1", "content": "verse verse verse"}


class Failing(ScriptedExpert):
    """One that lives, and is down."""

    condition = Condition(state="down", reason="gone")

    async def serve(self, *, task_status: Any = anyio.TASK_STATUS_IGNORED) -> None:
        task_status.started()


def pool(**replies: Any) -> list[ScriptedExpert]:
    return [ScriptedExpert(name, *replies.get(name, ["x"] * 9), capabilities=TOOLS) for name in ("solver", "writer")]


async def decided(engine: Engine, *said: Any, session: str | None = "s", **fields: Any) -> Decision:
    messages = [{"role": "user", "content": one} if isinstance(one, str) else one for one in said]
    request, trace = engine.pipeline.request({"messages": messages, **fields}, model="auto", session=session)
    with anyio.fail_after(10):
        await engine.pipeline.answer(request, nowhere, trace)
    return trace.decision()


async def test_a_loop_of_tools_keeps_its_expert_whatever_the_tools_say() -> None:
    """Without a session too: by the turn itself."""
    tools = [{"type": "function", "function": {"name": "f"}}]
    async with flowing(*pool(), categories=CATEGORIES) as engine:
        first = await decided(engine, "math 1", session=None, tools=tools)
        loop = await decided(engine, "math 1", CALL, RESULT, session=None, tools=tools)
    assert (first.expert, loop.expert) == ("solver", "solver")
    assert loop.choose is not None
    assert loop.choose.session is not None
    assert (loop.choose.session.looping, loop.choose.session.kept) == (True, True)


async def test_the_conversation_moves_when_its_subject_moves() -> None:
    """And says what was weighed."""
    async with flowing(*pool(), categories=CATEGORIES) as engine:
        await decided(engine, "math 1")
        moved = await decided(engine, "math 1", CALL, "verse on spring and on the rain")
    assert moved.expert == "writer"
    assert moved.choose is not None
    assert moved.choose.session is not None
    assert (moved.choose.session.expert, moved.choose.session.kept) == ("solver", False)
    assert moved.choose.session.gain == pytest.approx(0.5, abs=0.05)
    assert moved.choose.session.margin == pytest.approx(0.05, abs=0.001)


@pytest.mark.parametrize(("per_1k_tokens", "expert"), [(0.02, "writer"), (0.2, "solver")])
async def test_a_long_conversation_moves_only_for_more(per_1k_tokens: float, expert: str) -> None:
    """Specified: the margin counts the cost of a cold prompt cache: 4000 tokens at .2 a thousand are worth .8."""
    async with flowing(*pool(), categories=CATEGORIES, sessions={"per_1k_tokens": per_1k_tokens}) as engine:
        await decided(engine, "math " + "x" * 16_000)
        after = await decided(engine, "math " + "x" * 16_000, CALL, "verse on spring and on the rain")
    assert after.expert == expert


async def test_a_stand_in_is_not_kept_for_the_next_request() -> None:
    """Specified: a degraded fallback is never pinned."""
    down = ExpertUnavailable("solver", "gone")
    async with flowing(*pool(solver=[down, down, "back"]), categories=CATEGORIES) as engine:
        fallen = await decided(engine, "math 1")
        after = await decided(engine, "math 1", CALL, "math two and three")
    assert (fallen.expert, after.expert) == ("writer", "solver")
    assert after.choose is not None
    assert after.choose.session is None


async def test_a_follow_up_is_read_with_what_was_asked_before() -> None:
    """And the decision says so; the query is still what the user said."""
    async with flowing(*pool(), categories=CATEGORIES) as engine:
        follow = await decided(engine, "math 1", CALL, "so do it again", session=None)
    assert follow.categorize is not None
    assert (follow.categorize.category, follow.categorize.context, follow.query) == ("math", 1, "so do it again")


async def test_an_expert_that_is_gone_or_refuses_is_not_kept() -> None:
    """Whom the conversation was with has to be able to take the request."""
    blind, seeing = (
        ScriptedExpert("solver", *["x"] * 9),
        ScriptedExpert("writer", *["x"] * 9, capabilities=Capabilities(chat=True, vision=True)),
    )
    picture = [{"type": "text", "text": "math 2"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    async with flowing(blind, seeing, categories=CATEGORIES) as engine:
        await decided(engine, "math 1")
        after = await decided(engine, "math 1", CALL, {"role": "user", "content": picture})
    assert after.expert == "writer"
    assert after.choose is not None
    assert after.choose.session is not None
    assert not after.choose.session.kept


async def test_a_stand_in_is_not_kept_after_its_loop_either() -> None:
    """It goes on with what it began, and the next request goes back."""
    down = ExpertUnavailable("solver", "gone")
    async with flowing(*pool(solver=[down, down, "back"]), categories=CATEGORIES) as engine:
        await decided(engine, "math 1")
        loop = await decided(engine, "math 1", CALL, RESULT)
        after = await decided(engine, "math 1", CALL, RESULT, CALL, "math two and three")
    assert (loop.expert, after.expert) == ("writer", "solver")
    assert after.choose is not None
    assert after.choose.session is None  # there is nobody whom the conversation is with


async def test_a_fallback_that_is_down_does_not_hinder_the_first_to_be_kept() -> None:
    """Who is first in the plan is with the conversation, whoever else is there."""
    categories = {**CATEGORIES, "verse": ["writer", "third"], "math": ["solver", "writer", "third"]}
    third = Failing("third")
    async with flowing(*pool(), third, categories=categories) as engine:
        await decided(engine, "math 1")
        after = await decided(engine, "math 1", CALL, "math two and three")
    assert after.choose is not None
    assert after.choose.session is not None
    assert (after.choose.session.expert, after.choose.session.kept) == ("solver", True)


async def test_what_was_said_is_let_go_of_with_the_request() -> None:
    """A thousand decisions are remembered, and not a thousand conversations."""
    async with flowing(*pool(), categories=CATEGORIES, serve={"content": True}) as engine:
        request, trace = engine.pipeline.request({"messages": [{"role": "user", "content": "math 1"}]}, model="auto")
        await engine.pipeline.answer(request, nowhere, trace)
    assert (trace.query, trace.turn.messages) == ("math 1", ())
