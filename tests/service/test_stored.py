"""A service with a store: decisions and feedback outlive it, responses can be gone on from."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from orchestrator.testing import Reply, ScriptedExpert
from tests.service.serving import served

pytestmark = pytest.mark.anyio

CATEGORIES = {"math": ["solver"], "general": ["solver"]}
CALL = '{"city": "Oslo"}'


def keeping(tmp_path: Path, **serve: Any) -> dict[str, Any]:
    return {"serve": {"store": f"sqlite:///{tmp_path / 'state.db'}", **serve}}


def texts(expert: ScriptedExpert) -> list[tuple[str, Any]]:
    return [(message["role"], message["content"]) for message in expert.requests[-1].messages]


async def test_a_decision_can_be_read_after_a_restart(tmp_path: Path) -> None:
    """And judged: feedback comes when it comes."""
    body = {"messages": [{"role": "user", "content": "math 1"}]}
    async with served(ScriptedExpert("solver", "42"), categories=CATEGORIES, **keeping(tmp_path)) as client:
        sent = await client.post("/v1/chat/completions", json=body)
        decision = sent.headers["x-orchestrator-decision-id"]
        first = (await client.get(f"/v1/decisions/{decision}")).json()
    async with served(ScriptedExpert("solver", "42"), categories=CATEGORIES, **keeping(tmp_path)) as client:
        again = await client.get(f"/v1/decisions/{decision}")
        told = await client.post("/v1/feedback", json={"decision": decision, "rating": "up"})
        unknown = await client.get("/v1/decisions/dec-0")
    assert again.json() == first
    assert (told.status_code, told.json()["expert"]) == (202, "solver")
    assert unknown.status_code == 404


@pytest.mark.parametrize("stream", [False, True])
async def test_a_response_is_gone_on_from(tmp_path: Path, stream: bool) -> None:  # noqa: FBT001 - a parameter
    """Specified: `previous_response_id` when the store is on; the whole conversation reaches the expert."""
    solver = ScriptedExpert("solver", "forty-two", "yes", "no")
    async with served(solver, categories=CATEGORIES, **keeping(tmp_path, responses=True)) as client:

        async def asked(**fields: Any) -> dict[str, Any]:
            found = await client.post("/v1/responses", json={"stream": stream, **fields})
            assert found.status_code == 200, found.text
            if not stream:
                whole: dict[str, Any] = found.json()
                return whole
            last = found.text.split("\n\n")[-2].split("data: ")[1]
            response: dict[str, Any] = orjson.loads(last)["response"]
            return response

        first = await asked(input="math six by seven", instructions="Be brief.")
        second = await asked(input="are you sure?", previous_response_id=first["id"])
        told = texts(solver)
        third = await asked(input="and now?", previous_response_id=second["id"])
    assert (first["store"], second["previous_response_id"], third["store"]) == (True, first["id"], True)
    assert told == [("user", "math six by seven"), ("assistant", "forty-two"), ("user", "are you sure?")]
    assert texts(solver) == [*told, ("assistant", "yes"), ("user", "and now?")]


async def test_calls_of_functions_are_gone_on_from(tmp_path: Path) -> None:
    """The client sends the output of a call alone: what was called is remembered."""
    calls = [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": CALL}}]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    completion = orjson.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})
    solver = ScriptedExpert("solver", Reply(completion=completion), "sunny")
    async with served(solver, categories=CATEGORIES, **keeping(tmp_path, responses=True)) as client:
        first = (await client.post("/v1/responses", json={"input": "math weather"})).json()
        output = {"type": "function_call_output", "call_id": "c1", "output": "12 degrees"}
        body = {"input": [output], "previous_response_id": first["id"]}
        second = (await client.post("/v1/responses", json=body)).json()
    assert second["output"][0]["content"][0]["text"] == "sunny"
    roles = [message["role"] for message in solver.requests[-1].messages]
    assert roles == ["user", "assistant", "tool"]
    assert solver.requests[-1].messages[1]["tool_calls"] == calls


async def test_what_is_not_kept_cannot_be_gone_on_from(tmp_path: Path) -> None:
    """Not wanted by the client, never made, or kept by no one here."""
    solver = ScriptedExpert("solver", "x")
    async with served(solver, categories=CATEGORIES, **keeping(tmp_path, responses=True)) as client:
        unkept = (await client.post("/v1/responses", json={"input": "math", "store": False})).json()
        for name in (unkept["id"], "resp_none"):
            found = await client.post("/v1/responses", json={"input": "on", "previous_response_id": name})
            assert (found.status_code, found.json()["error"]["code"]) == (404, "response_not_found")
        odd = await client.post("/v1/responses", json={"input": "on", "previous_response_id": 3})
    async with served(solver, categories=CATEGORIES, **keeping(tmp_path)) as client:
        off = await client.post("/v1/responses", json={"input": "on", "previous_response_id": "resp_1"})
    assert unkept["store"] is False
    assert (odd.status_code, off.status_code) == (400, 400)
    assert off.json()["error"]["param"] == "previous_response_id"


async def test_two_keys_do_not_share_responses(tmp_path: Path) -> None:
    """What one caller said is nothing to another."""
    solver = ScriptedExpert("solver", "x")
    serve = keeping(tmp_path, responses=True, keys="one,two")
    async with served(solver, categories=CATEGORIES, **serve) as client:
        mine, yours = ({"authorization": f"Bearer {key}"} for key in ("one", "two"))
        first = (await client.post("/v1/responses", json={"input": "math"}, headers=mine)).json()
        body = {"input": "on", "previous_response_id": first["id"]}
        found = [(await client.post("/v1/responses", json=body, headers=who)).status_code for who in (mine, yours)]
    assert found == [200, 404]


async def test_metrics_tell_how_the_store_is(tmp_path: Path) -> None:
    """Rows written, lost and waiting."""
    async with served(ScriptedExpert("solver", "42"), categories=CATEGORIES, **keeping(tmp_path)) as client:
        text = (await client.get("/metrics")).text
    assert 'orchestrator_store_rows_total{outcome="lost"} 0.0' in text
    assert "orchestrator_store_up 1.0" in text
