"""A new expert's place in a learned mapping: what its few shots are worth, and that nothing else moves."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routers.errors import TrainingError
from routers.mapping.budget import Budget
from routers.mapping.change import changes, total
from routers.mapping.learn import FuseColumn, LearnedMapping, learn_mapping
from routers.mapping.newcomer import Shots, category_prices, estimate
from routers.mapping.onboarding import Onboarded, onboard
from routers.mapping.redundancy import pairs_of
from routers.mapping.shrinkage import Ints, Reals
from routers.mapping.table import table_of

CATEGORIES = ("prose", "sums", "verse")
EXPERTS = ("cheap", "dear", "odd")
SKILL = np.array([[0.3, 0.6, 0.4], [0.3, 0.7, 0.4], [0.6, 0.5, 0.3]])
"""Of each expert in each category."""
COSTS = np.array([0.001, 0.004, 0.002])
N = 300


def drawn(seed: int = 0, skill: Reals = SKILL) -> tuple[Ints, Reals]:
    """Categories and scores of graded queries, some hard for all and some easy."""
    rng = np.random.default_rng(seed)
    group = np.arange(N) % len(CATEGORIES)
    luck = 0.5 * rng.random(N)[:, None] + 0.5 * rng.random((N, skill.shape[1]))
    return group, (luck < skill[group]).astype(np.float64)


@cache
def learned(budget: Budget = Budget(), *, priced: bool = True, seed: int = 0) -> LearnedMapping:  # noqa: B008 - frozen
    """From three experts and their graded queries."""
    group, scores = drawn(seed)
    return learn_mapping(
        [CATEGORIES[place] for place in group],
        EXPERTS,
        scores,
        costs_usd=np.tile(COSTS, (N, 1)) if priced else None,
        active_params_b=[1.0, 9.0, 3.0],
        budget=budget,
    )


def shots(scores: Reals, group: Ints | None = None, *, cost: float = 0.001, others: Reals | None = None) -> Shots:
    """Category by category in turn, where they are not told."""
    k = len(scores)
    return Shots(
        group=np.arange(k) % len(CATEGORIES) if group is None else group,
        scores=scores,
        others=np.full((k, len(EXPERTS)), np.nan) if others is None else others,
        costs_usd=np.full(k, cost),
    )


def firsts(mapping: LearnedMapping) -> dict[str, str]:
    return {category: plan.experts[0] for category, plan in mapping.plans.items()}


def test_a_clearly_better_expert_takes_the_categories_that_it_is_better_in() -> None:
    """Specified: with fifty shots, and the report says what is gained."""
    mapping = learned()
    placed = onboard(mapping, "new", shots(np.ones(50)))
    assert firsts(placed.mapping) == dict.fromkeys(CATEGORIES, "new")
    found = changes(mapping, placed)
    assert [change.verdict for change in found] == ["gains"] * 3
    assert all(change.gain.low < change.gain.value < change.gain.high for change in found)
    assert sum(change.shots for change in found) == 50
    assert total(mapping, placed).low > 0
    assert found[0].cost_after == pytest.approx(0.001)


@pytest.mark.parametrize("seed", range(3))
def test_five_lucky_shots_in_a_row_win_no_category_of_a_good_expert(seed: int) -> None:
    """Specified: they are drawn to what the pool is like, and the bound is below."""
    mapping = learned(seed=seed)
    placed = onboard(mapping, "new", shots(np.ones(5), np.full(5, 1)))
    cell = placed.mapping.cells["sums"]["new"]
    assert cell.mean is not None
    assert cell.mean < 0.9
    assert firsts(placed.mapping)["sums"] == firsts(mapping)["sums"] == "dear"


@settings(max_examples=20, deadline=None)
@given(st.integers(5, 50), st.integers(0, 1000), st.sampled_from([0.0005, 0.001, 0.01]))
def test_an_expert_that_is_worse_everywhere_changes_no_first_choice(k: int, seed: int, cost: float) -> None:
    """Specified: at the best end of the frontier; whatever it costs."""
    mapping = learned(seed=seed % 3)
    rng = np.random.default_rng(seed)
    placed = onboard(mapping, "new", shots((rng.random(k) < 0.05).astype(np.float64), cost=cost)).mapping
    assert firsts(placed) == firsts(mapping)
    assert placed.fallback.experts[0] == mapping.fallback.experts[0]
    assert all("new" in ranking for ranking in placed.ranking.values())


@settings(max_examples=25, deadline=None)
@given(st.integers(5, 50), st.integers(0, 1000), st.floats(0.2, 1.0))
def test_what_is_known_of_the_others_stays_to_the_bit(k: int, seed: int, skill: float) -> None:
    """Specified: cells, their order among each other, the best single expert; only the newcomer is added."""
    mapping = learned()
    rng = np.random.default_rng(seed)
    new = onboard(mapping, "new", shots((rng.random(k) < skill).astype(np.float64))).mapping
    assert new.experts == (*mapping.experts, "new")
    for category in CATEGORIES:
        assert {name: cell for name, cell in new.cells[category].items() if name != "new"} == mapping.cells[category]
        assert tuple(name for name in new.ranking[category] if name != "new") == mapping.ranking[category]
    assert tuple(name for name in new.general_ranking if name != "new") == mapping.general_ranking
    assert (new.best_single, new.queries, new.confidence) == (mapping.best_single, mapping.queries, mapping.confidence)
    assert LearnedMapping.from_dict(new.as_dict()) == new


@settings(max_examples=25, deadline=None)
@given(st.integers(5, 30), st.integers(0, 1000))
def test_the_order_of_the_shots_does_not_matter(k: int, seed: int) -> None:
    """Specified: the same mapping to the last digit."""
    mapping = learned()
    rng = np.random.default_rng(seed)
    given_shots = Shots(
        group=rng.integers(len(CATEGORIES), size=k),
        scores=rng.random(k).round(1),
        others=np.where(rng.random((k, 3)) < 0.3, np.nan, rng.random((k, 3)).round(1)),
        costs_usd=np.where(rng.random(k) < 0.5, 0.001, np.where(rng.random(k) < 0.5, np.nan, 0.003)),
    )
    given_shots.costs_usd[0] = 0.001
    order = rng.permutation(k)
    permuted = Shots(
        group=given_shots.group[order],
        scores=given_shots.scores[order],
        others=given_shots.others[order],
        costs_usd=given_shots.costs_usd[order],
    )
    first, second = onboard(mapping, "new", given_shots), onboard(mapping, "new", permuted)
    assert first.mapping == second.mapping
    assert (first.estimate.covariance == second.estimate.covariance).all()


def test_solving_what_nobody_solves_is_worth_more_than_solving_what_all_do() -> None:
    """Specified: the others' scores of the same queries say how hard they are."""
    means = np.full((1, 3), 0.5)
    solved = Shots(
        group=np.zeros(10, dtype=np.intp), scores=np.ones(10), others=np.zeros((10, 3)), costs_usd=np.full(10, np.nan)
    )
    easy = replace(solved, others=np.ones((10, 3)))
    unknown = replace(solved, others=np.full((10, 3), np.nan))
    hard_mean, easy_mean, plain_mean = (
        float(estimate(one, means, shares=np.ones(1)).mean[0]) for one in (solved, easy, unknown)
    )
    assert easy_mean < plain_mean < hard_mean


