"""One ranking: against scikit-learn and counting by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from eval.metrics.ranking import ndcg, recall, reciprocal_rank

GRADES = {"a": 2.0, "b": 1.0, "c": 0.0, "d": 1.0}
judged = st.lists(st.integers(0, 3), min_size=2, max_size=15)


@given(judged, st.integers(1, 12), st.randoms(use_true_random=False))
def test_ndcg_is_scikit_learns(grades: list[int], k: int, random) -> None:  # noqa: ANN001
    """Linear gain, logarithmic discount, all documents ranked."""
    ids = [f"d{i}" for i in range(len(grades))]
    ranked = random.sample(ids, len(ids))
    ours = ndcg(ranked, dict(zip(ids, map(float, grades), strict=True)), k=k)
    if not any(grades):
        assert math.isnan(ours)
        return
    scores = [-ranked.index(document) for document in ids]
    assert ours == pytest.approx(ndcg_score([grades], [scores], k=k))


def test_ndcg_of_a_small_case() -> None:
    """By hand: (1 + 2 / log2 3) over (2 + 1 / log2 3 + 1 / 2); the unjudged x pays nothing."""
    assert ndcg(["b", "a", "x"], GRADES, k=3) == pytest.approx((1 + 2 / math.log2(3)) / (2 + 1 / math.log2(3) + 0.5))


def test_an_ideal_ranking_is_1_and_one_without_hits_is_0() -> None:
    """Also where fewer are relevant than k."""
    assert ndcg(["a", "b", "d"], GRADES) == pytest.approx(1.0)
    assert ndcg(["x", "y", "c"], GRADES) == 0.0


def test_recall_and_reciprocal_rank_of_a_small_case() -> None:
    """Counted by hand."""
    ranked = ["x", "b", "c", "a"]
    assert [recall(ranked, GRADES, k=k) for k in (1, 2, 4)] == pytest.approx([0, 1 / 3, 2 / 3])
    assert reciprocal_rank(ranked, GRADES) == 0.5
    assert reciprocal_rank(ranked, GRADES, k=1) == 0.0


def test_a_query_without_anything_relevant_has_no_score() -> None:
    """NaN, for the caller to leave out and count."""
    scores = [ndcg(["c"], {"c": 0.0}), recall(["c"], {"c": 0.0}, k=1), reciprocal_rank(["c"], {})]
    assert all(math.isnan(score) for score in scores)


def test_a_document_ranked_twice_is_refused() -> None:
    """It would be paid twice."""
    with pytest.raises(ValueError, match="'a' is ranked twice"):
        ndcg(["a", "b", "a"], GRADES)


@given(judged, st.randoms(use_true_random=False))
def test_moving_a_better_document_up_never_hurts(grades: list[int], random) -> None:  # noqa: ANN001
    """And every measure stays within 0 and 1."""
    ids = [f"d{i}" for i in range(len(grades))]
    relevance = dict(zip(ids, map(float, grades), strict=True))
    ranked = random.sample(ids, len(ids))
    place = random.randrange(len(ids) - 1)
    better = list(ranked)
    better[place : place + 2] = sorted(ranked[place : place + 2], key=relevance.__getitem__, reverse=True)
    for measure in (
        lambda order: ndcg(order, relevance, k=10),
        lambda order: recall(order, relevance, k=5),
        lambda order: reciprocal_rank(order, relevance),
    ):
        before, after = measure(ranked), measure(better)
        assert np.isnan(before) or 0 <= before <= after + 1e-12 <= 1 + 1e-9
