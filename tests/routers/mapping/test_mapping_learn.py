"""From graded outcomes to plans: who is chosen, what protects small categories, what a budget does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routers.errors import InfeasibleBudget, TrainingError
from routers.mapping.learn import Budget, FuseColumn, learn_mapping
from routers.mapping.plan import Plan
from routers.mapping.shrinkage import Reals

EXPERTS = ("general", "maths", "cheap")
SKILL = {"talk": (0.8, 0.3, 0.7), "sums": (0.5, 0.9, 0.3), "lore": (0.7, 0.4, 0.6)}
COSTS = (0.01, 0.02, 0.001)


def graded(*, each: int = 300, seed: int = 0) -> tuple[list[str], Reals]:
    """So many queries of three categories: sums are for the expert of maths, the rest for the general one."""
    rng = np.random.default_rng(seed)
    categories = [category for category in SKILL for _ in range(each)]
    skill = np.array([SKILL[category] for category in categories])
    return categories, (rng.random(skill.shape) < skill).astype(np.float64)


def bills(n: int) -> Reals:
    return np.tile(np.array(COSTS), (n, 1))


def test_each_category_goes_to_who_answers_it_best() -> None:
    """Specified: an expert, and the others behind it in the order of their lower bounds."""
    learned = learn_mapping(*_of(graded()))
    assert learned.best_single == "general"
    assert learned.plans == {
        "lore": Plan(kind="single", experts=("general", "cheap", "maths")),
        "sums": Plan(kind="single", experts=("maths", "general", "cheap")),
        "talk": Plan(kind="single", experts=("general", "cheap", "maths")),
    }
    assert learned.expert("sums") == "maths"


def test_a_category_that_was_not_learned_goes_to_the_best_single_expert() -> None:
    """Specified."""
    learned = learn_mapping(*_of(graded()))
    assert learned.expert("weather") == "general"
    assert learned.plan("weather") == learned.fallback


def test_a_small_category_does_not_choose_by_luck() -> None:
    """Specified: three right answers of the worst expert, where the best one had three wrong."""
    categories, scores = graded()
    lucky = np.array([[0.0, 0.0, 1.0]] * 3)
    learned = learn_mapping([*categories, *["rare"] * 3], EXPERTS, np.vstack([scores, lucky]))
    assert learned.expert("rare") == "general"
    cell = learned.cells["rare"]["cheap"]
    assert cell.gain_low is not None
    assert cell.gain_low < 0
    assert cell.n == 3


def test_an_expert_with_a_few_lucky_grades_is_not_the_best_single_one() -> None:
    """Ours: five of five are less than two hundred of three hundred."""
    categories, scores = graded()
    fresh = np.full((len(scores), 1), np.nan)
    fresh[[0, 100, 310, 620, 700]] = 1.0
    learned = learn_mapping(categories, [*EXPERTS, "fresh"], np.hstack([scores, fresh]))
    assert learned.best_single == "general"
    assert learned.expert("sums") == "maths"


def test_an_expert_without_a_grade_is_never_chosen() -> None:
    """Ours: nor fallen back on."""
    categories, scores = graded()
    learned = learn_mapping(categories, [*EXPERTS, "unknown"], np.hstack([scores, np.full((len(scores), 1), np.nan)]))
    assert all("unknown" not in plan.experts for plan in [*learned.plans.values(), learned.fallback])
    assert learned.cells["talk"]["unknown"].text() == "-"


def test_experts_that_share_no_query_are_compared_by_their_means() -> None:
    """Ours: logs have one graded answer a query."""
    categories, scores = graded(each=900)
    asked = np.arange(len(scores)) % 3
    alone = np.where(np.arange(3) == asked[:, None], scores, np.nan)
    learned = learn_mapping(categories, EXPERTS, alone)
    assert {category: learned.expert(category) for category in SKILL} == {
        "talk": "general",
        "sums": "maths",
        "lore": "general",
    }


def test_equal_scores_go_to_the_cheapest_and_then_to_the_first() -> None:
    """Specified: no error, and the same every time."""
    categories = ["a", "b"] * 20
    scores = np.full((40, 3), 0.5)
    assert learn_mapping(categories, EXPERTS, scores).expert("a") == "general"
    learned = learn_mapping(categories, EXPERTS, scores, costs_usd=bills(40))
    assert {learned.expert("a"), learned.expert("b"), learned.best_single} == {"cheap"}
    assert learned == learn_mapping(categories, EXPERTS, scores, costs_usd=bills(40))


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_a_handful_of_queries_is_enough(rows: int) -> None:
    """Ours: one category, one example, one expert are no errors."""
    assert learn_mapping(["a"] * rows, ["only"], np.ones((rows, 1))).expert("a") == "only"
    learned = learn_mapping([f"c{row}" for row in range(rows)], ["x", "y"], np.tile([0.0, 1.0], (rows, 1)))
    assert learned.expert("c0") in {"x", "y"}


def test_a_cost_budget_is_kept_and_spent_where_it_pays() -> None:
    """Specified: with room for one dear category it is the one that gains most."""
    categories, scores = graded()
    learned = learn_mapping(categories, EXPERTS, scores, costs_usd=bills(900), budget=Budget(cost_per_query_usd=0.008))
    assert learned.expert("sums") == "maths"
    assert learned.expert("talk") == learned.expert("lore") == "cheap"
    assert learned.frontier[-1].cost == pytest.approx((0.02 + 0.001 + 0.001) / 3)


def test_a_hosting_budget_holds_for_fallbacks_too() -> None:
    """Specified: what is not hosted cannot be fallen back on."""
    categories, scores = graded()
    budget = Budget(hosted_params_b=15)
    learned = learn_mapping(categories, EXPERTS, scores, hosted_params_b=[8, 7, 70], budget=budget)
    assert {expert for plan in learned.plans.values() for expert in plan.experts} == {"general", "maths"}
    small = learn_mapping(categories, EXPERTS, scores, hosted_params_b=[8, 7, 70], budget=Budget(hosted_params_b=7))
    assert small.fallback == Plan(kind="single", experts=("maths",))


def test_the_router_counts_among_the_active_parameters() -> None:
    """Specified: a_router + sum w a x <= A."""
    categories, scores = graded()
    budget = Budget(active_params_b=7)
    learned = learn_mapping(categories, EXPERTS, scores, active_params_b=[7, 7, 1], budget=budget)
    assert learned.expert("talk") == "general"
    assert learned.cost_unit == "active_params_b"
    learned = learn_mapping(categories, EXPERTS, scores, active_params_b=[7, 7, 1], budget=budget, router_params_b=0.5)
    assert "cheap" in {plan.experts[0] for plan in learned.plans.values()}


def test_an_infeasible_budget_says_what_would_do() -> None:
    """Specified: which limit, and the nearest value that can be met."""
    categories, scores = graded()
    with pytest.raises(
        InfeasibleBudget, match=r"cost_per_query_usd: 0.0005 cannot be met; the least that can is 0.001"
    ):
        learn_mapping(categories, EXPERTS, scores, costs_usd=bills(900), budget=Budget(cost_per_query_usd=0.0005))


def test_a_fuse_plan_is_taken_where_its_gain_is_sure_and_nowhere_else() -> None:
    """Specified: the no-harm rule, by category."""
    categories, scores = graded()
    rng = np.random.default_rng(9)
    helps = np.array(categories) == "lore"
    fused = np.where(helps, rng.random(900) < 0.9, rng.random(900) < 0.5).astype(np.float64)
    column = FuseColumn(name="both", members=("cheap", "general"), scores=fused)
    learned = learn_mapping(categories, EXPERTS, scores, costs_usd=bills(900), fuse_columns=[column])
    assert learned.plans["lore"] == Plan(kind="fuse", experts=("general", "cheap"))
    assert {learned.plans[category].kind for category in ("sums", "talk")} == {"single"}
    assert learned.cells["lore"]["both"].cost_usd == pytest.approx(0.011)
    assert learned.matrix.chosen["lore"] == "both"


def test_a_fuse_plan_that_gains_nothing_or_too_much_cost_is_left() -> None:
    """Specified: lower bound above zero, at the allowed cost."""
    categories, scores = graded()
    same = FuseColumn(name="same", members=("cheap", "general"), scores=scores[:, 0])
    learned = learn_mapping(categories, EXPERTS, scores, fuse_columns=[same])
    assert {plan.kind for plan in learned.plans.values()} == {"single"}
    sure = FuseColumn(name="sure", members=("cheap", "general"), scores=np.ones(900), costs_usd=np.full(900, 0.5))
    budget = Budget(cost_per_query_usd=0.05)
    learned = learn_mapping(categories, EXPERTS, scores, costs_usd=bills(900), fuse_columns=[sure], budget=budget)
    assert {plan.kind for plan in learned.plans.values()} == {"single"}


def test_a_fuse_plan_without_costs_of_its_own_costs_what_its_members_do() -> None:
    """Specified: and gaps in the members' costs do not make it free."""
    categories, scores = graded()
    costs = bills(900)
    costs[::2, 0] = np.nan
    costs[1::2, 2] = np.nan
    sure = FuseColumn(name="sure", members=("cheap", "general"), scores=np.ones(900))
    learned = learn_mapping(categories, EXPERTS, scores, costs_usd=costs, fuse_columns=[sure])
    assert learned.frontier[-1].cost == pytest.approx(0.011)
    paid = FuseColumn(name="sure", members=("cheap", "general"), scores=np.ones(900), costs_usd=np.ones(900))
    with pytest.raises(TrainingError, match="costs_usd is known, and the experts' is not"):
        learn_mapping(categories, EXPERTS, scores, fuse_columns=[paid])


