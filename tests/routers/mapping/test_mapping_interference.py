"""What adding an expert does to the others: measured differences, by category and over all traffic."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routers.mapping.interference import Measured, Scores, interference, overall

NAN = float("nan")


def scores(newcomer: list[float], base: list[float], group: list[int] | None = None) -> Scores:
    """The new expert is chosen instead of its base."""
    return Scores(
        group=np.array(group or [0] * len(newcomer), dtype=np.intp),
        newcomer=np.array(newcomer),
        base=np.array(base),
        before=np.array(base),
        after=np.array(newcomer),
    )


def one(newcomer: list[float], base: list[float]) -> Measured:
    (found,) = interference(["c"], scores(newcomer, base), answers=[True], unchanged=[False])
    assert found.on_base == found.routed
    return found.routed


def test_planted_interference_is_seen_where_it_is() -> None:
    """Specified: an adapter that helps in one category and harms in another; what stays as it was is the same."""
    good, bad = [1.0] * 20, [0.0] * 20
    found = interference(
        ["helped", "harmed"],
        scores(good + bad, bad + good, [0] * 20 + [1] * 20),
        answers=[True, False],
        unchanged=[False, True],
    )
    assert [row.on_base.seen for row in found if row.on_base] == ["gains", "loses"]
    assert [row.routed.seen for row in found] == ["gains", "same"]


def test_few_queries_that_all_say_the_same_leave_a_doubt() -> None:
    """Specified: the plain bootstrap would have none."""
    found = one([1.0] * 3, [0.0] * 3)
    assert (found.n, found.value, found.seen) == (3, 1.0, "unclear")
    assert found.low < 0
    assert one([1.0] * 20, [0.0] * 20).seen == "gains"


def test_a_clone_makes_no_difference() -> None:
    """Ours: as long as its base is chosen no more, that is still not the same."""
    found = one([1.0, 0.0] * 20, [1.0, 0.0] * 20)
    assert (found.value, found.seen) == (0.0, "unclear")
    assert -0.2 < found.low < 0 < found.high < 0.2


def test_only_common_queries_count() -> None:
    """Specified: where the other was not graded there is nothing to compare."""
    assert one([1.0, 1.0], [0.0, NAN]).n == 1
    unknown = one([1.0], [NAN])
    assert (unknown.n, unknown.seen) == (0, "unknown")


def test_over_all_traffic_categories_count_by_their_share() -> None:
    """Specified: whatever their part of the shots."""
    both = scores([1.0] * 10 + [0.0] * 30, [0.0] * 10 + [1.0] * 30, [0] * 10 + [1] * 30)
    found = overall(both, shares=np.array([0.9, 0.1]), unchanged=[False, False])
    assert found.value == pytest.approx(0.8)
    assert (found.n, found.seen) == (40, "gains")
    stays = overall(both, shares=np.array([0.9, 0.1]), unchanged=[False, True])
    assert stays.value == pytest.approx(0.9)
    assert overall(both, shares=np.array([0.9, 0.1]), unchanged=[True, True]).seen == "same"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=12), st.randoms())
def test_the_order_of_the_queries_does_not_matter(pairs: list[tuple[float, float]], random: object) -> None:
    """Ours: to the last digit; and the interval is one."""
    shuffled = sorted(pairs, key=lambda _: random.random())  # type: ignore[attr-defined]
    first, second = (one([a for a, _ in some], [b for _, b in some]) for some in (pairs, shuffled))
    assert first == second
    assert -1 <= first.low <= first.high <= 1


def test_intervals_cover_what_is_true() -> None:
    """Specified: 95 %, of paired right and wrong answers; 20 queries, 300 draws."""
    random = np.random.default_rng(1)
    held = 0
    for _ in range(300):
        newcomer, base = (random.random((2, 20)) < [[0.7], [0.5]]).astype(float).tolist()
        found = one(newcomer, base)
        held += found.low <= 0.2 <= found.high
    assert held / 300 >= 0.93
