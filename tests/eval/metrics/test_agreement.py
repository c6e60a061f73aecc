"""Consensus by likelihood and votes: the golden vector, and Bayes' rule by enumeration."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.metrics.agreement import likelihood_scores, majority_vote, reliability_weight, smoothed, weighted_vote
from orchestrator.stages.consensus import nearest

GOLDEN = np.array(
    [
        [0.20, 0.25, 0.30, 1.50, 2.00],
        [0.22, 0.18, 0.28, 1.40, 1.90],
        [0.30, 0.26, 0.15, 1.70, 1.60],
        [0.90, 0.95, 0.85, 0.10, 1.80],
        [1.10, 1.20, 1.00, 2.10, 0.12],
    ]
)
"""PAPERS.md section 2: row judge on column answer, A to E."""

votes = st.lists(st.sampled_from(["x", "y", "z", None]), min_size=1, max_size=8)


def test_golden_scores_and_the_three_nearest() -> None:
    """C, A and B are kept."""
    scores = likelihood_scores(GOLDEN)
    assert scores == pytest.approx([1.97, 2.09, 1.83, 6.05, 6.67])
    assert [int(i) for i in np.argsort(scores)[:3]] == [2, 0, 1]
    assert nearest(scores.tolist(), 3) == [0, 1, 2]


@pytest.mark.parametrize("missing", ["require", "average"])
def test_a_complete_matrix_needs_no_rule_for_gaps(missing: str) -> None:
    """Both give the paper's sum."""
    assert likelihood_scores(GOLDEN, missing=missing) == pytest.approx(likelihood_scores(GOLDEN))  # type: ignore[arg-type]


def test_a_missing_pair_flatters_nobody() -> None:
    """Left out of the sum, E without its harshest judge D would pass from 6.67 to 4.97 and so before D."""
    gap = GOLDEN.copy()
    gap[3, 4] = math.nan
    assert likelihood_scores(gap)[4] == math.inf
    averaged = likelihood_scores(gap, missing="average")
    assert averaged[4] == pytest.approx((6.67 - 1.70) * 4 / 3)
    assert averaged[:4] == pytest.approx([1.97, 2.09, 1.83, 6.05])
    assert averaged[4] > averaged[3]


def test_an_author_that_cannot_judge_does_not_win_by_it() -> None:
    """Without E's value of its own draft no pair with it can be had: nothing is complete, or all are averaged."""
    gap = GOLDEN.copy()
    gap[4, 4] = math.nan
    assert np.isinf(likelihood_scores(gap)).all()
    averaged = likelihood_scores(gap, missing="average")
    assert averaged[0] == pytest.approx((1.97 - 0.98) * 4 / 3)
    assert averaged[4] == pytest.approx(6.67)


def test_a_draft_that_nobody_judged_is_never_nearest() -> None:
    """Infinity, not 0; infinite likelihoods are as good as none."""
    gap = GOLDEN.copy()
    gap[:4, 4] = math.inf
    scores = likelihood_scores(gap, missing="average")
    assert scores[4] == math.inf
    assert np.isfinite(scores[:4]).all()


def test_a_draft_alone_agrees_with_itself() -> None:
    """There is no pair to miss."""
    assert likelihood_scores(np.array([[0.4]])).tolist() == [0.0]
    assert likelihood_scores(np.array([[0.4]]), missing="average").tolist() == [0.0]


def test_a_matrix_that_is_no_square_is_refused() -> None:
    """Each judge is the author of one draft."""
    with pytest.raises(ValueError, match="square"):
        likelihood_scores(np.zeros((2, 3)))