def test_members_of_a_fuse_plan_are_hosted() -> None:
    """Specified: x <= y of each member."""
    categories, scores = graded()
    sure = FuseColumn(name="sure", members=("cheap", "general"), scores=np.ones(900))
    sizes = [8.0, 7.0, 7.0]
    for room, kinds in ((14.9, {"single"}), (15.0, {"fuse"})):
        budget = Budget(hosted_params_b=room)
        learned = learn_mapping(categories, EXPERTS, scores, hosted_params_b=sizes, fuse_columns=[sure], budget=budget)
        assert {plan.kind for plan in learned.plans.values()} == kinds


def test_what_is_wrong_with_the_outcomes_is_said_all_at_once() -> None:
    """Specified: problems, one line each."""
    with pytest.raises(TrainingError) as raised:
        learn_mapping(["a", "b"], ["x", "x"], np.array([[0.0, 2.0], [1.0, 0.5]]), costs_usd=np.ones((3, 2)))
    assert raised.value.problems == (
        "the name 'x' stands 2 times",
        "scores: 1 values are not from 0 to 1; the first, at (0, 1), is 2.0",
        "costs_usd: expected an array of shape (2, 2), got (3, 2)",
    )


@pytest.mark.parametrize(
    ("categories", "experts", "scores"),
    [([], ["x"], np.empty((0, 1))), (["a"], [], np.empty((1, 0))), (["a"], ["x"], np.array([[np.nan]]))],
)
def test_nothing_to_learn_from_is_an_error(categories: list[str], experts: list[str], scores: Reals) -> None:
    """Specified: no queries, no experts, no grades."""
    with pytest.raises(TrainingError):
        learn_mapping(categories, experts, scores)


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        (FuseColumn(name="x", members=("x", "y"), scores=[1.0]), "the name 'x' stands 2 times"),
        (FuseColumn(name="f", members=("x", "z"), scores=[1.0]), "fuse plan 'f': 'z' is no expert"),
        (FuseColumn(name="f", members=("x",), scores=[1.0]), "fuse plan 'f': it needs two or more different members"),
        (
            FuseColumn(name="f", members=("x", "y"), scores=[1.0, 1.0]),
            "fuse plan 'f': scores: expected an array of shape (1,), got (2,)",
        ),
    ],
)
def test_fuse_plans_that_make_no_sense_are_refused(column: FuseColumn, problem: str) -> None:
    """Ours."""
    with pytest.raises(TrainingError) as raised:
        learn_mapping(["a"], ["x", "y"], np.ones((1, 2)), fuse_columns=[column])
    assert raised.value.problems == (problem,)


