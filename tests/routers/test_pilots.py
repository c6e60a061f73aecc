"""Pilots: the paper's rule and its code's, ties, groups, and experts that come and go."""

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load, save

from routers.embedding import FloatArray
from routers.errors import TrainingError
from routers.pilots import Pilot, PilotLibrary, Rule, Similarity, learn_pilots

EXPERTS = ("words", "meaning", "mixed")


def unit(*rows: Sequence[float]) -> FloatArray:
    """The rows at length 1."""
    array = np.array(rows, dtype=np.float64)
    return (array / np.linalg.norm(array, axis=1, keepdims=True)).astype(np.float32)


def golden(rule: Rule) -> PilotLibrary:
    """Two experts with two pilots each, in the plane."""
    centroids = unit((0.95, 0.31), (-0.6, 0.8), (0.8, 0.6), (0.7, 0.71))
    owners = [("a", "X"), ("b", "X"), ("a", "Y"), ("b", "Y")]
    pilots = (Pilot(source, name, row, 1) for (source, name), row in zip(owners, centroids, strict=True))
    return PilotLibrary(pilots=tuple(pilots), rule=rule)


@st.composite
def queries(draw: st.DrawFn) -> tuple[FloatArray, list[str], list[list[float]]]:
    """Vectors, sources and scores of up to 20 queries; few different values, so that ties and repeats are common."""
    n = draw(st.integers(1, 20))
    coordinate = st.sampled_from([-1.0, -0.5, 0.25, 1.0])
    vectors = draw(st.lists(st.tuples(coordinate, coordinate, coordinate), min_size=n, max_size=n))
    sources = draw(st.lists(st.sampled_from("abc"), min_size=n, max_size=n))
    grades = st.lists(st.sampled_from([0.0, 0.1, 0.3, 1.0]), min_size=len(EXPERTS), max_size=len(EXPERTS))
    return unit(*vectors), sources, draw(st.lists(grades, min_size=n, max_size=n))


def same(left: PilotLibrary, right: PilotLibrary) -> bool:
    """Whether they are equal to the last bit."""
    return left.as_dict() == right.as_dict() and np.array_equal(left.state()["centroids"], right.state()["centroids"])


def test_the_papers_rule_and_its_codes_rule_route_the_golden_query_differently() -> None:
    """Specified (golden vector): the mean sends it to Y, the nearest pilot to X."""
    query = unit((1, 0))
    assert golden("mean").expert_scores(query)[0] == pytest.approx([0.175, 0.751], abs=1e-3)
    assert golden("nearest").expert_scores(query)[0] == pytest.approx([0.951, 0.800], abs=1e-3)
    assert golden("mean").route(query) == ["Y"]
    assert golden("nearest").route(query) == ["X"]


def test_each_source_and_winner_leaves_the_centroid_of_its_queries() -> None:
    """Specified (algorithm 1): one mean a non-empty group."""
    vectors = unit((1, 0), (0, 1), (-1, 0), (0, -1))
    scores = [[1, 0], [0.9, 0.2], [0, 1], [0.5, 0.1]]
    found = learn_pilots(vectors, scores, experts=["m", "n"], sources=["s", "s", "s", "t"])
    assert [(pilot.source, pilot.expert, pilot.count) for pilot in found] == [
        ("s", "m", 2),
        ("s", "n", 1),
        ("t", "m", 1),
    ]
    assert [pilot.centroid.tolist() for pilot in found] == [[0.5, 0.5], [-1, 0], [0, -1]]


def test_a_query_that_both_did_equally_well_goes_to_the_better_over_all() -> None:
    """Ours: a tie says nothing of who wins; where the totals tie too, the name decides."""
    vectors = unit((1, 0), (0, 1))
    for experts in (["m", "n"], ["n", "m"]):
        ahead = [[0, 1], [0.5, 0.5]]
        found = learn_pilots(vectors, ahead, experts=experts, sources=["s", "s"])
        assert [(pilot.expert, pilot.count) for pilot in found] == [(experts[1], 2)]
        equal = learn_pilots(vectors, [[0.5, 0.5], [0, 0]], experts=experts, sources=["s", "s"])
        assert [(pilot.expert, pilot.count) for pilot in equal] == [("m", 2)]


def test_small_groups_leave_no_pilot() -> None:
    """Ours: below the minimum they are noise; with no group left there is nothing to route by."""
    vectors = unit((1, 0), (1, 0.1), (0, 1))
    scores = [[1, 0], [1, 0], [0, 1]]
    found = learn_pilots(vectors, scores, experts=["m", "n"], sources=["s"] * 3, smallest=2)
    assert [pilot.expert for pilot in found] == ["m"]
    with pytest.raises(TrainingError):
        learn_pilots(vectors, scores, experts=["m", "n"], sources=["s"] * 3, smallest=3)


def test_a_group_of_two_heaps_has_a_centroid_in_each() -> None:
    """k-means with k = 2; never more centroids than different queries."""
    vectors = unit((1, 0), (1, 0.02), (1, -0.02), (0, 1), (0.02, 1))
    found = learn_pilots(vectors, [[1]] * 5, experts=["m"], sources=["s"] * 5, k=2)
    assert sorted(pilot.count for pilot in found) == [2, 3]
    repeated = learn_pilots(vectors[[0, 0, 0]], [[1]] * 3, experts=["m"], sources=["s"] * 3, k=2)
    assert [pilot.count for pilot in repeated] == [3]


