"""Training: what it refuses, what it reports, and that it does the same thing twice."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from routers.embedding import Embedder, FloatArray
from routers.errors import TrainingError, UnknownClassifier
from routers.examples import Example, examples_sha256
from routers.train import train
from routers.trained import Trained


@dataclass
class Plane:
    """A tiny embedder: "x:y" is the point (x, y), normalised."""

    dim: int = 2
    fingerprint: str = "plane"
    asked: list[str] = field(default_factory=list)

    def embed(self, texts: Sequence[str]) -> FloatArray:
        self.asked += texts
        points = np.array([[float(part) for part in text.split(":")] for text in texts]).reshape(-1, 2)
        rows: FloatArray = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
        return rows


def points(category: str, centre: tuple[float, float], n: int) -> list[Example]:
    """Queries of one category around a point."""
    rng = np.random.default_rng(n)
    return [Example(f"{x:.6f}:{y:.6f}", category) for x, y in rng.normal(centre, 0.3, size=(n, 2))]


EAST, NORTH, WEST = points("east", (2, 0), 10), points("north", (0, 2), 10), points("west", (-2, 0), 10)


def test_router_is_right_on_queries_it_has_not_seen(trained: Trained) -> None:
    """Six categories of eight queries; guessing would be right one time in six."""
    assert trained.report.accuracy > 0.75
    assert trained.report.macro_f1 > 0.75


def test_report_says_what_was_learned_and_how_well(trained: Trained, examples: list[Example]) -> None:
    """Every category with its count, every share a share."""
    report = trained.report
    assert (report.examples, report.duplicates, report.folds, report.seed) == (48, 0, 5, 0)
    assert report.data_sha256 == examples_sha256(examples)
    assert [(entry.category, entry.examples) for entry in report.categories] == [
        (category, 8) for category in ("arithmetic", "cooking", "gardening", "payroll", "programming", "travel")
    ]
    recalls = [entry.recall for entry in report.categories]
    assert np.mean(recalls) == pytest.approx(report.accuracy)
    for share in (report.ece_before, report.ece_after, report.coverage, report.kept, report.threshold, *recalls):
        assert 0 <= share <= 1
    assert 1 <= report.mean_set_size <= 6
    assert report.threshold == trained.router.gate.threshold


def test_temperature_scaling_improves_calibration(trained: Trained) -> None:
    """Measured on folds that did not set the temperature."""
    assert trained.report.ece_after < trained.report.ece_before


def test_gate_sends_a_query_of_no_category_to_general(trained: Trained) -> None:
    """`general` had no examples, so only the gate can lead there."""
    strange, known = trained.router.classify(["who was the first emperor of Rome", "how long do I boil an egg"])
    assert (strange.gate.fired, strange.category) == ("max_posterior", "general")
    assert (known.gate.fired, known.category) == (None, "cooking")


def test_training_twice_gives_the_same_router(trained: Trained, examples: list[Example], embedder: Embedder) -> None:
    """The same seed and set, in whatever order and with duplicates: equal to the last bit."""
    again = train([*examples[30:], *examples[::-1], *examples[:5]], general="general", embedder=embedder)
    assert again.report == trained.report.model_copy(update={"duplicates": 23})
    queries = ["boil an egg", "2 + 2", "?"]
    assert again.router.classify(queries) == trained.router.classify(queries)


def test_seed_changes_the_folds(trained: Trained, examples: list[Example], embedder: Embedder) -> None:
    """Other folds, other held-out figures, but the same classifier in the end."""
    other = train(examples, general="general", embedder=embedder, seed=1)
    assert other.report.threshold != trained.report.threshold
    for name, tensor in other.router.classifier.state().items():
        np.testing.assert_array_equal(tensor, trained.router.classifier.state()[name])


def test_every_text_is_embedded_once() -> None:
    """Folds and refit see the same vectors; embedding is what costs."""
    plane = Plane()
    train(EAST + NORTH, general="east", embedder=plane)
    assert sorted(plane.asked) == sorted(example.query for example in EAST + NORTH)


def test_progress_is_reported_in_order() -> None:
    """Stage, done, total."""
    seen: list[tuple[str, int, int]] = []
    train(EAST + NORTH, general="east", embedder=Plane(), folds=2, progress=lambda *step: seen.append(step))
    assert seen == [("embed", 0, 20), ("embed", 20, 20), ("fold", 1, 2), ("fold", 2, 2), ("fit", 0, 1), ("fit", 1, 1)]


def test_two_categories_are_enough() -> None:
    """One row of coefficients there stands for two."""
    trained = train(EAST + WEST, general="none", embedder=Plane())
    east, west = trained.router.classify(["1:0.1", "-1:0.1"])
    assert (east.top, west.top) == ("east", "west")
    assert trained.report.accuracy == 1.0
    assert trained.router.categories == ("east", "none", "west")


def test_smallest_category_sets_the_number_of_folds() -> None:
    """Two examples: each is learned from once while the other is held out."""
    trained = train(EAST + NORTH[:2], general="none", embedder=Plane())
    assert trained.report.folds == 2


def test_general_with_examples_is_a_category_like_others() -> None:
    """The classifier can lead there without the gate."""
    trained = train(EAST + WEST, general="west", embedder=Plane())
    (routing,) = trained.router.classify(["-1:0"])
    assert (routing.category, routing.gate.fired) == ("west", None)


def test_classifier_parameters_reach_the_kind() -> None:
    """A strong penalty gives smaller coefficients."""
    free, tight = (
        train(EAST + WEST, general="none", embedder=Plane(), parameters={"c": c}).router.classifier
        for c in (10.0, 0.01)
    )
    assert np.abs(tight.state()["coef"]).max() < np.abs(free.state()["coef"]).max()
    assert tight.parameters() == {"c": 0.01}


@pytest.mark.parametrize(
    ("examples", "categories", "parts"),
    [
        (EAST + NORTH[:1], None, ["'north'", "1 distinct", "needs 2"]),
        (EAST + NORTH[:1] * 3, None, ["'north'", "1 distinct"]),
        (EAST + NORTH, ["east", "north", "west"], ["'west'", "0 distinct"]),
        (EAST + NORTH + [Example("1:1", "up", "q.jsonl:4")], ["east", "north"], ["q.jsonl:4", "'up'", "north"]),
        (EAST + NORTH + [Example("1:1", "up")], ["east", "north"], ["example 21", "'up'"]),
        (EAST + NORTH + [Example(" ", "east")], None, ["example 21", "empty"]),
        ([*EAST, Example(EAST[0].query, "north"), *NORTH], None, ["'east'", "'north'", "example 11", "example 1"]),
        (EAST, None, ["only category 'east'"]),
        (EAST + NORTH + [Example("1:1", "general")], None, ["'general'", "1 distinct"]),
        ([], None, ["no examples"]),
    ],
    ids=[
        "too few",
        "duplicates do not count",
        "category without examples",
        "unknown category, with its file",
        "unknown category, with its row",
        "empty query",
        "contradiction",
        "one category",
        "one example of general",
        "nothing",
    ],
)
def test_examples_that_cannot_be_learned_from_are_refused(
    examples: list[Example], categories: list[str] | None, parts: list[str]
) -> None:
    """One problem a line; each names what is wrong and where."""
    with pytest.raises(TrainingError) as caught:
        train(examples, general="general", embedder=Plane(), categories=categories)
    (problem,) = caught.value.problems
    for part in parts:
        assert part in problem


def test_all_problems_come_at_once() -> None:
    """A person mends the file once."""
    examples = [*EAST, *NORTH[:1], Example("", "east"), Example("1:1", "up")]
    with pytest.raises(TrainingError) as caught:
        train(examples, general="general", embedder=Plane(), categories=["east", "north", "west"])
    assert len(caught.value.problems) == 4


def test_unknown_classifier_lists_the_known() -> None:
    """Kinds come by entry point, ours included."""
    with pytest.raises(UnknownClassifier, match=r"known: .*linear"):
        train(EAST + NORTH, general="none", embedder=Plane(), classifier="quadratic")
