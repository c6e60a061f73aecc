"""Who is asked first where some of a plan's experts sleep."""

import math
from typing import Any

import pytest

from orchestrator.decision import Chosen
from orchestrator.testing import ScriptedExpert
from routers.mapping.matrix import Cell
from tests.flowing import flowing
from tests.learning import learned_mapping

pytestmark = pytest.mark.anyio

CATEGORIES = {"sums": ["cheap"], "general": ["cheap"]}


class Waits:
    """Seconds until an expert is awake, as a residency says them."""

    def __init__(self, **waits: float) -> None:
        self._waits = waits

    def wait_s(self, expert: str) -> float:
        return self._waits.get(expert, 0.0)


async def chosen(waits: Waits, *, worse: float = 0.1, weight: float = 0.0) -> Chosen:
    """The choice for sums, which `dear` answers better than `cheap` by so much."""
    cell = Cell(n=10, mean=0.5, low=0.4, high=0.6)
    cells = {"cheap": cell, "dear": cell.model_copy(update={"mean": 0.5 + worse})}
    learned = learned_mapping(cells={"sums": cells, "verses": cells})
    experts = ScriptedExpert("cheap", "about 40"), ScriptedExpert("dear", "42")
    blocks: dict[str, Any] = {"residency": {"wake_weight": weight}, "budget": {"deadline_s": 30}}
    async with flowing(*experts, categories=CATEGORIES, learned=learned, who_is_awake=waits, **blocks) as engine:
        body = {"messages": [{"role": "user", "content": "sums"}]}
        request, trace = engine.pipeline.request(body, model="auto")
        await engine.pipeline.route(request, trace)
        choice = trace.decision().choose
    assert choice is not None
    return choice


async def test_order_is_kept_unless_a_wait_is_given_a_weight() -> None:
    """The default: quality first."""
    assert (await chosen(Waits(dear=3.0))).experts == ("dear", "cheap")


@pytest.mark.parametrize(("worse", "order"), [(0.1, ("cheap", "dear")), (0.2, ("dear", "cheap"))])
async def test_expert_that_is_awake_goes_first_if_it_is_worse_by_less_than_the_wait(
    worse: float, order: tuple[str, str]
) -> None:
    """Three seconds at 0.05 a second are worth 0.15."""
    choice = await chosen(Waits(dear=3.0), worse=worse, weight=0.05)
    assert choice.experts == order
    assert ("'cheap' is awake, 'dear' would take about 3.0 s to wake" in choice.reason) == (order[0] == "cheap")


@pytest.mark.parametrize(("wait_s", "why"), [(31.0, "waking it takes about 31.0 s"), (math.inf, "cannot be woken")])
async def test_expert_that_cannot_be_awake_in_time_is_the_last_resort(wait_s: float, why: str) -> None:
    """While another of the plan is awake; the decision says so."""
    choice = await chosen(Waits(dear=wait_s))
    assert choice.experts == ("cheap", "dear")
    assert [(skipped.expert, why in skipped.reason) for skipped in choice.skipped] == [("dear", True)]


async def test_order_is_kept_where_all_sleep() -> None:
    """Nobody answers sooner for it."""
    choice = await chosen(Waits(dear=40.0, cheap=1.0), weight=1.0)
    assert choice.experts == ("dear", "cheap")
