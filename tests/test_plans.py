"""Who answers a category: what was learned, where the person has not said otherwise."""

from typing import Any

import pytest

from orchestrator.plans import Planned, Plans
from routers.mapping import Plan
from routers.mapping.learned import LearnedMapping
from tests.flowing import config_of
from tests.learning import fusing_mapping, learned_mapping

EXPERTS = ("cheap", "dear", "fresh")


def planned(
    block: Any, learned: LearnedMapping | None, *, experts: tuple[str, ...] = EXPERTS, cost_quality: float | None = None
) -> Planned:
    """Of the category `sums`, described by a block or a list of experts."""
    config = config_of(experts, categories={"sums": block, "verses": ["fresh"], "general": ["fresh"]})
    return Plans(config, learned).planned("sums", cost_quality=cost_quality)


def test_without_a_mapping_plans_stand_as_listed() -> None:
    """Specified: in their order and kind, wherever on the frontier a request wants to be."""
    found = planned({"experts": ["fresh", "cheap"], "plan": "fuse"}, None, cost_quality=0.0)
    assert found.plan == Plan(kind="fuse", experts=("fresh", "cheap"))
    assert found.cost_quality is None


def test_the_learned_order_comes_first_and_ungraded_experts_follow() -> None:
    """Ours: an expert that nobody graded is no worse than listed; a graded one stands where its grades put it."""
    found = planned(["fresh", "cheap"], learned_mapping())
    assert found == Planned(Plan(kind="single", experts=("dear", "cheap", "fresh")), 1.0)


@pytest.mark.parametrize(("place", "first"), [(0.0, "cheap"), (0.49, "cheap"), (0.5, "dear"), (1.0, "dear")])
def test_a_request_moves_along_the_learned_frontier(place: float, first: str) -> None:
    """Specified: 0 is the cheapest, 1 the best."""
    found = planned(["cheap"], learned_mapping(), cost_quality=place)
    assert (found.plan.experts[0], found.cost_quality) == (first, place)


def test_an_override_stands_as_listed() -> None:
    """Specified: the person has the last word."""
    found = planned({"experts": ["cheap"], "override": True}, learned_mapping(), cost_quality=1.0)
    assert found == Planned(Plan(kind="single", experts=("cheap",)), None, "override")


def test_a_category_without_grades_stands_as_listed() -> None:
    """Ours: nothing is known of it that the configuration does not say."""
    config = config_of(EXPERTS, categories={"sums": ["cheap"], "general": ["fresh", "cheap"]})
    found = Plans(config, learned_mapping()).planned("general")
    assert (found.plan.experts, found.cost_quality) == (("fresh", "cheap"), None)


def test_a_fuse_plan_stands_as_listed_unless_fuse_plans_were_graded() -> None:
    """Ours: grades of single answers say nothing of a verdict's worth."""
    block = {"experts": ["cheap", "fresh"], "plan": "fuse"}
    assert planned(block, learned_mapping()).plan == Plan(kind="fuse", experts=("cheap", "fresh"))
    graded = fusing_mapping("cheap", "dear", place=0.5)
    assert planned(block, graded, cost_quality=0).plan == Plan(kind="single", experts=("dear", "cheap", "fresh"))


def test_a_learned_fuse_plan_comes_with_its_gain_and_with_who_is_asked_instead() -> None:
    """Ours: a verdict's drafts in the order of the category, votes in the order in which they were weighed."""
    verdict = planned(["fresh"], fusing_mapping("cheap", "dear", verdict="fresh"))
    assert verdict.plan == Plan(kind="fuse", experts=("dear", "cheap"), verdict="fresh")
    assert (verdict.cost_quality, verdict.instead) == (1.0, ("dear", "cheap", "fresh"))
    vote = planned(["fresh"], fusing_mapping("cheap", "dear", weights=(0.5, 2.0)))
    assert vote.plan == Plan(kind="fuse", experts=("cheap", "dear"), weights=(0.5, 2.0))
    assert vote.gain == "+0.100 [+0.040, +0.160] over dear (each bound at 95%)"


def test_a_learned_fuse_plan_is_served_whole_or_not_at_all() -> None:
    """Ours: with one of its experts gone it is not the plan that was graded; the best of those left answers."""
    votes, verdict = fusing_mapping("cheap", "dear", weights=(1.0, 2.0)), fusing_mapping("cheap", "dear", verdict="pen")
    for graded, gone, left in ((votes, "dear", ("cheap", "fresh")), (verdict, "pen", ("dear", "cheap", "fresh"))):
        found = planned(["fresh"], graded, experts=tuple(expert for expert in EXPERTS if expert != gone))
        assert found == Planned(Plan(kind="single", experts=left), 1.0, why=f"{gone} is gone")
    alone = planned(["fresh"], votes, experts=("fresh",))
    assert (alone.plan.experts, alone.cost_quality) == (("fresh",), None)


def test_experts_that_left_the_configuration_are_passed_over() -> None:
    """Ours: the next of the learned order answers; with all of them gone, the listed ones."""
    assert planned(["fresh"], learned_mapping(), experts=("cheap", "fresh")).plan.experts == ("cheap", "fresh")
    gone = planned(["fresh"], learned_mapping(), experts=("fresh",))
    assert (gone.plan.experts, gone.cost_quality) == (("fresh",), None)
