"""Requests with images go to experts that see, and are refused where there is none."""

from typing import Any

import anyio
import pytest

from orchestrator.errors import InvalidRequest
from orchestrator.experts import Capabilities
from orchestrator.stages.draft import nowhere
from orchestrator.testing import ScriptedExpert
from tests.flowing import flowing

pytestmark = pytest.mark.anyio

PICTURED = [
    {"type": "text", "text": "math what is this"},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
]


async def answered(*experts: Any, model: str = "auto", **blocks: Any) -> str:
    categories = {"math": [expert.id for expert in experts], "general": [experts[0].id]}
    async with flowing(*experts, categories=categories, **blocks) as engine:
        request, trace = engine.pipeline.request({"messages": [{"role": "user", "content": PICTURED}]}, model=model)
        with anyio.fail_after(10):
            try:
                return (await engine.pipeline.answer(request, nowhere, trace)).text
            except InvalidRequest as error:
                return f"refused: {error}"


def seeing() -> ScriptedExpert:
    return ScriptedExpert("eye", "a cat", capabilities=Capabilities(chat=True, vision=True))


async def test_an_expert_that_cannot_see_is_passed_over() -> None:
    """Specified: parts go to experts that can see."""
    blind = ScriptedExpert("blind", "no idea")
    assert await answered(blind, seeing()) == "a cat"
    assert not blind.requests


@pytest.mark.parametrize("model", ["auto", "blind"])
async def test_where_nobody_sees_the_request_is_refused(model: str) -> None:
    """With one clear error, routed or named, instead of an answer about a picture that nobody saw."""
    found = await answered(ScriptedExpert("blind", "no idea"), model=model)
    assert found.startswith("refused: The request has an image, and 'blind' cannot see")


async def test_the_only_one_that_sees_is_asked_even_over_the_budget() -> None:
    """Blind ones are no alternative: better over a limit than no answer."""
    blind, eye = ScriptedExpert("blind", "no idea"), seeing()
    assert await answered(blind, eye, budget={"cost_per_query": 1e-9}) == "a cat"
