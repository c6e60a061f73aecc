"""The breaker, on a clock that the test moves."""

import pytest

from orchestrator.fleet import breaker as breaker_module
from orchestrator.fleet.breaker import Breaker


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Seconds; the breaker reads `now`."""
    now = {"now": 100.0}
    monkeypatch.setattr(breaker_module.clock, "now", lambda: now["now"])
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
