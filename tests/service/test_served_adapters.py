"""LoRA adapters through the service: loaded on the way, priced as their base."""

import pytest

from orchestrator.config.kinds import VllmSettings
from orchestrator.config.settings import Cost
from orchestrator.testing import FakeVLLM, ScriptedExpert
from tests.service.serving import served

pytestmark = pytest.mark.anyio

CATEGORIES = {"math": ["sql"], "general": ["writer"]}


async def test_an_adapter_answers_after_it_was_loaded_and_costs_what_its_base_does() -> None:
    """Specified: and GET /v1/experts names the base and where it is loaded."""
    async with FakeVLLM(models=("m",), enable_lora=True, adapter_exists=lambda _: True) as server:
        experts = {
            "writer": {"kind": "scripted"},
            "coder": VllmSettings(model="m", replicas=(server.url,), cost=Cost(per_call=0.5)),
            "sql": VllmSettings(base="coder", adapter="s", path="/adapters/s"),
        }
        async with served(ScriptedExpert("writer"), categories=CATEGORIES, experts=experts) as client:
            body = {"model": "sql", "messages": [{"role": "user", "content": "hi"}]}
            answer = await client.post("/v1/chat/completions", json=body)
            shown = {expert["id"]: expert for expert in (await client.get("/v1/experts")).json()}
        assert server.adapters.loaded == {"s": "/adapters/s"}
    assert (answer.status_code, answer.json()["model"]) == (200, "sql")
    assert (shown["sql"]["base"], shown["coder"]["base"]) == ("coder", None)
    assert float(answer.headers["x-orchestrator-cost-usd"]) == 0.5
