"""The policy of fusion on planted experts: it fuses where that pays, does no harm, and knows what it was not taught."""

from collections.abc import Sequence

import numpy as np
import pytest

from routers.errors import TrainingError
from routers.fusion import ballots_of
from routers.fusion.learn import Lesson, learn_policy, learn_votes, scores_of
from routers.fusion.policy import FusionPolicy

EXPERTS = ("ann", "bob", "cyd", "dan")
EVEN = (0.6, 0.6, 0.6, 0.6)
UNEVEN = (0.95, 0.3, 0.3, 0.3)


def lesson(*groups: tuple[int, Sequence[float]], seed: int = 0) -> Lesson:
    """Categories c0, c1, ... of so many queries, with the experts' accuracies there; four options, R is right."""
    random = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(groups)), [n for n, _ in groups])
    right = random.random((len(group), len(EXPERTS))) < np.array([accuracy for _, accuracy in groups])[group]
    said = np.where(right, "R", random.choice(["A", "B", "C"], size=right.shape))
    return Lesson(
        ballots=ballots_of(said.tolist(), [str(row) for row in range(len(group))]),
        scores=right.astype(np.float64),
        group=group.astype(np.intp),
        options=np.full(len(group), 4.0),
        categories=tuple(f"c{number}" for number in range(len(groups))),
    )


def learned(taught: Lesson, *, most: int = 4) -> FusionPolicy:
    """Five folds by position."""
    return learn_policy(taught, experts=EXPERTS, fold=np.arange(len(taught)) % 5, most=most)


def score(policy: FusionPolicy, asked: Lesson) -> float:
    """On queries that it was not learned from."""
    names = [asked.categories[group] for group in asked.group]
    return float(scores_of(asked.scores, policy.decide(asked.ballots, names).winner).mean())


def test_even_experts_are_fused_and_the_gain_holds() -> None:
    """Specified: four independent experts at .6 are far better together."""
    policy = learned(lesson((400, EVEN)))
    assert policy.mapping.column("c0") in policy.mapping.fused
    assert score(policy, lesson((2000, EVEN), seed=1)) > 0.68


def test_each_category_gets_what_pays_there() -> None:
    """Specified: a strong expert stays alone where it is strong, or its vote decides alone."""
    policy = learned(lesson((500, EVEN), (500, UNEVEN)))
    assert policy.mapping.column("c0") in policy.mapping.fused
    asked = lesson((1000, EVEN), (1000, UNEVEN), seed=1)
    names = [asked.categories[group] for group in asked.group]
    found = policy.decide(asked.ballots, names)
    strong = asked.group == 1
    assert (found.winner[strong] == 0).mean() > 0.9
    assert found.asked[strong].sum(axis=1).mean() < 2.5


def test_copies_of_one_expert_are_never_fused() -> None:
    """Specified (no harm): a vote that cannot gain anything is not taken."""
    taught = lesson((400, EVEN))
    same = Lesson(
        ballots=taught.ballots.experts([0, 0, 0, 0]),
        scores=taught.scores[:, [0, 0, 0, 0]],
        group=taught.group,
        options=taught.options,
        categories=taught.categories,
    )
    policy = learned(same)
    assert policy.mapping.column("c0") in EXPERTS


@pytest.mark.parametrize("seed", range(5))
def test_an_uneven_pool_is_never_much_worse_than_its_best_expert(seed: int) -> None:
    """Specified (no harm): on queries not learned from, at most a hundredth below the best single expert."""
    policy = learned(lesson((150, UNEVEN), (150, (0.7, 0.55, 0.5, 0.5)), seed=seed))
    asked = lesson((2000, UNEVEN), (2000, (0.7, 0.55, 0.5, 0.5)), seed=seed + 100)
    assert score(policy, asked) > asked.scores[:, 0].mean() - 0.01


@pytest.mark.parametrize("most", [1, 2, 3, 4])
def test_no_more_drafts_than_allowed_are_asked_for(most: int) -> None:
    """Specified: no vote is of fewer than three either."""
    taught = lesson((300, EVEN), (300, UNEVEN))
    policy = learned(taught, most=most)
    found = policy.decide(taught.ballots, [taught.categories[group] for group in taught.group])
    assert int(found.asked.sum(axis=1).max()) <= most
    assert {len(fused.members) for fused in policy.mapping.fused.values()} == set(range(3, most + 1))


def test_an_unknown_category_gets_the_best_single_expert() -> None:
    """Ours: what was not learned is not fused."""
    policy = learned(lesson((300, UNEVEN)))
    assert policy.mapping.column("cooking") is None
    found = policy.decide(ballots_of([["A", "B", "B", "B"]], ["x"]), ["cooking"])
    assert found.winner.tolist() == [0]
    assert found.asked.sum() == 1


def test_where_nobody_answers_the_first_draft_is_relayed() -> None:
    """Ours: a draft without an extracted answer is still a draft."""
    policy = learned(lesson((300, UNEVEN)))
    found = policy.decide(ballots_of([[None, None, None, None]], ["x"]), ["c0"])
    assert found.winner.tolist() == [policy.vote("c0")[0][0]]


def test_votes_have_weights_for_categories_that_were_not_seen() -> None:
    """Ours: the last row of a vote's weights is that of all queries."""
    votes = learn_votes(lesson((200, EVEN), (200, UNEVEN)), most=3)
    assert {vote.weights.shape for vote in votes.values()} == {(3, 3)}
    assert set(votes) == {"weighted vote of 3", "fitted vote of 3", "stable vote of 3"}


def test_one_fold_teaches_nothing() -> None:
    """Specified: a vote has to be scored on queries held out from it."""
    taught = lesson((50, EVEN))
    with pytest.raises(TrainingError):
        learn_policy(taught, experts=EXPERTS, fold=np.zeros(50, dtype=np.intp), most=3)


def test_the_same_lesson_teaches_the_same_policy() -> None:
    """Specified: no chance but the seed's."""
    first, second = (learned(lesson((200, EVEN), (200, UNEVEN))) for _ in range(2))
    assert first.mapping == second.mapping
