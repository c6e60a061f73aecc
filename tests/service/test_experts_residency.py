"""What GET /v1/experts says of experts that sleep."""

import pytest

from orchestrator.fleet.residency.seats import ResidencySeen
from orchestrator.testing import ScriptedExpert
from tests.service.serving import served

pytestmark = pytest.mark.anyio

SEEN = ResidencySeen(
    state="waking",
    accelerator="default",
    pinned=False,
    gb=40.0,
    used_gb=70.0,
    capacity_gb=80.0,
    leases=0,
    waiting=3,
    reason="",
)


class Shown:
    """A residency that shows one expert."""

    def seen(self, expert: str) -> ResidencySeen | None:
        return SEEN if expert == "coder" else None

    def wait_s(self, expert: str) -> float:
        return 1.0 if expert == "coder" else 0.0


async def test_state_and_memory_are_shown_of_those_that_sleep() -> None:
    """And nothing of the others."""
    experts = ScriptedExpert("coder", "x"), ScriptedExpert("writer", "y")
    categories = {"code": ["coder"], "general": ["writer"]}
    async with served(*experts, categories=categories, who_is_awake=Shown()) as client:
        shown = {expert["id"]: expert["residency"] for expert in (await client.get("/v1/experts")).json()}
    assert (shown["coder"]["state"], shown["coder"]["gb"], shown["coder"]["waiting"]) == ("waking", 40.0, 3)
    assert shown["writer"] is None
