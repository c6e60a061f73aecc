"""`cost_quality` in requests: a place on the learned frontier, for the router and for nobody else."""

from typing import Any

import pytest

from orchestrator.testing import ScriptedExpert
from tests.learning import fusing_mapping, learned_mapping
from tests.service.serving import served

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
CATEGORIES = {"sums": ["cheap"], "verses": {"experts": ["cheap"], "override": True}, "general": ["cheap"]}


def experts() -> tuple[ScriptedExpert, ScriptedExpert]:
    return ScriptedExpert("cheap", "about 40"), ScriptedExpert("dear", "42")


def body(query: str = "sums", **fields: Any) -> dict[str, Any]:
    return {"model": "auto", "messages": [{"role": "user", "content": query}], **fields}


@pytest.mark.parametrize("fields", [{}, {"stream": True}], ids=["whole", "streamed"])
async def test_a_request_chooses_its_place_on_the_frontier(fields: dict[str, Any]) -> None:
    """Specified: 0 is the cheapest, without it the best; the decision says which was used, and why."""
    async with served(*experts(), categories=CATEGORIES, learned=learned_mapping()) as client:
        cheap = await client.post(CHAT, json=body(cost_quality=0, **fields))
        best = await client.post(CHAT, json=body(cost_quality=None, **fields))
        decisions = [
            (await client.get(f"/v1/decisions/{response.headers['x-orchestrator-decision-id']}")).json()["choose"]
            for response in (cheap, best)
        ]
    assert [response.headers["x-orchestrator-expert"] for response in (cheap, best)] == ["cheap", "dear"]
    assert [(choose["cost_quality"], choose["reason"]) for choose in decisions] == [
        (0.0, "category 'sums', learned plan, at cost_quality 0"),
        (1.0, "category 'sums', learned plan, the best within the budget"),
    ]


async def test_no_expert_sees_it() -> None:
    """Specified: routed or named, the body goes on without it and otherwise as it came."""
    cheap, dear = experts()
    async with served(cheap, dear, categories=CATEGORIES, learned=learned_mapping()) as client:
        await client.post(CHAT, json=body(cost_quality=0.2, odd={"a": 1}))
        named = await client.post(CHAT, json={**body(cost_quality=0.2, odd={"a": 1}), "model": "dear"})
    sent = [dict(request.body) for request in (*cheap.requests, *dear.requests)]
    assert named.status_code == 200
    assert [(request["odd"], "cost_quality" in request) for request in sent] == [({"a": 1}, False)] * 2


@pytest.mark.parametrize("value", [-0.1, 1.1, "0.5", True, [], {}])
@pytest.mark.parametrize("path", [CHAT, "/v1/route"])
async def test_anything_but_a_share_is_refused(path: str, value: object) -> None:
    """Specified: before anybody is asked."""
    cheap, dear = experts()
    async with served(cheap, dear, categories=CATEGORIES, learned=learned_mapping()) as client:
        response = await client.post(path, json=body(cost_quality=value))
    assert (response.status_code, response.json()["error"]["param"]) == (400, "cost_quality")
    assert (cheap.requests, dear.requests) == ([], [])


async def test_where_it_changes_nothing_the_decision_says_so() -> None:
    """Ours: an overridden category, and a service that learned no mapping."""
    async with served(*experts(), categories=CATEGORIES, learned=learned_mapping()) as client:
        overridden = (await client.post("/v1/route", json=body("verses", cost_quality=1))).json()["choose"]
    async with served(*experts(), categories=CATEGORIES) as client:
        unlearned = (await client.post("/v1/route", json={"query": "sums", "cost_quality": 1})).json()["choose"]
    assert (overridden["experts"], overridden["cost_quality"]) == (["cheap"], None)
    assert overridden["reason"] == "category 'verses'; cost_quality 1 changes nothing: as listed (override)"
    assert unlearned["reason"] == "category 'sums'; cost_quality 1 changes nothing: as listed (no mapping was learned)"


async def test_a_learned_fuse_plan_drafts_unless_one_of_its_experts_is_gone() -> None:
    """Ours: then the best of those that are left answers, and the decision says why."""
    graded = fusing_mapping("cheap", "dear")
    async with served(*experts(), categories=CATEGORIES, learned=graded) as client:
        fused = (await client.post("/v1/route", json={"query": "sums"})).json()["choose"]
    async with served(experts()[0], categories=CATEGORIES, learned=graded) as client:
        alone = (await client.post("/v1/route", json={"query": "sums"})).json()["choose"]
    assert (fused["plan"], fused["experts"], fused["cost_quality"]) == ("fuse", ["dear", "cheap"], 1.0)
    assert (alone["plan"], alone["experts"], alone["cost_quality"]) == ("single", ["cheap"], 1.0)
    assert alone["reason"].endswith("; its fuse plan is not served: dear is gone")


async def test_a_request_moves_along_a_frontier_with_a_fuse_plan() -> None:
    """Specified: where less may be spent one expert answers; where the plan is served, its gain is told."""
    graded = fusing_mapping("cheap", "dear", place=0.5)
    async with served(*experts(), categories=CATEGORIES, learned=graded) as client:
        less, more = [
            (await client.post("/v1/route", json={"query": "sums", "cost_quality": place})).json()["choose"]
            for place in (0.4, 0.6)
        ]
    assert (less["plan"], less["experts"]) == ("single", ["dear", "cheap"])
    assert (more["plan"], more["experts"]) == ("fuse", ["dear", "cheap"])
    said = "gain +0.100 [+0.040, +0.160] over dear (each bound at 95%), at cost_quality 0.6"
    assert more["reason"] == f"category 'sums', learned fuse plan, {said}"


async def test_the_document_of_the_api_names_it() -> None:
    """For both routes that take it."""
    async with served(*experts(), categories=CATEGORIES) as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
    for path in (CHAT, "/v1/route"):
        schema = paths[path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert schema["properties"]["cost_quality"]["maximum"] == 1
