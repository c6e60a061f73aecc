"""Weights without labels: by hand, by hypothesis, with a corrupt member, and the gate of labels before them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routers.fusion import ballots_of, winners
from routers.fusion.learn import Lesson, fuse_columns
from routers.fusion.stability import LEAST, MOST, capped, confirmed, helped, stable_weights
from routers.fusion.votes import Ballots, Ints, Reals

ANSWERS = st.sampled_from(["A", "B", "C", None])
WEIGHTS = st.floats(-5, 5, allow_subnormal=False)


def planted(accuracy: list[float], *, n: int, options: int = 4, seed: int = 0) -> tuple[Ballots, Reals]:
    """Answers of experts that err independently, the right one being 0, and their scores."""
    random = np.random.default_rng(seed)
    right = random.random((n, len(accuracy))) < np.array(accuracy)
    codes = np.where(right, 0, random.integers(1, options, size=right.shape))
    return Ballots(codes.astype(np.intp), np.zeros(right.shape)), right.astype(np.float64)


def test_confirmed_answers_by_hand() -> None:
    """Who is with the others' majority; with a tie among them a share; alone, silent or contradicted: nothing."""
    found = confirmed(ballots_of([["A", "A", "A", "B"], ["A", "A", "B", "B"], ["A", "B", "C", None], [None] * 4]))
    assert found.tolist() == [[1, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    found = confirmed(ballots_of([["A", "A", "B", "C"], ["A", "A", "B", None]]))
    assert found.tolist() == [pytest.approx([1 / 3, 1 / 3, 0, 0]), pytest.approx([0.5, 0.5, 0, 0])]


def test_weights_are_capped_by_hand() -> None:
    """Around the median: never above twice or below half of it; equal where there is nothing to go by."""
    assert capped(np.array([1.0, 2.0, 9.0])).tolist() == [0.5, 1.0, 2.0]
    assert capped(np.array([-1.0, -2.0, 3.0])).tolist() == [1.0, 1.0, 1.0]
    assert capped(np.array([[4.0, 4.0], [0.0, 0.0]])).tolist() == [[1.0, 1.0], [1.0, 1.0]]


@given(st.lists(WEIGHTS, min_size=1, max_size=7))
def test_no_weight_is_over_twice_the_median(weights: list[float]) -> None:
    """Nor below a fourth of it; and a heavier one never becomes the lighter one."""
    found = capped(np.array(weights))
    assert found.max() <= MOST * np.median(found) + 1e-9
    assert found.min() >= LEAST
    order = np.argsort(weights, kind="stable")
    assert (np.diff(found[order]) >= -1e-9).all()


@given(st.lists(st.lists(ANSWERS, min_size=3, max_size=3), min_size=1, max_size=6), st.permutations(range(3)))
def test_the_order_of_the_experts_does_not_matter(given_answers: list[list[str | None]], order: list[int]) -> None:
    """Who is confirmed stays who is, and shares stay shares."""
    plain = confirmed(ballots_of(given_answers))
    turned = confirmed(ballots_of([[row[at] for at in order] for row in given_answers]))
    np.testing.assert_allclose(turned, plain[:, order])
    assert ((plain >= 0) & (plain <= 1)).all()


@given(st.lists(st.lists(ANSWERS, min_size=4, max_size=4), min_size=1, max_size=6))
def test_duplicated_queries_change_no_confirmation(given_answers: list[list[str | None]]) -> None:
    """It is told of each query by itself."""
    once, twice = (confirmed(ballots_of(given_answers * times)) for times in (1, 2))
    np.testing.assert_array_equal(np.concatenate([once, once]), twice)


def weights_of(ballots: Ballots) -> Reals:
    """Of all queries."""
    group: Ints = np.zeros(len(ballots), dtype=np.intp)
    return stable_weights(ballots, group, np.array([4.0, 4.0]), count=1)[-1]


def test_a_corrupt_member_loses_weight_and_the_vote_is_no_worse() -> None:
    """PAPERS.md 3.8: planted; one of five guesses, and the vote never falls below the equal one by over .005."""
    ballots, right = planted([0.7, 0.7, 0.7, 0.7, 0.25], n=4000)
    weights = weights_of(ballots)
    assert weights[-1] == LEAST
    assert weights[:-1] == pytest.approx(1, abs=0.1)
    scores = [right[np.arange(4000), winners(ballots, each)].mean() for each in (weights, np.ones(5))]
    assert scores[0] >= scores[1] - 0.005


def test_a_member_that_always_says_the_same_is_not_taken_for_stable() -> None:
    """Stability is not correctness: its constant answer is confirmed by nobody but by chance."""
    random = np.random.default_rng(1)
    truth = random.integers(0, 4, size=(3000, 1))
    right = random.random((3000, 4)) < 0.7
    others = np.where(right, truth, (truth + random.integers(1, 4, size=(3000, 4))) % 4)
    codes = np.concatenate([others, np.zeros((3000, 1), dtype=others.dtype)], axis=1).astype(np.intp)
    assert weights_of(Ballots(codes, np.zeros(codes.shape)))[-1] == LEAST


def test_it_has_helped_only_where_labels_show_it_beyond_chance() -> None:
    """A clear gain, a gain of a few queries, none at all, and harm."""
    base = np.zeros(200)
    clear, few, harm = base.copy(), base.copy(), base.copy()
    clear[:40], few[:5], harm[:40] = 1, 1, -1
    assert [helped(row, base) for row in (clear, few, base, harm)] == [True, False, False, False]


def columns(ballots: Ballots, scores: Reals) -> set[str]:
    n = len(ballots)
    lesson = Lesson(
        ballots=ballots,
        scores=scores,
        group=np.zeros(n, dtype=np.intp),
        options=np.full(n, 4.0),
        categories=("all",),
    )
    names = tuple(f"e{at}" for at in range(scores.shape[1]))
    return {column.name for column in fuse_columns(lesson, experts=names, fold=(np.arange(n) // 10) % 5, most=5)}


def test_learning_offers_no_stable_vote_where_labels_do_as_well() -> None:
    """Two good experts and three that guess: better than equal votes, but not than labelled weights."""
    assert "stable vote of 5" not in columns(*planted([0.8, 0.8, 0.3, 0.3, 0.3], n=1500))


BLIND = np.array(
    [
        *[[0, 0, 0, 4, 5]] * 3,
        [0, 0, 3, 4, 5],
        [0, 2, 0, 4, 5],
        [1, 0, 0, 4, 5],  # log odds trust the first more than the two that are right
        *[[0, 2, 3, 9, 9]] * 4,  # equal weights take the copies
    ]
)
"""0 is right, 9 a wrong answer that the last two copy from each other, others are one expert's own."""


def test_learning_offers_a_stable_vote_where_it_beats_equal_and_labelled_weights() -> None:
    """By hand: in a tenth of the queries the most reliable expert is outvoted rightly, in four it is copied against."""
    codes = np.tile(BLIND, (30, 1)).astype(np.intp)
    found = columns(Ballots(codes, np.zeros(codes.shape)), (codes == 0).astype(np.float64))
    assert "stable vote of 5" in found


def test_learning_offers_none_among_equals() -> None:
    """There is nothing to gain over equal weights."""
    assert "stable vote of 5" not in columns(*planted([0.6] * 5, n=1500))
