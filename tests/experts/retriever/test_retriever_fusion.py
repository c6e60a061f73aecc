"""Reciprocal rank fusion."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.experts.retriever.fusion import fused

RANKINGS = st.lists(st.lists(st.integers(0, 12), unique=True, max_size=10), min_size=1, max_size=5)


def test_scores_are_the_sums_of_reciprocal_ranks() -> None:
    """Specified: 1 / (60 + rank), summed over the rankings that name the item."""
    expected = [(7, 1 / 61 + 1 / 62), (3, 1 / 61), (5, 1 / 62)]
    for (item, score), (wanted, wanted_score) in zip(fused([[7, 5], [3, 7]]), expected, strict=True):
        assert item == wanted
        assert score == pytest.approx(wanted_score, abs=1e-15)


@given(st.lists(st.integers(), unique=True))
def test_one_ranking_stays_as_it_is(ranking: list[int]) -> None:
    """Ours: fusing one ranking changes nothing."""
    assert [item for item, _ in fused([ranking])] == ranking


@given(RANKINGS, st.randoms())
def test_the_order_of_the_rankings_is_irrelevant(rankings: list[list[int]], random: object) -> None:
    """Specified: neither items nor scores depend on it, to the last bit."""
    shuffled = list(rankings)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert fused(shuffled) == fused(rankings)


@given(RANKINGS)
def test_every_item_is_there_once_best_first(rankings: list[list[int]]) -> None:
    """Ours: the result is a ranking of the union."""
    result = fused(rankings)
    assert sorted(item for item, _ in result) == sorted({item for ranking in rankings for item in ranking})
    assert [score for _, score in result] == sorted((score for _, score in result), reverse=True)


@given(RANKINGS, st.data())
def test_an_item_that_rises_in_one_ranking_does_not_fall(rankings: list[list[int]], data: st.DataObject) -> None:
    """Specified: monotone."""
    which = data.draw(st.sampled_from(rankings).filter(lambda ranking: len(ranking) > 1) | st.none())
    if which is None:
        return
    place = data.draw(st.integers(1, len(which) - 1))
    item = which[place]
    risen = [*which[: place - 1], item, which[place - 1], *which[place + 1 :]]
    before = [item for item, _ in fused(rankings)]
    after = [item for item, _ in fused([risen if ranking is which else ranking for ranking in rankings])]
    assert after.index(item) <= before.index(item)


@given(RANKINGS)
def test_what_is_ahead_everywhere_is_ahead(rankings: list[list[int]]) -> None:
    """Specified: an item that every ranking puts before another stands before it."""
    order = [item for item, _ in fused(rankings)]
    for first in order:
        for second in order:
            if first != second and all(_ahead(ranking, first, second) for ranking in rankings):
                assert order.index(first) < order.index(second)


def _ahead(ranking: list[int], first: int, second: int) -> bool:
    return first in ranking and (second not in ranking or ranking.index(first) < ranking.index(second))
