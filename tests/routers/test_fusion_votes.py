"""Votes over drafts: who wins, when that is certain, what a consensus keeps, and what weights are learned."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.stages.consensus import nearest, peer_scores
from routers.fusion import Ballots, ballots_of, decide, speakers, winners
from routers.fusion.fitted import fitted_weights
from routers.fusion.kept import nearest_kept, some_kept, unanimous
from routers.fusion.order import greedy_order
from routers.fusion.reliability import accuracies, effective_options, log_odds
from routers.fusion.votes import Ints, Reals, calls, support

Given = list[str | None]

ANSWERS = st.sampled_from(["A", "B", "C", None])
WEIGHTS = st.sampled_from([-1.0, 0.0, 0.25, 1.0, 1.5, 2.0])


@st.composite
def votes(draw: st.DrawFn) -> tuple[Given, list[float]]:
    """Up to six answers with their weights; few different values, so that ties are common."""
    k = draw(st.integers(1, 6))
    return (
        draw(st.lists(ANSWERS, min_size=k, max_size=k)),
        draw(st.lists(WEIGHTS, min_size=k, max_size=k)),
    )


def ballot(answers: Given) -> Ballots:
    """One query."""
    return ballots_of([answers], ["0\0q"])


def answer(answers: Given, weights: list[float]) -> str | None:
    """What wins."""
    winner = int(winners(ballot(answers), np.array(weights))[0])
    return None if winner < 0 else answers[winner]


def test_the_answer_with_the_most_weight_wins_and_its_heaviest_voter_speaks() -> None:
    """Specified: weights add up; of those who agree the most reliable one's draft is the answer."""
    ballots = ballots_of([["A", "B", "B"], ["A", "B", None], [None, None, None]], ["x", "y", "z"])
    weights = np.array([1.5, 0.9, 1.0])
    assert support(ballots, weights).tolist() == [[1.5, 1.9, 1.9], [1.5, 0.9, -np.inf], [-np.inf] * 3]
    assert winners(ballots, weights).tolist() == [2, 0, -1]


@given(votes(), st.randoms())
def test_the_order_of_the_drafts_never_decides(given_votes: tuple[Given, list[float]], random: object) -> None:
    """Specified: permuting drafts with their weights leaves the winning answer as it is, ties included."""
    answers, weights = given_votes
    pairs = list(zip(answers, weights, strict=True))
    random.shuffle(pairs)  # type: ignore[attr-defined]
    assert answer([a for a, _ in pairs], [w for _, w in pairs]) == answer(answers, weights)


@given(votes())
def test_the_winner_has_the_largest_sum_of_weights(given_votes: tuple[Given, list[float]]) -> None:
    """Specified: by adding up; None is no vote, and the result where nobody votes."""
    answers, weights = given_votes
    sums: dict[str, float] = {}
    for said, weight in zip(answers, weights, strict=True):
        if said is not None:
            sums[said] = sums.get(said, 0.0) + weight
    winner = answer(answers, weights)
    assert (winner is None) == (not sums)
    assert winner is None or sums[winner] == pytest.approx(max(sums.values()))


@given(
    st.lists(st.tuples(st.integers(0, 2), st.floats(0.36, 0.97)), min_size=1, max_size=5),
    st.integers(3, 5),
)
def test_the_weighted_vote_is_the_most_probable_answer(voters: list[tuple[int, float]], options: int) -> None:
    """Specified: Bayes' rule over every option, for independent experts whose errors fall evenly on the others."""

    def likelihood(truth: int) -> float:
        return math.prod(a if vote == truth else (1 - a) / (options - 1) for vote, a in voters)

    weights = [float(log_odds(np.float64(accuracy), options)) for _, accuracy in voters]
    winner = answer([str(vote) for vote, _ in voters], weights)
    assert winner is not None
    assert likelihood(int(winner)) == pytest.approx(max(likelihood(option) for option in range(options)))


def test_sums_do_not_depend_on_the_order_of_the_votes() -> None:
    """Ours: 0.1 + 0.2 + 0.3 ties with 0.3 + 0.2 + 0.1, and with 0.6, however they are added."""
    ballots = [("x", 0.1), ("x", 0.2), ("x", 0.3), ("y", 0.6)]
    orders = itertools.permutations(ballots)
    assert len({answer([said for said, _ in order], [weight for _, weight in order]) for order in orders}) == 1