def test_weighted_pilots_count_by_their_share_of_their_source() -> None:
    """Ours: X won nine tenths of a and a tenth of b, so what is like a is X's, though the plain mean says Y."""
    vectors = unit(*[(1, 0)] * 9, (0.6, 0.8), *[(0.6, 0.8)] * 9, (-1, 0))
    scores = [[1, 0]] * 9 + [[0, 1]] + [[0, 1]] * 9 + [[1, 0]]
    pilots = learn_pilots(vectors, scores, experts=["X", "Y"], sources=["a"] * 10 + ["b"] * 10)
    query = unit((1, 0))
    assert PilotLibrary(pilots=pilots).route(query) == ["Y"]
    weighted = PilotLibrary(pilots=pilots, rule="weighted")
    assert weighted.expert_scores(query)[0] == pytest.approx([0.9 * 1 + 0.1 * -1, 0.6], abs=1e-6)
    assert weighted.route(query) == ["X"]


def test_cosine_does_not_mind_how_much_a_groups_queries_differ() -> None:
    """The mean of queries that differ is short: by dot product it is less like everything."""
    pilots = (Pilot("wide", "m", unit((1, 0.2))[0] / 2, 2), Pilot("narrow", "n", unit((1, 1))[0], 2))
    query = unit((1, 0))
    assert PilotLibrary(pilots=pilots).source_of(query) == ["narrow"]
    assert PilotLibrary(pilots=pilots, similarity="cosine").source_of(query) == ["wide"]


@given(queries(), st.integers(1, 3), st.randoms(use_true_random=False))
def test_the_order_of_queries_and_experts_does_not_matter(
    data: tuple[FloatArray, list[str], list[list[float]]], k: int, random: Random
) -> None:
    """Property: the same library to the last bit."""
    vectors, sources, scores = data
    rows, columns = list(range(len(sources))), list(range(len(EXPERTS)))
    random.shuffle(rows)
    random.shuffle(columns)
    plain = learn_pilots(vectors, scores, experts=EXPERTS, sources=sources, k=k)
    shuffled = learn_pilots(
        vectors[rows],
        [[scores[row][column] for column in columns] for row in rows],
        experts=[EXPERTS[column] for column in columns],
        sources=[sources[row] for row in rows],
        k=k,
    )
    assert same(PilotLibrary(pilots=plain), PilotLibrary(pilots=tuple(reversed(shuffled))))


@given(queries(), st.sampled_from(["mean", "nearest", "weighted"]))
def test_an_expert_that_is_added_and_taken_out_again_leaves_no_trace(
    data: tuple[FloatArray, list[str], list[list[float]]], rule: Rule
) -> None:
    """Property: the library is what it was, and so are its scores; adding adds columns without touching the others."""
    vectors, sources, scores = data
    pilots = learn_pilots(vectors, scores, experts=EXPERTS, sources=sources)
    before = PilotLibrary(pilots=pilots, rule=rule)
    new = [Pilot("a", "new", vectors[0], 2), Pilot("d", "new", vectors[-1], 1)]
    more = before.added(new)
    assert set(more.experts) == {*before.experts, "new"}
    assert set(more.route(vectors)) <= set(more.experts)
    after = more.without("new")
    assert same(before, after)
    assert np.array_equal(before.expert_scores(vectors), after.expert_scores(vectors))


@given(queries(), st.sampled_from(["mean", "nearest", "weighted"]), st.sampled_from(["dot", "cosine"]))
def test_a_stored_library_comes_back_as_it_was(
    data: tuple[FloatArray, list[str], list[list[float]]], rule: Rule, similarity: Similarity
) -> None:
    """Property: through the bytes of a safetensors file."""
    vectors, sources, scores = data
    library = PilotLibrary(
        pilots=learn_pilots(vectors, scores, experts=EXPERTS, sources=sources, k=2),
        rule=rule,
        similarity=similarity,
    )
    twin = PilotLibrary.restored(library.as_dict(), load(save(dict(library.state()))))
    assert same(library, twin)
    assert np.array_equal(library.source_scores(vectors), twin.source_scores(vectors))


def test_what_does_not_fit_is_refused() -> None:
    """Sizes, names and numbers that cannot be meant."""
    library = golden("mean")
    with pytest.raises(ValueError, match="take them out first"):
        library.added(library.pilots)
    with pytest.raises(ValueError, match="no pilots of 'Z'"):
        library.without("Z")
    with pytest.raises(ValueError, match="needs pilots"):
        library.without("X").without("Y")
    with pytest.raises(ValueError, match="4 rows"):
        PilotLibrary.restored(library.as_dict(), {"centroids": library.state()["centroids"][:3]})
    with pytest.raises(ValueError, match="no rule"):
        PilotLibrary(pilots=library.pilots, rule="best")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not finite"):
        learn_pilots(unit((1, 0)), [[np.nan]], experts=["m"], sources=["s"])
    with pytest.raises(ValueError, match="do not fit"):
        learn_pilots(unit((1, 0)), [[1, 0]], experts=["m"], sources=["s"])
    with pytest.raises(ValueError, match="finite"):
        PilotLibrary(pilots=(Pilot("s", "m", np.array([np.inf, 0], dtype=np.float32), 1),))
