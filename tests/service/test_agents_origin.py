"""Who may call /mcp: programs, and the pages that the configuration names; by names of this machine, or with a key."""

import pytest

from orchestrator.testing import ScriptedExpert
from tests.service.agents import envelope, post, serving_agents

pytestmark = pytest.mark.anyio

ALONE = {"math": ["solver"], "general": ["solver"]}
LIST = {"mcp_protocol_version": "2026-07-28", "mcp_method": "tools/list"}
ASK = {"mcp_protocol_version": "2026-07-28", "mcp_method": "tools/call", "mcp_name": "ask"}
PAGE = "https://agents.example.com"


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:3000", 200),
        ("http://127.0.0.1", 200),
        ("https://[::1]:8443", 200),
        (PAGE, 200),
        (PAGE.upper(), 200),
        (f"{PAGE}:8443", 403),
        ("http://agents.example.com", 403),
        ("https://evil.example", 403),
        ("https://localhost.evil.example", 403),
        ("file://localhost", 403),
        ("null", 403),
        ("", 403),
        ("http://[", 403),
    ],
)
async def test_only_pages_that_are_named_may_call(origin: str, status: int) -> None:
    """Specified by MCP: `Origin` is checked, whatever the page sends; loopback and `serve.origins` may."""
    solver = ScriptedExpert("solver", "42")
    asked = envelope("tools/call", name="ask", arguments={"query": "math"})
    async with serving_agents(solver, categories=ALONE, serve={"origins": [PAGE]}) as (url, _):
        response = await post(url, asked, origin=origin, **ASK)
    assert response.status_code == status
    assert len(solver.requests) == (status == 200)
    assert status == 200 or "serve.origins" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8080", 200),
        ("127.0.0.1", 200),
        ("[::1]:8080", 200),
        ("agents.example.com", 200),
        ("evil.example", 421),
        ("10.0.0.7:8080", 421),
        ("", 421),
    ],
)
async def test_without_keys_it_answers_to_its_own_names(host: str, status: int) -> None:
    """Specified: 421 for a name that a stranger made point here (DNS rebinding)."""
    async with serving_agents(ScriptedExpert("solver"), categories=ALONE, serve={"origins": [PAGE]}) as (url, _):
        response = await post(url, envelope("tools/list"), host=host, **LIST)
    assert response.status_code == status


async def test_with_keys_it_answers_to_any_name_and_still_to_no_page() -> None:
    """Specified: a page of others has no key, and one that got it is refused all the same."""
    async with serving_agents(ScriptedExpert("solver"), categories=ALONE, serve={"keys": "alpha"}) as (url, _):
        key = {"authorization": "Bearer alpha", "host": "orchestrator.example"}
        program = await post(url, envelope("tools/list"), **key, **LIST)
        page = await post(url, envelope("tools/list"), origin="https://evil.example", **key, **LIST)
    assert (program.status_code, page.status_code) == (200, 403)