def test_without_draws_the_heaviest_voter_breaks_a_tie_and_then_the_first() -> None:
    """Ours: a service has nothing to draw from that a record of it has too; where nobody votes the first speaks."""
    given: list[Given] = [["A", "B", "B"], ["A", "B", None], [None, None, None]]
    assert speakers(ballots_of(given), np.array([1.0, 0.5, 0.5])).tolist() == [0, 0, 0]
    assert speakers(ballots_of(given), np.array([1.0, 1.0, 0.0])).tolist() == [0, 0, 0]
    drawn = ballots_of(given, ["x", "y", "z"])
    assert speakers(drawn.undrawn, np.ones(3)).tolist() == [1, 0, 0]


@given(votes())
def test_after_the_counted_calls_nothing_can_change_the_winner(given_votes: tuple[Given, list[float]]) -> None:
    """Specified: whoever is not asked any more could not have changed the answer, whatever the answer."""
    answers, weights = given_votes
    asked = int(calls(ballot(answers), np.array(weights))[0])
    rest = len(answers) - asked
    final = answer(answers, weights)
    for said in ("A", "B", "C", "D", None):
        assert answer(answers[:asked] + [said] * rest, weights) == (final if rest else answer(answers, weights))


def test_a_dominant_expert_is_asked_alone_and_the_others_where_it_is_silent() -> None:
    """Ours: a single expert with fallbacks is a vote in which each outweighs all after it."""
    ballots = ballots_of([["A", "B", "B"], [None, "B", "C"], [None, None, "C"]], ["x", "y", "z"])
    found = decide(ballots, np.array([1.0, 0.5, 0.25]), (0, 1, 2))
    assert found.winner.tolist() == [0, 1, 2]
    assert found.asked.tolist() == [[True, False, False], [True, True, False], [True, True, True]]


def test_experts_are_asked_in_the_order_given() -> None:
    """Ours: positions of winners and of those asked are those of all experts, not of the vote's."""
    found = decide(ballots_of([["A", "B", "A", "B"]], ["x"]), np.array([1.0, 1.0, 1.0]), (3, 1, 0))
    assert found.winner.tolist() == [3]
    assert found.asked.tolist() == [[False, True, False, True]]


def test_ties_differ_between_queries_but_not_between_runs() -> None:
    """Ours: a tie is drawn from the query's own key."""
    keys = [f"0\0q{number}" for number in range(200)]
    first, second = (winners(ballots_of([["A", "B"]] * 200, keys), np.ones(2)) for _ in range(2))
    assert first.tolist() == second.tolist()
    assert 60 < int(first.sum()) < 140


@given(st.lists(st.lists(ANSWERS, min_size=5, max_size=5), min_size=1, max_size=4))
def test_the_consensus_keeps_what_the_service_would_keep(answers: list[Given]) -> None:
    """Ours: fewest votes against, as `orchestrator.stages.consensus` has it for any agreement."""
    ballots = ballots_of(answers, [str(row) for row in range(len(answers))])
    keep = np.full(len(answers), 3, dtype=np.intp)
    kept = nearest_kept(ballots, keep, np.random.default_rng(0).random((len(answers), 5)))
    alone = unanimous(ballots)
    for row, flags in enumerate(kept):
        spoken = np.flatnonzero(ballots.answered[row])
        same = ballots.same[row][np.ix_(spoken, spoken)].astype(np.float64)
        np.fill_diagonal(same, 1.0)
        scores = peer_scores(1.0 - same)
        expected = spoken if alone[row] else spoken[nearest(scores, 3)]
        of = dict(zip(spoken.tolist(), scores, strict=True))
        assert sorted(of[at] for at in np.flatnonzero(flags).tolist()) == sorted(of[at] for at in expected.tolist())


def test_the_placebo_drops_as_many_whatever_they_say() -> None:
    """Specified: the same number of drafts, chosen by chance."""
    ballots = ballots_of([["A", "A", "A", "B", "C"]] * 400, [str(row) for row in range(400)])
    draws = np.random.default_rng(1).random((400, 5))
    keep = np.full(400, 3, dtype=np.intp)
    assert nearest_kept(ballots, keep, draws)[:, :3].all()
    some = some_kept(ballots, keep, draws)
    assert (some.sum(axis=1) == 3).all()
    assert np.abs(some.mean(axis=0) - 0.6).max() < 0.1


def test_unanimous_drafts_are_all_kept() -> None:
    """Ours: where all who answered say the same nothing is dissent."""
    ballots = ballots_of([["A", "A", None, "A"], ["A", "B", None, "A"]], ["x", "y"])
    assert unanimous(ballots).tolist() == [True, False]
    kept = nearest_kept(ballots, np.array([1, 1]), np.zeros((2, 4)))
    assert kept.sum(axis=1).tolist() == [3, 1]


