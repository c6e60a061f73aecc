"""The breaker, on a clock that the test moves."""

from copy import deepcopy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator import clock as loop_clock
from orchestrator.fleet.breaker import Breaker


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Seconds; the breaker reads `now`."""
    now = {"now": 100.0}
    monkeypatch.setattr(loop_clock, "now", lambda: now["now"])
    return now


def test_it_opens_after_failures_in_a_row_only(clock: dict[str, float]) -> None:
    """A success in between starts the count again."""
    breaker = Breaker(failures=2, open_s=10)
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    assert breaker.allows()
    breaker.failed()
    assert not breaker.allows()
    assert clock["now"] == 100.0


def test_after_a_while_one_trial_passes_and_decides(clock: dict[str, float]) -> None:
    """Half-open: one call passes, the others wait for its outcome."""
    breaker = Breaker(failures=1, open_s=10)
    breaker.failed()
    clock["now"] += 10
    assert [breaker.allows(), breaker.allows()] == [True, False]
    breaker.succeeded()
    assert breaker.allows()


def test_a_failed_trial_opens_it_again(clock: dict[str, float]) -> None:
    """The next trial is due a whole `open_s` later."""
    breaker = Breaker(failures=3, open_s=10)
    for _ in range(3):
        breaker.failed()
    clock["now"] += 10
    assert breaker.allows()
    breaker.failed()
    clock["now"] += 9
    assert not breaker.allows()
    clock["now"] += 1
    assert breaker.allows()


def test_a_trial_that_never_reports_frees_the_next_one(clock: dict[str, float]) -> None:
    """A cancelled trial must not leave the breaker open for ever."""
    breaker = Breaker(failures=1, open_s=10)
    breaker.failed()
    clock["now"] += 10
    assert breaker.allows()
    clock["now"] += 10
    assert breaker.allows()


def test_it_says_how_long_it_will_wait(clock: dict[str, float]) -> None:
    """Seconds until a call passes: none while it is closed, or a trial is due; the whole time again after a trial."""
    breaker = Breaker(failures=1, open_s=10)
    assert breaker.wait_s == 0
    breaker.failed()
    clock["now"] += 4
    assert breaker.wait_s == 6
    clock["now"] += 6
    assert breaker.wait_s == 0
    assert breaker.allows()
    assert breaker.wait_s == 10


def test_a_trial_whose_caller_left_makes_room_for_the_next(clock: dict[str, float]) -> None:
    """It tells nothing, and the next one need not wait for it."""
    breaker = Breaker(failures=1, open_s=10)
    breaker.failed()
    clock["now"] += 10
    assert breaker.allows()
    assert not breaker.allows()
    breaker.left(since=breaker.period)
    assert breaker.allows()


def test_calls_that_began_before_it_opened_decide_no_trial(clock: dict[str, float]) -> None:
    """Neither that it is well again nor that it is not."""
    breaker = Breaker(failures=1, open_s=10)
    before = breaker.period
    breaker.failed(since=before)
    breaker.succeeded(since=before)
    assert not breaker.allows()
    clock["now"] += 10
    assert breaker.allows()
    breaker.failed(since=before)
    breaker.succeeded(since=breaker.period)
    assert not breaker.is_open


def test_each_failed_trial_doubles_the_time_up_to_the_most(clock: dict[str, float]) -> None:
    """And a success starts anew."""
    breaker = Breaker(failures=1, open_s=5, most_open_s=12)
    waits = []
    for _ in range(4):
        assert breaker.allows()
        breaker.failed(since=breaker.period)
        waits.append(breaker.wait_s)
        clock["now"] += breaker.wait_s
    assert waits == [5, 10, 12, 12]
    assert breaker.allows()
    breaker.succeeded(since=breaker.period)
    breaker.failed()
    assert breaker.wait_s == 5


def test_it_stays_open_for_as_long_as_was_asked(clock: dict[str, float]) -> None:
    """Retry-After of the thing itself, where that is longer."""
    breaker = Breaker(failures=2, open_s=5)
    breaker.failed(rest_s=20)
    assert breaker.allows()
    breaker.failed(rest_s=20)
    assert breaker.wait_s == 20
    assert clock["now"] == 100


def test_something_else_may_say_that_a_trial_is_due(clock: dict[str, float]) -> None:
    """A health probe, for example; it is still a trial that decides."""
    breaker = Breaker(failures=1, open_s=5)
    breaker.failed()
    breaker.make_due()
    assert [breaker.allows(), breaker.allows()] == [True, False]
    assert breaker.is_open
    assert clock["now"] == 100


OPERATIONS = st.lists(st.tuples(st.sampled_from(["call", "succeed", "fail", "leave", "wait"]), st.integers(0, 20)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=OPERATIONS, trials=st.integers(1, 3))
def test_it_never_lets_through_more_than_it_may(
    clock: dict[str, float], operations: list[tuple[str, int]], trials: int
) -> None:
    """Whatever happens in whatever order: open, nothing; half-open, so many trials; and `wait_s` foretells `allows`."""
    breaker = Breaker(failures=3, open_s=4, trials=trials)
    under_way: list[int] = []
    on_trial_since: list[float] = []
    for operation, number in operations:
        foretold = breaker.wait_s == 0
        assert deepcopy(breaker).allows() == foretold
        if operation == "call":
            trial = breaker.is_open
            assert breaker.allows() == foretold
            if foretold:
                under_way.append(breaker.period)
                on_trial_since += [clock["now"]] * trial
                assert sum(since > clock["now"] - 4 for since in on_trial_since) <= trials
        elif operation == "wait":
            clock["now"] += number / 3
        elif under_way:
            since = under_way.pop(number % len(under_way))
            {"succeed": breaker.succeeded, "fail": breaker.failed, "leave": breaker.left}[operation](since=since)
            if operation == "leave" or not breaker.is_open:  # who left makes room for another trial
                on_trial_since.clear()
