"""Which session a request belongs to, and that experts learn it."""

from typing import Any

import pytest

from orchestrator.service.identity import CALLER
from orchestrator.service.session import session_of
from orchestrator.testing import ScriptedExpert
from tests.service.serving import served

pytestmark = pytest.mark.anyio

CATEGORIES = {"general": ["writer"]}
MESSAGES = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    ("headers", "fields", "session"),
    [
        ({}, {}, None),
        ({}, {"user": "u"}, "u"),
        ({}, {"user": "u", "prompt_cache_key": "k"}, "k"),
        ({"X-Session-Id": "s"}, {"user": "u", "prompt_cache_key": "k"}, "s"),
        ({"X-Session-Id": ""}, {"user": "u"}, "u"),
        ({}, {"user": {"odd": 1}, "prompt_cache_key": ""}, None),
    ],
)
async def test_expert_learns_the_session_of_a_request(
    headers: dict[str, str], fields: dict[str, Any], session: str | None
) -> None:
    """The header first, then the conversation, then the user; the body reaches the expert as it was."""
    writer = ScriptedExpert("writer")
    async with served(writer, categories=CATEGORIES) as client:
        body = {"model": "writer", "messages": MESSAGES, **fields}
        answer = await client.post("/v1/chat/completions", json=body, headers=headers)
    assert answer.status_code == 200
    (request,) = writer.requests
    assert (request.session, request.body) == (session, body)
    assert request.replaced(stream=True).session == session


def test_header_of_any_bytes_is_a_session() -> None:
    """Headers are latin-1 on the wire."""
    assert session_of({"headers": [(b"x-session-id", b"\xe9")]}, {}) == "é"


def test_callers_who_name_a_session_alike_have_nothing_in_common() -> None:
    """With keys a session is its caller's own."""
    scopes = [{"headers": [(b"x-session-id", b"s")], CALLER: caller} for caller in ("key-1", "key-2")]
    assert [session_of(scope, {}) for scope in scopes] == ["key-1/s", "key-2/s"]
    assert session_of({"headers": [], CALLER: "key-1"}, {}) is None
