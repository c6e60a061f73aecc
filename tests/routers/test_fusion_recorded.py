"""Fuse plans from recorded answers: who gets one, that no luck is served, and that no true gain gives none."""

from dataclasses import replace

import numpy as np
import pytest

from routers.fusion.recorded import candidates, grade_of, verdict_name
from routers.mapping.graded import FusedGrade, Grade, Graded
from routers.mapping.harm import SURE_ENOUGH
from routers.mapping.learn import learn_mapping
from routers.mapping.learned import LearnedMapping
from routers.mapping.plan import Plan
from routers.mapping.shrinkage import Reals

EXPERTS = ("ann", "bob", "cyd", "dan")
EVEN = (0.65, 0.65, 0.65, 0.65)
UNEVEN = (0.95, 0.3, 0.3, 0.3)


def line(row: int, category: str, answers: list[str | None], scores: list[float], **fields: object) -> Graded:
    """Of the experts in their order; an answer of None was not recorded."""
    grades = {e: Grade(s, 0.001, a) for e, a, s in zip(EXPERTS, answers, scores, strict=False)}
    return Graded(query=f"query {row}", category=category, outcomes=grades, source=f"f:{row}", **fields)  # type: ignore[arg-type]


def lines(*groups: tuple[str, int, tuple[float, ...]], seed: int = 0) -> list[Graded]:
    """Categories with so many queries, and the accuracies of independent experts there; B is right, of four options."""
    random = np.random.default_rng(seed)
    found: list[Graded] = []
    for category, n, accuracy in groups:
        for _ in range(n):
            right = random.random(len(accuracy)) < np.array(accuracy)
            said = [f"Answer: ({'B' if hit else random.choice(['A', 'C', 'D'])})" for hit in right]
            found.append(line(len(found), category, list(said), right.astype(float).tolist()))
    return found


def table(graded: list[Graded]) -> tuple[list[str], Reals]:
    """Categories, and scores with NaN for who was not graded."""
    scores = [
        [one.outcomes[expert].score if expert in one.outcomes else np.nan for expert in EXPERTS] for one in graded
    ]
    return [one.category or "" for one in graded], np.array(scores)


def learned(graded: list[Graded], *, most: int = 4, seed: int = 0) -> LearnedMapping:
    """The mapping that graded lines teach."""
    categories, scores = table(graded)
    columns = candidates(graded, categories, EXPERTS, scores, most=most, seed=seed)
    costs = np.full(scores.shape, 0.001)
    return learn_mapping(categories, EXPERTS, scores, costs_usd=costs, fuse_columns=columns, seed=seed)


def test_drafts_that_complement_each_other_are_fused_and_others_are_not() -> None:
    """Specified: by category; the vote's weights are stored with it."""
    found = learned(lines(("sums", 200, EVEN), ("tales", 200, UNEVEN)))
    sums, tales = found.plans["sums"], found.plans["tales"]
    assert (sums.kind, tales.kind, tales.experts[0]) == ("fuse", "single", "ann")
    assert len(sums.weights) == len(sums.experts) >= 3
    column = found.column("sums")
    assert column is not None
    cell = found.cells["sums"][column]
    assert cell.gain_low is not None
    assert cell.gain_low > 0
    assert found.drafted == 400
    assert LearnedMapping.from_dict(found.as_dict()) == found


def test_no_plan_has_more_drafts_than_allowed() -> None:
    """Specified: fusion.max_drafts; of two drafts the heavier one always wins, so there is no vote of two."""
    graded = lines(("sums", 200, EVEN))
    assert {len(fused.members) for fused in learned(graded, most=3).fused.values()} == {3}
    assert learned(graded, most=2).fused == {}


def test_too_few_answers_teach_no_fuse_plan() -> None:
    """Ours: fewer than twenty lines, answers of two experts, or grades without answers."""
    graded = lines(("sums", 200, EVEN))
    bare = [line(row, "sums", [None] * 4, [g.score for g in one.outcomes.values()]) for row, one in enumerate(graded)]
    assert learned(graded[:19]).fused == learned(bare).fused == {}
    assert learned(lines(("sums", 200, EVEN[:2]))).fused == {}


def test_experts_that_answer_different_categories_are_panels_of_their_own() -> None:
    """Ours: a vote is learned of those whose answers stand in the same lines, and only chosen where it was tried."""
    first = lines(("sums", 300, EVEN[:3]))
    second = [
        Graded(
            query=f"tale {row}",
            category="tales",
            outcomes={("dan" if e == "ann" else e): g for e, g in one.outcomes.items()},
            source="",
        )
        for row, one in enumerate(lines(("tales", 300, EVEN[:3]), seed=1))
    ]
    found = learned([*first, *second])
    assert {frozenset(fused.members) for fused in found.fused.values()} == {
        frozenset({"ann", "bob", "cyd"}),
        frozenset({"bob", "cyd", "dan"}),
    }
    assert set(found.plans["sums"].experts) == {"ann", "bob", "cyd"}
    assert set(found.plans["tales"].experts) == {"bob", "cyd", "dan"}


