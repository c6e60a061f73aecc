"""The routes beside the hot path."""

import re
from collections.abc import Sequence
from dataclasses import asdict

import pytest

from orchestrator.errors import ExpertUnavailable
from orchestrator.experts import HedgeCounts, ReplicaSeen
from orchestrator.testing import ScriptedExpert
from orchestrator.types import Passage
from tests.service.serving import served

pytestmark = pytest.mark.anyio

CATEGORIES = {"math": ["solver"], "general": ["writer"]}
SEEN = ReplicaSeen(
    url="http://one:8000",
    breaker="half-open",
    open_for_s=0.0,
    resting_s=1.5,
    healthy=True,
    in_flight=1,
    requests=7,
    failures=2,
    openings=1,
    running=4,
    waiting=8,
    kv_usage=0.25,
    last_trouble="status 500",
)


class Shelf(ScriptedExpert):
    """A retriever in memory; with `broken` it cannot be asked."""

    broken = False

    async def search(self, query: str, *, top_k: int) -> Sequence[Passage]:
        if self.broken:
            raise ExpertUnavailable(self.id, "no index")
        names = [f"{self.id}-{number}" for number in range(1, top_k + 1)]
        return [
            Passage(expert=self.id, document=name, title=name, text=query, score=1.0, rank=rank, start=0, end=1)
            for rank, name in enumerate(names, start=1)
        ]


async def test_models_lists_the_aliases_every_expert_and_what_only_embeds() -> None:
    """What `model` takes, in OpenAI's form; one of them by its name."""
    async with served(ScriptedExpert("solver"), ScriptedExpert("writer"), categories=CATEGORIES) as client:
        listed = (await client.get("/v1/models")).json()
        one = await client.get("/v1/models/fuse")
        none = await client.get("/v1/models/gpt-9")
    assert listed["object"] == "list"
    assert [model["id"] for model in listed["data"]] == ["auto", "fuse", "solver", "writer", "minilm"]
    assert one.json()["object"] == "model"
    assert (none.status_code, none.json()["error"]["code"]) == (404, "model_not_found")


async def test_route_explains_without_asking_an_expert() -> None:
    """The first two stages, live, for a query or a whole conversation."""
    solver = ScriptedExpert("solver")
    async with served(solver, ScriptedExpert("writer"), categories=CATEGORIES) as client:
        short = (await client.post("/v1/route", json={"query": "math"})).json()
        long = (await client.post("/v1/route", json={"messages": [{"role": "user", "content": "math"}]})).json()
        bad = await client.post("/v1/route", json={"query": " "})
    assert short["categorize"]["category"] == long["categorize"]["category"] == "math"
    assert short["choose"]["experts"] == ["solver"]
    assert sum(row["probability"] for row in short["categorize"]["posterior"]) == pytest.approx(1)
    assert (solver.requests, bad.status_code, bad.json()["error"]["param"]) == ([], 400, "query")


async def test_search_gives_passages_by_rank_of_all_retrievers() -> None:
    """Equal ranks stand in the configuration's order; a broken retriever is named, the others answer."""
    a, b, c = Shelf("a"), Shelf("b"), Shelf("c")
    c.broken = True
    categories = {"books": ["a", "b", "c"], "general": ["a"]}
    async with served(a, b, c, categories=categories) as client:
        found = (await client.post("/v1/search", json={"query": "moon", "top_k": 2})).json()
        some = (await client.post("/v1/search", json={"query": "moon", "top_k": 1, "experts": ["b"]})).json()
        broken = await client.post("/v1/search", json={"query": "moon", "experts": ["c"]})
    assert [passage["document"] for passage in found["passages"]] == ["a-1", "b-1", "a-2", "b-2"]
    assert found["failed"] == {"c": "no index"}
    assert [passage["document"] for passage in some["passages"]] == ["b-1"]
    assert (broken.status_code, broken.json()["error"]["code"]) == (502, "no_expert_left")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "query"),
        ({"query": 5}, "query"),
        ({"query": "x", "top_k": 0}, "top_k"),
        ({"query": "x", "top_k": True}, "top_k"),
        ({"query": "x", "experts": ["nobody"]}, "experts"),
        ({"query": "x", "experts": []}, "experts"),
    ],
)
async def test_a_bad_search_says_which_field_is_wrong(body: dict[str, object], param: str) -> None:
    """400 with the field's name."""
    async with served(Shelf("a"), categories={"books": ["a"], "general": ["a"]}) as client:
        response = await client.post("/v1/search", json=body)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)


