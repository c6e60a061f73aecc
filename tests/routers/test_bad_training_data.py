"""Data that cannot be learned from, or hardly: each kind of classifier says so in a line, or makes the best of it."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from orchestrator.testing import WordEmbedder
from routers.embedding import FloatArray
from routers.errors import InfeasibleBudget, TrainingError
from routers.examples import Example
from routers.mapping.learn import Budget, learn_mapping
from routers.train import train
from tests.routers.kinds import KINDS

SUMS = ["add one and two", "sum these", "plus and minus", "total of all", "what is three times four"]
TALES = ["tell a tale", "once upon a time", "a story please", "write a fable", "who was the wolf"]
MEGABYTE = "a very long query " * 55_000


def examples(**queries: Sequence[str]) -> list[Example]:
    return [Example(query, category) for category, of in queries.items() for query in of]


class Constant:
    """An embedder that takes all texts for the same one."""

    dim = 4
    fingerprint = "constant"

    def __init__(self, value: float) -> None:
        self._value = value

    def embed(self, texts: Sequence[str]) -> FloatArray:
        return np.full((len(texts), self.dim), self._value, dtype=np.float32)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (examples(sums=SUMS, tales=TALES[:1]), "category 'tales' has 1 distinct examples and needs 2; add more"),
        (examples(sums=SUMS, tales=[TALES[0], "Tell  a TALE"]), "category 'tales' has 1 distinct examples"),
        (examples(sums=SUMS), "only category 'sums' has examples; a router needs two to tell apart"),
        ([], "there are no examples; give each category some"),
        (examples(sums=[*SUMS, " \n "], tales=TALES), "example 6: the query is empty; write one"),
    ],
    ids=["one example", "one example twice", "one category", "nothing", "an empty query"],
)
def test_too_little_is_one_clear_line(kind: str, data: list[Example], said: str) -> None:
    """Specified: what is missing, of which category, and what to do; before anything is embedded."""
    with pytest.raises(TrainingError) as caught:
        train(data, general="general", embedder=WordEmbedder(), classifier=kind)
    (problem,) = caught.value.problems
    assert problem.startswith(said)


@pytest.mark.parametrize("kind", KINDS)
def test_two_examples_a_category_are_enough(kind: str) -> None:
    """Specified: the least that training takes; what comes of it can be asked."""
    trained = train(
        examples(sums=SUMS[:2], tales=TALES[:2]), general="general", embedder=WordEmbedder(), classifier=kind
    )
    (routing,) = trained.router.classify([SUMS[0]])
    assert routing.top in {"sums", "tales"}
    assert trained.report.folds == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_category_that_outnumbers_another_by_far_does_not_swallow_it(kind: str) -> None:
    """Ours: 300 against 2."""
    many = [f"add {number} and {number + 1} to the sum" for number in range(300)]
    trained = train(examples(sums=many, tales=TALES[:2]), general="general", embedder=WordEmbedder(), classifier=kind)
    assert trained.router.classify([TALES[0]])[0].top == "tales"


@pytest.mark.parametrize("value", [0.5, 0.0], ids=["the same vector", "no vector"])
@pytest.mark.parametrize("kind", KINDS)
def test_vectors_that_are_all_equal_are_learned_without_error(kind: str, value: float) -> None:
    """Specified: no error, though nothing can be told apart by meaning; all numbers stay numbers."""
    trained = train(examples(sums=SUMS, tales=TALES), general="general", embedder=Constant(value), classifier=kind)
    for routing in trained.router.classify(["something else altogether", "", "add one and two"]):
        assert sum(probability for _, probability in routing.posterior) == pytest.approx(1)
        assert math.isfinite(routing.gate.value)
    report = trained.report
    assert all(math.isfinite(value) for value in (report.ece_before, report.ece_after, report.coverage))


@pytest.mark.parametrize("kind", KINDS)
def test_labels_that_mean_nothing_are_learned_without_error(kind: str) -> None:
    """Ours: the report says how bad it is, and the gate is there to notice."""
    rng = np.random.default_rng(5)
    words = ["red", "blue", "green", "long", "short", "loud"]
    data = [
        Example(" ".join(rng.choice(words, size=5)) + f" {number}", rng.choice(["a", "b", "c"])) for number in range(90)
    ]
    trained = train(data, general="general", embedder=WordEmbedder(), classifier=kind)
    assert trained.report.accuracy < 0.6
    assert trained.report.ece_after < 0.25
    assert trained.report.coverage > 0.75


def test_a_query_that_is_a_megabyte_does_not_fill_the_message() -> None:
    """Ours: a line that nobody can read is no clear error; where the query stands is in it."""
    data = [Example(MEGABYTE, "sums", "q.jsonl:1"), Example(MEGABYTE, "tales", "q.jsonl:2")]
    with pytest.raises(TrainingError) as caught:
        train([*data, *examples(sums=SUMS, tales=TALES)], general="general", embedder=WordEmbedder())
    (problem,) = caught.value.problems
    assert len(problem) < 400
    assert problem.startswith("q.jsonl:2: 'a very long query ")
    assert "q.jsonl:1" in problem


@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
def test_outcomes_that_are_all_equal_go_to_the_cheapest(score: float) -> None:
    """Specified: nobody is better, so the mapping is learned, and it is the cheap one."""
    categories, costs = ["sums", "tales"] * 10, np.tile([0.02, 0.01], (20, 1))
    learned = learn_mapping(categories, ["dear", "cheap"], np.full((20, 2), score), costs_usd=costs)
    assert {learned.expert("sums"), learned.expert("tales"), learned.best_single} == {"cheap"}


def test_outcomes_of_one_category_or_one_query_are_learned_from() -> None:
    """Specified: no error; one graded query proves little, and costs nothing to follow."""
    for rows in (1, 7):
        learned = learn_mapping(["sums"] * rows, ["x", "y"], np.tile([0.0, 1.0], (rows, 1)))
        assert set(learned.plans) == {"sums"}


@pytest.mark.parametrize(
    ("budget", "nearest"),
    [
        (Budget(cost_per_query_usd=0.005), {"cost_per_query_usd": 0.01}),
        (Budget(active_params_b=1.0), {"active_params_b": 3.0}),
        (Budget(hosted_params_b=2.0), {"hosted_params_b": 3.0}),
    ],
    ids=["cost", "active", "hosted"],
)
def test_an_infeasible_budget_says_which_limit_and_the_nearest_that_would_do(
    budget: Budget, nearest: dict[str, float]
) -> None:
    """Specified: in words for people, and as numbers; with what it says there is a mapping."""
    categories, experts = ["sums", "tales"] * 10, ["dear", "cheap"]
    outcomes = {"costs_usd": np.tile([0.02, 0.01], (20, 1)), "active_params_b": [8, 3], "hosted_params_b": [8, 3]}
    with pytest.raises(InfeasibleBudget) as caught:
        learn_mapping(categories, experts, np.ones((20, 2)), budget=budget, **outcomes)  # type: ignore[arg-type]
    ((name, least),) = nearest.items()
    assert caught.value.nearest == pytest.approx(nearest)
    assert caught.value.problems == (
        f"{name}: {getattr(budget, name):g} cannot be met; the least that can is {least:g}",
    )
    assert learn_mapping(categories, experts, np.ones((20, 2)), budget=Budget(**nearest), **outcomes).plans  # type: ignore[arg-type]