def test_a_written_verdict_is_a_candidate_where_it_was_graded_itself() -> None:
    """Specified: with its own cost, the verdict included; nobody replays it, and nowhere else is it chosen."""
    graded = lines(("sums", 100, UNEVEN), ("tales", 100, UNEVEN))
    fused = FusedGrade(experts=("cyd", "bob"), verdict="dan", grade=Grade(1.0, 0.007))
    taught = [
        line(row, "sums", [None] * 4, [0.5, 0.4, 0.4, 0.0], fused=(fused,)) if one.category == "sums" else one
        for row, one in enumerate(graded)
    ]
    found = learned(taught)
    assert found.plans["sums"].kind == "fuse"
    assert (set(found.plans["sums"].experts), found.plans["sums"].verdict) == ({"bob", "cyd"}, "dan")
    assert found.plans["tales"].kind == "single"
    assert found.cells["tales"][verdict_name(fused)].n == 0


def test_three_that_are_cheap_are_on_the_frontier_below_a_dear_one() -> None:
    """Specified: it is compared with what its money buys, and is the best plan only where it beats the dear one too."""
    random = np.random.default_rng(0)
    graded = lines(("sums", 300, EVEN[:3]))
    for one in graded:
        one.outcomes["dan"] = Grade(float(random.random() < 0.97), 0.1)  # type: ignore[index]
    categories, scores = table(graded)
    columns = candidates(graded, categories, EXPERTS, scores, most=3)
    costs = np.tile([0.001, 0.001, 0.001, 0.1], (300, 1))
    found = learn_mapping(categories, EXPERTS, scores, costs_usd=costs, fuse_columns=columns)
    kinds = [found.plan("sums", cost_quality=place).kind for place in (0.0, 0.5, 1.0)]
    assert kinds == ["single", "fuse", "single"]
    assert found.expert("sums") == "dan"
    column = found.column("sums", cost_quality=0.5)
    assert found.cells["sums"][column or ""].over in {"ann", "bob", "cyd"}


def said(kind: str, random: np.random.Generator) -> tuple[list[str | None], list[float]]:
    """Answers and scores of four experts to one query.

    random: who is right has nothing to do with who agrees, so a vote picks anybody. blocs: two and two say the same,
    and the blocs are equally good, so a vote is one of them. even: independent experts, whom a vote betters.
    """
    if kind == "random":
        return list(random.choice(list("ABCD"), size=4)), (random.random(4) < 0.5).astype(float).tolist()
    voices = [0, 0, 1, 1] if kind == "blocs" else [0, 1, 2, 3]
    answers = np.where(random.random(4) < EVEN[0], "B", random.choice(list("ACD"), size=4))[voices]
    return answers.tolist(), (answers == "B").astype(float).tolist()


@pytest.mark.parametrize(
    ("kinds", "share"),
    [(("random",), 0.05), (("blocs",), 0.05), (("blocs", "even"), 1 - SURE_ENOUGH)],
    ids=["random", "blocs", "blocs beside even ones"],
)
def test_without_a_true_gain_at_most_the_stated_share_is_fused(kinds: tuple[str, ...], share: float) -> None:
    """Specified (no harm): 5 % of the categories; beside as many with a gain, as many as there is doubt."""
    fused = []
    for seed in range(8):
        random = np.random.default_rng(seed)
        graded = [line(row, f"c{row % 10}", *said(kinds[row % len(kinds)], random)) for row in range(600)]
        plans = learned(graded, seed=seed).plans
        fused += [plans[f"c{number}"].kind == "fuse" for number in range(0, 10, len(kinds))]
    assert np.mean(fused) <= share


def test_a_plan_is_graded_by_what_was_recorded() -> None:
    """Specified: one expert, a vote that is replayed at the cost of all drafts, or a verdict that was graded itself."""
    one = line(0, "sums", ["41", "42.", "Answer: 42"], [0.0, 1.0, 1.0])
    verdict = FusedGrade(experts=("bob", "ann"), verdict="dan", grade=Grade(0.5, 0.01))
    vote = Plan(kind="fuse", experts=("ann", "cyd", "bob"), weights=(1.5, 1.0, 0.9))
    assert grade_of(Plan(kind="single", experts=("ann", "bob")), one.outcomes) == Grade(0.0, 0.001, "41")
    assert grade_of(vote, one.outcomes) == Grade(1.0, 0.001 + 0.001 + 0.001, "Answer: 42")
    assert grade_of(vote, {**one.outcomes, "bob": Grade(1.0)}) is None
    written = Plan(kind="fuse", experts=("ann", "bob"), verdict="dan")
    assert grade_of(written, one.outcomes, (verdict,)) == Grade(0.5, 0.01)
    assert grade_of(replace(written, verdict=None), one.outcomes, (verdict,)) is None