def test_others_scores_make_estimates_better_on_the_average() -> None:
    """Ours: where queries differ in how hard they are; less error with them than without."""
    errors: list[tuple[float, float]] = []
    for seed in range(60):
        group, scores = drawn(seed, np.column_stack([SKILL, [0.4, 0.6, 0.4]]))
        rows = np.random.default_rng(seed).permutation(N)[:20]
        means = np.array([scores[group == place, :3].mean(axis=0) for place in range(3)])
        truth = scores[:, 3].mean()
        paired = Shots(
            group=group[rows], scores=scores[rows, 3], others=scores[rows, :3], costs_usd=np.full(20, np.nan)
        )
        plain = replace(paired, others=np.full((20, 3), np.nan))
        shares = np.full(3, 1 / 3)
        with_them, without = (shares @ estimate(one, means, shares=shares).mean - truth for one in (paired, plain))
        errors.append((with_them**2, without**2))
    with_others, alone = np.mean(errors, axis=0)
    assert with_others < 0.95 * alone


def test_the_intervals_hold_what_they_say() -> None:
    """Ours: of experts as different as those of the pool, about 95 of 100 by category."""
    held: list[bool] = []
    rng = np.random.default_rng(1)
    for _ in range(200):
        level = rng.normal(0, 0.12, size=7)
        skill = np.clip(0.5 + level[None, :] + rng.normal(0, 0.05, size=(3, 7)), 0.02, 0.98)
        rows = rng.integers(3, size=15)
        scores = (rng.random((15, 7)) < skill[rows]).astype(np.float64)
        found = estimate(
            Shots(group=rows, scores=scores[:, 6], others=np.full((15, 6), np.nan), costs_usd=np.full(15, np.nan)),
            skill[:, :6],
            shares=np.full(3, 1 / 3),
        )
        held += (np.abs(found.mean - skill[:, 6]) < 1.96 * found.sd).tolist()
    assert 0.9 < np.mean(held) <= 1.0


def test_prices_follow_those_of_the_others_where_no_shot_says() -> None:
    """Ours: twice as dear at sums is taken to be twice as dear at verse."""
    pool = np.array([0.001, 0.002, 0.004])
    one = Shots(
        group=np.full(8, 1),
        scores=np.ones(8),
        others=np.full((8, 1), np.nan),
        costs_usd=np.full(8, 0.004),
    )
    prices = category_prices(one, pool)
    assert prices is not None
    assert prices == pytest.approx([0.002, 0.004, 0.008])


@pytest.mark.parametrize("cost", [0.002, 0.02])
def test_the_budget_is_kept(cost: float) -> None:
    """Specified: a perfect expert that costs too much answers no more than the budget allows."""
    mapping = learned(Budget(cost_per_query_usd=0.003))
    new = onboard(mapping, "new", shots(np.ones(50), cost=cost)).mapping
    assert new.frontier[-1].cost <= 0.003 * (1 + 1e-6)
    chosen = list(firsts(new).values())
    assert ("new" in chosen) == (cost < 0.003)


