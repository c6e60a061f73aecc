"""When a candidate may pass: what an interval must show, and what too few queries cannot."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.metrics import Figure
from eval.promotion.measuring import measured
from eval.promotion.rows import Row, Said
from eval.promotion.rules import RULES, TOLERANCES, ruled
from routers.mapping.graded import Grade


def ruling(name: str, difference: tuple[float, float, float], **given_: Any) -> Any:
    value, low, high = difference
    figure = Figure(0.5, None, 100)
    return ruled(name, figure, figure, Figure(value, (low, high), 100), tolerance=given_.get("tolerance", 0.02))


@pytest.mark.parametrize(
    ("difference", "verdict"),
    [
        ((0.05, 0.01, 0.09), "better"),
        ((0.0, -0.02, 0.02), "no worse"),
        ((-0.01, -0.015, -0.005), "no worse"),
        ((0.01, -0.03, 0.05), "not shown"),
        ((-0.05, -0.09, 0.01), "not shown"),
        ((-0.015, -0.025, -0.005), "not shown"),
        ((-0.05, -0.09, -0.01), "worse"),
    ],
)
def test_the_interval_must_stay_within_the_tolerance(difference: tuple[float, float, float], verdict: str) -> None:
    """Specified: non-inferiority; and the mirror image where lower is better."""
    found = ruling("accuracy", difference)
    assert (found.verdict, found.refuses) == (verdict, verdict in {"worse", "not shown"})
    value, low, high = difference
    assert ruling("ece", (-value, -high, -low)).verdict == verdict
    assert bool(found.reason) == found.refuses


def test_the_tolerance_of_costs_is_a_share() -> None:
    """A tenth of what the serving one costs."""
    before, after = Figure(2.0, None, 9), Figure(2.15, None, 9)
    difference = Figure(0.15, (0.1, 0.2), 9)
    found = ruled("cost_usd", before, after, difference, tolerance=0.1)
    assert (found.tolerance, found.verdict) == (0.2, "no worse")
    assert ruled("cost_usd", before, after, difference, tolerance=0.05).verdict == "worse"


def said(sent: Sequence[str], *, grades: Sequence[Grade | None] | None = None, confidence: float = 0.9) -> Said:
    answers = Said(len(sent), general="general")
    answers.sent, answers.top = list(sent), list(sent)
    answers.confidence = np.full(len(sent), confidence)
    answers.grades = list(grades or [None] * len(sent))
    return answers


def rows(*categories: str | None, **fields: Any) -> list[Row]:
    return [Row(query=f"q{n}", category=name, **{"outcomes": {}, **fields}) for n, name in enumerate(categories)]


def verdicts(queries: list[Row], before: Said, after: Said, **options: Any) -> dict[str, str]:
    found = measured(queries, before, after, tolerances=TOLERANCES, seed=0, **options)
    return {one.name: one.verdict for one in found}


def test_two_that_answer_alike_on_few_queries_are_not_shown_to_be_alike() -> None:
    """Ours: five equal answers prove nothing, 300 do."""
    for n, verdict in ((5, "not shown"), (300, "no worse")):
        answers = ["a"] * n
        found = verdicts(rows(*answers), said(answers), said(answers))
        assert (found["accuracy"], found["false_reject"], found["ece"]) == (verdict, verdict, "no worse")


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 5), st.integers(0, 5), st.integers(12, 400))
def test_the_interval_of_a_few_changes_is_not_narrower_than_chance_allows(gains: int, losses: int, n: int) -> None:
    """It holds the difference, zero where nothing changed, and is wider on fewer queries."""
    changed = gains + losses
    truth = ["a"] * n
    before = said(["b"] * gains + ["a"] * (n - gains))
    after = said(["a"] * gains + ["b"] * losses + ["a"] * (n - changed))
    (found,) = [
        one for one in measured(rows(*truth), before, after, tolerances=TOLERANCES, seed=0) if one.name == "accuracy"
    ]
    assert found.difference.ci95 is not None
    low, high = found.difference.ci95
    assert low <= (gains - losses) / n <= high
    if changed < 6:
        assert high - low > 3.8 / (n + 3.9)


def test_what_is_gated_though_it_was_right_counts_as_rejected() -> None:
    """The likeliest category was the true one; that of no category at all is another figure."""
    queries = [*rows("a", "a"), *rows(None, None, in_scope=False)]
    before, after = said(["a", "a", "general", "general"]), said(["general", "a", "general", "a"])
    after.top = ["a", "a", "b", "a"]
    found = {one.name: one for one in measured(queries, before, after, tolerances=TOLERANCES, seed=0)}
    assert found["false_reject"].candidate.value == 0.5
    assert found["gate_recall"].candidate.value == 0.5
    assert found["accuracy"].difference.n == 2


def test_scores_and_costs_are_of_the_experts_that_the_plans_choose() -> None:
    """Queries without a grade of both are left out; what is graded and cannot be paired refuses."""
    x, y = Grade(1.0, 0.5), Grade(0.25, 0.125)
    queries = rows("a", "a", "a", outcomes={"x": x, "y": y})
    before, after = said(["a"] * 3, grades=[x, x, x]), said(["a"] * 3, grades=[y, y, None])
    found = {one.name: one for one in measured(queries, before, after, tolerances=TOLERANCES, seed=0)}
    assert (found["score"].difference.value, found["score"].difference.n) == (-0.75, 2)
    assert (found["cost_usd"].difference.value, found["cost_usd"].verdict) == (-0.375, "better")
    nobody = said(["a"] * 3)
    lacking = {one.name: one for one in measured(queries, before, nobody, tolerances=TOLERANCES, seed=0)}
    assert (lacking["score"].verdict, math.isnan(lacking["score"].difference.value)) == ("not shown", True)
    assert "too few queries" in lacking["score"].reason


def test_what_was_known_is_judged_by_itself_where_there_is_something_new() -> None:
    """A candidate that gains on 300 new queries and loses on 100 known ones is worse in those.

    On five known ones nothing can be shown, and the guard lets it pass; without any it cannot be judged.
    """
    truth = ["a"] * 400
    known = np.arange(400) < 100
    before = said(["a"] * 100 + ["b"] * 300)
    after = said(["b"] * 20 + ["a"] * 380)
    found = verdicts(rows(*truth), before, after, known=known)
    assert (found["accuracy"], found["accuracy_known"]) == ("better", "worse")
    assert "accuracy_known" not in verdicts(rows(*truth), before, after, known=np.ones(400, dtype=np.bool_))
    by_known = [
        {one.name: one for one in measured(rows(*truth), before, after, known=few, tolerances=TOLERANCES, seed=0)}
        for few in (np.zeros(400, dtype=np.bool_), (np.arange(400) >= 19) & (np.arange(400) < 24))
    ]
    assert [found["accuracy_known"].verdict for found in by_known] == ["not shown", "not shown"]
    assert [found["accuracy_known"].refuses for found in by_known] == [True, False]


def test_calibration_is_compared_in_pairs() -> None:
    """Nine in ten right at .9, against certainty."""
    truth = ["a"] * 300
    right = (["a"] * 9 + ["b"]) * 30
    found = {
        one.name: one
        for one in measured(rows(*truth), said(right), said(right, confidence=1.0), tolerances=TOLERANCES, seed=0)
    }
    assert found["ece"].serving.value == pytest.approx(0.0, abs=1e-9)
    assert found["ece"].candidate.value == pytest.approx(0.1)
    assert found["ece"].verdict == "worse"


def test_every_rule_has_a_tolerance_and_a_meaning() -> None:
    """What `--tolerance` takes."""
    assert all(rule.meaning and rule.tolerance > 0 for rule in RULES.values())
    assert list(TOLERANCES) == list(RULES)