@given(st.integers(0, 500), st.permutations(range(5)))
def test_scores_are_the_written_sum_and_follow_the_drafts(seed: int, order: list[int]) -> None:
    """By two loops; another order of experts is the same order of scores; a judge's own bias does not count."""
    random = np.random.default_rng(seed)
    nll = random.random((5, 5))
    by_hand = [sum(abs(nll[j, i] - nll[j, j]) for j in range(5) if j != i) for i in range(5)]
    scores = likelihood_scores(nll)
    assert scores == pytest.approx(by_hand)
    assert likelihood_scores(nll[np.ix_(order, order)]) == pytest.approx(scores[order])
    assert likelihood_scores(nll + random.random(5)[:, None]) == pytest.approx(scores)


@given(votes, st.integers(0, 9), st.randoms(use_true_random=False))
def test_a_majority_has_the_most_votes_in_any_order(answers: list[str | None], seed: int, random) -> None:  # noqa: ANN001
    """None is no vote; equal weights are a majority."""
    winner = majority_vote(answers, seed=seed)
    cast = [answer for answer in answers if answer is not None]
    assert (winner is None) == (not cast)
    assert all(cast.count(winner) >= cast.count(answer) for answer in cast)
    assert majority_vote(random.sample(answers, len(answers)), seed=seed) == winner
    assert weighted_vote(answers, [0.7] * len(answers), seed=seed) == winner


def test_ties_are_drawn_by_the_seed_and_evenly() -> None:
    """The same seed draws the same; over many queries each of two gets half."""
    drawn = [majority_vote(["x", "y"], seed=f"0:{query}") for query in range(400)]
    assert drawn == [majority_vote(["y", "x"], seed=f"0:{query}") for query in range(400)]
    assert drawn.count("x") == pytest.approx(200, abs=45)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.floats(0.36, 0.97)), min_size=1, max_size=5),
    st.integers(3, 5),
)
def test_the_weighted_vote_is_the_most_probable_answer(voters: list[tuple[int, float]], options: int) -> None:
    """Bayes' rule over every option, for independent experts whose errors fall evenly on the other options."""

    def likelihood(truth: int) -> float:
        return math.prod(a if vote == truth else (1 - a) / (options - 1) for vote, a in voters)

    weights = [reliability_weight(accuracy, options=options) for _, accuracy in voters]
    winner = weighted_vote([str(vote) for vote, _ in voters], weights, seed=0)
    assert winner is not None
    assert likelihood(int(winner)) == pytest.approx(max(likelihood(option) for option in range(options)))


def test_one_reliable_expert_outvotes_two_that_guess() -> None:
    """A majority would follow the two."""
    weights = [reliability_weight(accuracy, options=4) for accuracy in (0.9, 0.3, 0.3)]
    assert weighted_vote(["x", "y", "y"], weights, seed=0) == "x"
    assert majority_vote(["x", "y", "y"], seed=0) == "y"


def test_sums_do_not_depend_on_the_order_of_the_votes() -> None:
    """0.1 + 0.2 + 0.3 ties with 0.3 + 0.2 + 0.1, and with 0.6, however they are added."""
    ballots = [("x", 0.1), ("x", 0.2), ("x", 0.3), ("y", 0.6)]
    winners = {
        weighted_vote([a for a, _ in order], [w for _, w in order], seed=3) for order in itertools.permutations(ballots)
    }
    assert len(winners) == 1


def test_weights_rise_with_reliability_from_0_at_guessing() -> None:
    """And below it an answer speaks against itself; certainty is refused."""
    weights = [reliability_weight(accuracy, options=4) for accuracy in (0.1, 0.25, 0.5, 0.9)]
    assert weights == sorted(weights)
    assert weights[1] == pytest.approx(0.0)
    assert reliability_weight(0.8, options=2) == pytest.approx(math.log(4))
    for accuracy, options in ((0.0, 4), (1.0, 4), (0.5, 1)):
        with pytest.raises(ValueError, match="no weight"):
            reliability_weight(accuracy, options=options)


def test_few_rows_do_not_make_certainty() -> None:
    """Laplace's rule by default, another prior where one is known."""
    assert smoothed(3, 3) == pytest.approx(4 / 5)
    assert smoothed(0, 0, prior=0.7, strength=5) == pytest.approx(0.7)