def test_a_budget_of_what_is_not_known_is_refused() -> None:
    """Ours: no limit is silently ignored."""
    with pytest.raises(TrainingError, match="cost_per_query_usd is limited, and no expert's is known"):
        learn_mapping(["a"], ["x"], np.ones((1, 1)), budget=Budget(cost_per_query_usd=1.0))
    with pytest.raises(TrainingError, match="budget: hosted_params_b is -1"):
        Budget(hosted_params_b=-1)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 5), st.floats(0, 0.9))
def test_any_gaps_and_any_luck_give_a_plan_for_each_category(seed: int, n: int, experts: int, gaps: float) -> None:
    """Ours: numbers never fail where there is anything to learn from."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 3, (n, experts)) / 2
    scores[rng.random(scores.shape) < gaps] = np.nan
    scores[0, 0] = 1.0
    categories = [f"c{number}" for number in rng.integers(0, 4, n)]
    learned = learn_mapping(categories, [f"e{number}" for number in range(experts)], scores, seed=seed)
    assert set(learned.plans) == set(categories)
    assert all(plan.experts for plan in learned.plans.values())


def _of(outcomes: tuple[list[str], Reals]) -> tuple[list[str], tuple[str, ...], Reals]:
    categories, scores = outcomes
    return categories, EXPERTS, scores


def test_evidence_of_a_fuse_plan_is_of_the_queries_that_were_compared() -> None:
    """Specified: helped, harmed, gain and placebo as counted, where plan, placebo and expert were all graded."""
    categories, scores = graded(each=60)
    best = SKILL["talk"].index(max(SKILL["talk"]))
    fused, placebo = np.ones(180), scores[:, best].copy()
    scores[30:60, best] = np.nan  # of 60 queries of talk, the expert was graded on 30
    fused[:6], placebo[:6], placebo[6:9] = 0.0, 1.0, np.nan
    column = FuseColumn(name="both", members=("cheap", "general"), scores=fused, placebo=placebo)
    cell = learn_mapping(categories, EXPERTS, scores, fuse_columns=[column]).cells["talk"]["both"]
    single = scores[:30, best]
    entering = np.r_[0:6, 9:30]
    gains = fused[entering] - single[entering]
    assert (cell.n, cell.over, cell.compared) == (60, EXPERTS[best], len(entering))
    assert (cell.helped, cell.harmed) == ((gains > 0).sum(), (gains < 0).sum())
    assert cell.counted == pytest.approx(gains.mean())
    assert cell.placebo == pytest.approx((placebo[entering] - single[entering]).mean())
    assert f"of {len(entering)} queries" in cell.evidence_text()


def test_a_fuse_plan_and_its_placebo_are_told_on_one_scale() -> None:
    """Specified: a placebo that scores the same gains the same, in a category so small that gains are drawn in."""
    categories, scores = graded(each=12)
    fused = np.maximum(scores[:, 0], scores[:, 1])
    column = FuseColumn(name="both", members=("maths", "general"), scores=fused, placebo=fused)
    learned = learn_mapping(categories, EXPERTS, scores, fuse_columns=[column])
    for category in SKILL:
        cell = learned.cells[category]["both"]
        assert cell.placebo == cell.counted


def test_a_fuse_plan_that_was_not_compared_has_no_evidence() -> None:
    """Specified: nothing is told of a category in which it was not tried."""
    categories, scores = graded(each=60)
    fused = np.where(np.array(categories) == "talk", np.nan, 1.0)
    column = FuseColumn(name="both", members=("cheap", "general"), scores=fused, placebo=fused)
    learned = learn_mapping(categories, EXPERTS, scores, fuse_columns=[column])
    assert learned.cells["talk"]["both"].evidence_text() == ""
    assert learned.cells["talk"]["general"].evidence_text() == ""
    assert learned.cells["sums"]["both"].evidence_text() != ""
