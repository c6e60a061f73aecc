"""When a second server is asked."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.experts import HedgeCounts
from orchestrator.experts.vllm.hedge import Hedging


def test_nothing_is_learned_before_twenty_first_tokens() -> None:
    """Specified: at least twenty observations."""
    hedging = Hedging(0.95)
    for _ in range(19):
        hedging.observed(1.0)
    assert hedging.after_s is None
    hedging.observed(1.0)
    assert hedging.after_s == 1.0


@given(st.lists(st.floats(0, 100, allow_nan=False), min_size=20, max_size=300), st.floats(0.01, 0.99))
def test_wait_is_that_percentile_of_the_latest(times: list[float], percentile: float) -> None:
    """The smallest time that at least this share of the latest 200 did not exceed."""
    hedging = Hedging(percentile)
    for first_token_s in times:
        hedging.observed(first_token_s)
    latest = times[-200:]
    after_s = hedging.after_s
    assert after_s in latest
    assert sum(each <= after_s for each in latest) >= percentile * len(latest) - 1e-9
    assert sum(each < after_s for each in latest) < percentile * len(latest) + 1e-9


@given(st.lists(st.booleans(), max_size=500))
def test_never_more_than_a_tenth_of_the_streams_are_hedged(slow: list[bool]) -> None:
    """Specified: whatever happens; after a quiet time at most ten at once."""
    hedging = Hedging(0.5)
    for each in slow:
        hedging.asked()
        if each:
            hedging.take()
        assert hedging.counts.hedged <= hedging.counts.streams / 10 + 1e-6
    at_once = 0
    while hedging.take():
        at_once += 1
    assert at_once <= 10


def test_counts_say_what_was_done() -> None:
    """For dashboards."""
    hedging = Hedging(0.5)
    for _ in range(10):
        hedging.asked()
    assert [hedging.take(), hedging.take()] == [True, False]
    hedging.won()
    assert hedging.counts == HedgeCounts(streams=10, hedged=1, won=1, refused=1, after_s=None)
