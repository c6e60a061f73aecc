"""Alarms on experts and categories: each planted trouble raises its own alarm and no other."""

from collections.abc import Callable

import numpy as np
import pytest

from routers.usage.health import Use, dependence, health_of

PLANS = {"math": ["solver", "writer"], "poem": ["writer", "solver"], "general": ["writer"]}
EXAMPLES = {"math": 20, "poem": 20}
RNG = np.random.default_rng


def uses(
    count: int = 400,
    *,
    expert: Callable[[int, str], str] = lambda _, category: PLANS[category][0],
    score: Callable[[int, str], float | None] = lambda number, _: float(number * 7 % 10 < 8),
    answered: Callable[[int, str], bool] = lambda _, __: True,
) -> list[Use]:
    """Decisions on two categories in turn; well, unless told otherwise."""
    made = []
    for number in range(count):
        category = ("math", "poem")[number % 2]
        chosen = expert(number, category)
        grade = score(number, chosen)
        made.append(
            Use(
                category=category,
                tried=(chosen,),
                expert=chosen,
                answered={chosen: answered(number, chosen)},
                scores={} if grade is None else {chosen: grade},
            )
        )
    return made


def alarms(made: list[Use], **more: dict[str, int]) -> list[tuple[str, str]]:
    found = health_of(made, plans=PLANS, examples=more.get("examples", EXAMPLES))
    return [(alarm.kind, alarm.subject) for alarm in found.alarms]


def test_where_all_is_well_there_is_no_alarm() -> None:
    """Specified: every expert is used, scores are steady, there is enough to learn from."""
    assert alarms(uses()) == []
    assert alarms([]) == []


def test_an_expert_that_is_never_asked_is_named_with_what_was_to_be_expected() -> None:
    """Specified: n and the expected share; too few queries say nothing."""
    made = uses(expert=lambda _, __: "writer")
    (alarm,) = health_of(made, plans=PLANS, examples=EXAMPLES).alarms
    assert (alarm.kind, alarm.subject, alarm.n, alarm.expected) == ("never_chosen", "solver", 400, 0.5)
    assert alarms(made[:6]) == []


def test_falling_scores_and_failing_calls_are_two_alarms() -> None:
    """Specified: of the expert that falls, not of the other."""
    falling = uses(score=lambda n, name: float(n * 7 % 10 < (8 if n < 200 or name == "writer" else 3)))
    failing = uses(answered=lambda n, name: name == "solver" or n < 200 or n % 6 > 2)
    assert alarms(falling) == [("falling", "solver")]
    assert alarms(failing) == [("failing", "writer")]


def test_starved_categories_are_named() -> None:
    """Specified: too few examples; or too few grades where others have many."""
    assert alarms(uses(), examples={"math": 3, "poem": 20}) == [("starved_examples", "math")]
    made = uses(score=lambda n, name: None if name == "solver" and n > 10 else float(n * 7 % 10 < 8))
    assert alarms(made) == [("starved_grades", "math")]
    assert alarms(uses(score=lambda _, __: None)) == []


def test_a_category_that_says_nothing_of_the_expert_is_an_alarm() -> None:
    """Specified: random routing has no adjusted mutual information, a fixed mapping has all of it."""
    coin = RNG(0).integers(2, size=400)
    made = uses(expert=lambda number, _: ("solver", "writer")[coin[number]])
    assert alarms(made) == [("category_says_nothing", "")]
    random, fixed = dependence(made), dependence(uses())
    assert random is not None
    assert fixed is not None
    assert random.adjusted == pytest.approx(0, abs=0.02)
    assert random.bits > 0
    assert [fixed.bits, fixed.share, fixed.adjusted] == pytest.approx([1, 1, 1])
    assert dependence(uses(expert=lambda _, __: "writer")) is None


def test_chance_raises_hardly_any_alarm() -> None:
    """Ours: of 40 healthy random histories, at most two have a false alarm."""
    rng, false = RNG(1), 0
    for _ in range(40):
        draws = rng.random(400)
        made = uses(score=lambda number, _, draws=draws: float(draws[number] < 0.8))  # type: ignore[misc]
        false += bool(alarms(made))
    assert false <= 2