def test_weights_by_reliability_are_log_odds_drawn_towards_the_overall_accuracy() -> None:
    """Specified: log(a (K - 1) / (1 - a)); a category without queries has the overall accuracy."""
    scores = np.array([[1.0, 0.0]] * 30 + [[0.0, 0.0]] * 10)
    group = np.array([0] * 30 + [1] * 10)
    accuracy = accuracies(scores, group, count=3)
    assert accuracy[0, 0] > accuracy[3, 0] == accuracy[2, 0] > accuracy[1, 0]
    assert accuracy.min() > 0
    assert log_odds(accuracy, 4)[0, 0] == pytest.approx(math.log(accuracy[0, 0] * 3 / (1 - accuracy[0, 0])))


def test_weights_rise_with_reliability_from_0_at_guessing() -> None:
    """Specified: below that an answer speaks against itself."""
    weights = log_odds(np.array([0.1, 0.25, 0.5, 0.9]), 4).tolist()
    assert weights == sorted(weights)
    assert weights[1] == pytest.approx(0.0)
    assert log_odds(np.float64(0.8), 2) == pytest.approx(math.log(4))


def test_effective_options_count_how_often_wrong_answers_differ() -> None:
    """Ours: two wrong experts that agree once in four times decide among five options."""
    answers: list[Given] = [["A", "A"], ["A", "B"], ["A", "C"], ["B", "C"], ["R", "A"]]
    scores = np.array([[0.0, 0.0]] * 4 + [[1.0, 0.0]])
    assert effective_options(ballots_of(answers, list("vwxyz")), scores) == pytest.approx(5.0)
    assert effective_options(ballots_of([["R", "R"]], ["x"]), np.ones((1, 2))) == 2.0


def drawn(n: int, accuracy: list[float], *, copies: int = 0, seed: int = 0) -> tuple[Ballots, Reals, Ints]:
    """Independent experts among four options, the right one R; the first one stands `copies` more times at the end."""
    random = np.random.default_rng(seed)
    right = random.random((n, len(accuracy))) < np.array(accuracy)
    said = np.where(right, "R", random.choice(["A", "B", "C"], size=right.shape))
    said = np.hstack([said, np.repeat(said[:, :1], copies, axis=1)])
    return ballots_of(said.tolist(), [str(row) for row in range(n)]), (said == "R") * 1.0, np.zeros(n, dtype=np.intp)


def test_fitted_weights_of_independent_experts_are_their_log_odds() -> None:
    """Specified: with errors that are even and independent the likeliest weights are the log odds."""
    accuracy = [0.8, 0.6, 0.4]
    ballots, scores, group = drawn(6000, accuracy)
    weights = fitted_weights(ballots, scores, group, count=1)[0]
    assert weights == pytest.approx(log_odds(np.array(accuracy), 4), abs=0.12)


def test_experts_that_err_together_share_their_weight() -> None:
    """Specified: copies of an expert add nothing, where log odds would count them three times."""
    ballots, scores, group = drawn(4000, [0.7, 0.65, 0.6], copies=2)
    weights = fitted_weights(ballots, scores, group, count=1)[0]
    alone = fitted_weights(ballots.experts([0, 1, 2]), scores[:, :3], group, count=1)[0]
    assert weights[[0, 3, 4]].sum() == pytest.approx(alone[0], abs=0.05)
    assert weights[1:3] == pytest.approx(alone[1:3], abs=0.05)


def test_weights_are_learned_where_nobody_ever_disagrees() -> None:
    """Ours: nothing is told, so all experts weigh the same."""
    ballots = ballots_of([["R", "R"]] * 5, list("vwxyz"))
    weights = fitted_weights(ballots, np.ones((5, 2)), np.zeros(5, dtype=np.intp), count=1)
    assert weights[0, 0] == weights[0, 1]


def test_the_best_expert_is_asked_first_and_its_copy_last() -> None:
    """Ours: what counts is what an expert adds, not how good it is alone."""
    ballots, scores, _ = drawn(3000, [0.8, 0.7, 0.65], copies=1)
    weights = np.broadcast_to(log_odds(scores.mean(axis=0), 4), scores.shape)
    assert greedy_order(ballots, scores, weights, np.full(3000, 4.0)) == [0, 1, 2, 3]