def test_active_parameters_are_kept_and_have_to_be_known() -> None:
    """Specified: of all experts, where they are limited."""
    mapping = learned(Budget(active_params_b=5.0), priced=False)
    sizes = {"cheap": 1.0, "dear": 9.0, "odd": 3.0}
    large = onboard(mapping, "new", shots(np.ones(50)), active_params_b={**sizes, "new": 50.0}).mapping
    small = onboard(mapping, "new", shots(np.ones(50)), active_params_b={**sizes, "new": 2.0}).mapping
    assert "new" not in firsts(large).values()
    assert set(firsts(small).values()) == {"new"}
    assert small.frontier[-1].cost <= 5.0
    with pytest.raises(TrainingError, match="active_params_b of 'new'"):
        onboard(mapping, "new", shots(np.ones(50)), active_params_b=sizes)


def test_a_fuse_plan_stays_where_it_was_proven_and_the_newcomer_is_no_better() -> None:
    """Ours: its gain was on the category's single expert, and its credit is that one's and the gain."""
    group, scores = drawn()
    columns = [FuseColumn(name="cheap+dear", members=("cheap", "dear"), scores=np.minimum(1.0, scores[:, 1] + 0.15))]
    mapping = learn_mapping([CATEGORIES[place] for place in group], EXPERTS, scores, fuse_columns=columns)
    assert {plan.kind for plan in mapping.plans.values()} == {"fuse"}
    worse = onboard(mapping, "new", shots(np.zeros(20))).mapping
    assert worse.plans == mapping.plans
    assert worse.frontier == mapping.frontier
    better = onboard(mapping, "new", shots(np.ones(50))).mapping
    assert "new" in firsts(better).values()


def test_mappings_stored_without_shares_have_them_from_their_cells() -> None:
    """Ours: by the expert of whom most is known."""
    mapping = learned()
    old = LearnedMapping.from_dict({key: value for key, value in mapping.as_dict().items() if key != "shares"})
    assert table_of(old).shares == pytest.approx(table_of(mapping).shares)


@pytest.mark.parametrize(
    ("expert", "given_shots", "said"),
    [
        ("dear", shots(np.ones(5)), "'dear' is in the mapping already"),
        ("new", shots(np.ones(4)), "4 graded queries of 'new'; at least 5 are needed"),
        ("new", shots(np.ones(5), cost=np.nan), "no shot says what 'new' costs"),
    ],
)
def test_what_cannot_be_placed_is_refused(expert: str, given_shots: Shots, said: str) -> None:
    """Specified: with the reason."""
    with pytest.raises(TrainingError, match=said):
        onboard(learned(), expert, given_shots)


def test_a_second_newcomer_is_placed_like_the_first() -> None:
    """Ours: the first counts among the experts then."""
    first: Onboarded = onboard(learned(), "new", shots(np.ones(20)))
    more = np.full((20, 4), np.nan)
    second = onboard(first.mapping, "newer", shots(np.zeros(20), others=more)).mapping
    assert second.experts == (*EXPERTS, "new", "newer")
    assert firsts(second) == firsts(first.mapping)


def test_a_clone_is_redundant_and_a_different_expert_is_not() -> None:
    """Specified: errors that are the same, and nothing in which it is better; the later of two equals goes."""
    group, scores = drawn()
    scores = np.column_stack([scores, np.where(np.arange(N) < 20, scores[:, 1], np.nan)])
    (pair, *others) = pairs_of((*EXPERTS, "clone"), scores, group, of="clone")
    assert pair.experts == ("dear", "clone")
    assert (pair.redundant, pair.n, pair.together) == ("clone", 20, True)
    assert pair.low < pair.correlation == pytest.approx(1)
    assert all(other.redundant is None for other in others)
    assert {frozenset(other.experts) for other in others} == {
        frozenset({"clone", "cheap"}),
        frozenset({"clone", "odd"}),
    }


def test_of_two_that_err_together_the_worse_goes_unless_it_is_cheaper() -> None:
    """Specified: dominated is not better anywhere, and no cheaper either."""
    group, scores = drawn()
    worse = scores[:, 1] * (np.random.default_rng(0).random(N) < 0.95)
    both = np.column_stack([worse, scores[:, 1]])
    (same_price,) = pairs_of(("small", "large"), both, group, prices=[1.0, 1.0])
    (cheaper,) = pairs_of(("small", "large"), both, group, prices=[0.5, 1.0])
    assert (same_price.redundant, cheaper.redundant) == ("small", None)
    assert cheaper.together


def test_too_few_common_queries_or_errors_that_do_not_vary_tell_nothing() -> None:
    """Ours: such pairs are left out."""
    group, scores = drawn()
    few = np.column_stack([scores[:, 1], np.where(np.arange(N) < 9, scores[:, 1], np.nan)])
    assert pairs_of(("one", "other"), few, group, of="other") == []
    assert pairs_of(("one", "right"), np.column_stack([scores[:, 1], np.ones(N)]), group, of="right") == []