class OnServers(ScriptedExpert):
    """An expert in memory that claims to have a server."""

    hedges = HedgeCounts(streams=9, hedged=1, won=1, refused=0, after_s=None)

    def replicas_seen(self) -> Sequence[ReplicaSeen]:
        return [SEEN]


async def test_experts_shows_how_each_server_of_an_expert_is() -> None:
    """Whatever is known of it; an expert without servers of its own has none."""
    async with served(OnServers("solver"), ScriptedExpert("writer"), categories=CATEGORIES) as client:
        solver, writer = (await client.get("/v1/experts")).json()
    assert (solver["replicas"], writer["replicas"]) == ([asdict(SEEN)], [])
    assert (solver["hedges"], writer["hedges"]) == (asdict(OnServers.hedges), None)


async def test_experts_shows_how_each_is() -> None:
    """Kind, state, capabilities and the categories that name it."""
    async with served(ScriptedExpert("solver"), ScriptedExpert("writer"), categories=CATEGORIES) as client:
        shown = (await client.get("/v1/experts")).json()
    assert [(e["id"], e["state"], e["categories"]) for e in shown] == [
        ("solver", "up", ["math"]),
        ("writer", "up", ["general"]),
    ]
    assert shown[0]["capabilities"]["tools"] is True


async def test_health_and_readiness_call_no_expert() -> None:
    """Alive at once, ready when an expert is up."""
    solver = ScriptedExpert("solver")
    async with served(solver, ScriptedExpert("writer"), categories=CATEGORIES) as client:
        alive, ready = await client.get("/health"), await client.get("/health/ready")
        version = await client.get("/version")
    assert (alive.json()["status"], ready.status_code, solver.requests) == ("ok", 200, [])
    assert version.json()["version"]


async def test_an_unknown_decision_is_a_404() -> None:
    """With a message that says how many are kept."""
    async with served(ScriptedExpert("solver"), ScriptedExpert("writer"), categories=CATEGORIES) as client:
        response = await client.get("/v1/decisions/dec-none")
    assert response.status_code == 404


async def test_keys_guard_everything_but_health() -> None:
    """401 in OpenAI's shape without a key or with a wrong one; each of several keys opens."""
    serve = {"keys": "alpha, beta"}
    async with served(ScriptedExpert("solver"), ScriptedExpert("writer"), categories=CATEGORIES, serve=serve) as client:
        without = await client.get("/v1/models")
        wrong = await client.get("/v1/models", headers={"authorization": "Bearer gamma"})
        right = [
            await client.get("/v1/models", headers={"authorization": f"Bearer {key}"}) for key in ("alpha", "beta")
        ]
        health = await client.get("/health")
    assert (without.status_code, wrong.status_code, health.status_code) == (401, 401, 200)
    assert without.json()["error"]["code"] == "invalid_api_key"
    assert [response.status_code for response in right] == [200, 200]


async def test_every_route_is_in_the_openapi_document() -> None:
    """/docs shows what there is, and needs no server but this one."""
    async with served(ScriptedExpert("solver"), ScriptedExpert("writer"), categories=CATEGORIES) as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
        docs = await client.get("/docs")
    assert set(paths) >= {"/v1/chat/completions", "/v1/models", "/v1/route", "/v1/search", "/v1/experts", "/health"}
    assert docs.status_code == 200
    assert re.findall(r"(?:src|href)=\"(https?://[^\"]+)", docs.text) == []
