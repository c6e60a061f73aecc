"""Which expert a conversation is with."""

from typing import Any

import pytest

from orchestrator.conversation.sessions import Sessions
from orchestrator.conversation.turns import Turn, turn_of

pytestmark = pytest.mark.anyio
CALL = {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "look", "arguments": "{}"}}]}
RESULT = {"role": "tool", "tool_call_id": "1", "content": "found"}


def turn(*said: Any, tools: bool = True) -> Turn:
    messages = [{"role": "user", "content": one} if isinstance(one, str) else one for one in said]
    return turn_of(messages, tools=tools)


async def test_a_loop_of_tools_is_known_without_a_session() -> None:
    """By the turn: what was said so far; however long the loop gets. Another request is another turn."""
    sessions = Sessions(most=10, ttl_s=60)
    sessions.answered(turn("fix it"), None, "coder", settles=False)
    assert sessions.in_loop(turn("fix it", CALL, RESULT), None) == "coder"
    assert sessions.in_loop(turn("fix it", CALL, RESULT, CALL, RESULT), None) == "coder"
    assert sessions.in_loop(turn("fix it", CALL, RESULT, "and now?"), None) is None
    assert sessions.in_loop(turn("fix that", CALL, RESULT), None) is None
    assert sessions.in_loop(turn("fix it"), None) is None


async def test_nothing_is_kept_of_a_plain_request() -> None:
    """Neither a session nor an agent: nothing comes back to it."""
    sessions = Sessions(most=10, ttl_s=60)
    sessions.answered(turn("hi", tools=False), None, "chatter", settles=True)
    assert len(sessions) == 0


async def test_a_stand_in_settles_nothing() -> None:
    """Specified: a degraded fallback is never pinned; the loop that it began it goes on with."""
    sessions = Sessions(most=10, ttl_s=60)
    sessions.answered(turn("one"), "s", "coder", settles=True)
    sessions.answered(turn("one", CALL, "two"), "s", "spare", settles=False)
    assert sessions.settled("s") == "coder"
    assert sessions.in_loop(turn("one", CALL, "two", CALL, RESULT), "s") == "spare"


async def test_the_oldest_conversations_are_forgotten() -> None:
    """By number and by time; no room keeps none."""
    sessions = Sessions(most=2, ttl_s=60)
    for name in ("a", "b", "c"):
        sessions.answered(turn("hi"), name, "coder", settles=True)
    assert [sessions.settled(name) for name in ("a", "b", "c")] == [None, "coder", "coder"]
    late, none = Sessions(most=2, ttl_s=-1), Sessions(most=0, ttl_s=60)
    for sessions in (late, none):
        sessions.answered(turn("hi"), "a", "coder", settles=True)
        assert sessions.settled("a") is None
