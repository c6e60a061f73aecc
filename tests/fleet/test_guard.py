"""What an expert's guard learns from calls: which outcomes count, which tell nothing, and what it says meanwhile."""

import math
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import clock
from orchestrator.config.settings import ExpertSettings, Serve
from orchestrator.errors import (
    ExpertBusy,
    ExpertCut,
    ExpertDoubtful,
    ExpertError,
    ExpertFailed,
    ExpertMisconfigured,
    ExpertOverloaded,
    ExpertRejected,
    ExpertSuspended,
    ExpertTimeout,
    ExpertUnavailable,
)
from orchestrator.experts import Condition
from orchestrator.fleet import guard as guards
from orchestrator.fleet.guard import FAILURES, Guard
from orchestrator.fleet.retries import RetryBudget
from orchestrator.stages import draft as drafting

pytestmark = pytest.mark.anyio

UP, DOWN = Condition(state="up"), Condition(state="down", reason="gone")


def guard(**settings: int) -> Guard:
    return Guard("e", ExpertSettings(kind="scripted", **settings), fair_s=1.0)


async def fail(one: Guard, error: BaseException, *, given_s: float = math.inf, begun: bool = False) -> None:
    """A call that ends so."""
    visit = await one.enter(anyio.current_time() + given_s)
    visit.begun = begun
    with pytest.raises(type(error)), visit:
        raise error


@pytest.mark.parametrize("kind", [ExpertUnavailable, ExpertFailed, ExpertCut, ExpertOverloaded, ExpertTimeout])
async def test_failures_in_a_row_suspend_the_expert(kind: type[ExpertError]) -> None:
    """Then it is down, with the reason and the time of the next trial, and calls fail at once."""
    one = guard()
    for _ in range(FAILURES):
        assert one.condition(UP) is UP
        await fail(one, kind("e", "broken pipe"))
    condition = one.condition(UP)
    assert condition.state == "down"
    assert "breaker is open, next trial in " in condition.reason
    assert "broken pipe" in condition.reason
    with pytest.raises(ExpertSuspended) as raised:
        await one.enter(math.inf)
    assert 0 < (raised.value.retry_after_s or 0) <= 5
    assert not raised.value.retryable


async def test_credentials_that_are_refused_suspend_it_too() -> None:
    """Whatever is asked, the answer would be the same."""
    one = guard()
    for _ in range(FAILURES):
        await fail(one, ExpertMisconfigured("e", "check its api_key"))
    assert one.condition(UP).state == "down"


@pytest.mark.parametrize(
    "error",
    [
        ExpertRejected("e", "too long"),
        ExpertBusy("e", "reader full"),
        ExpertSuspended("e", "reader open"),
        ExpertCut("e", "one server of three died", others_well=True),
    ],
)
async def test_refusals_say_nothing_about_the_expert(error: ExpertError) -> None:
    """It is well, and understood; or another one that it needs, or one of its servers, did not answer."""
    one = guard()
    for _ in range(2 * FAILURES):
        await fail(one, error)
    assert one.condition(UP) is UP


async def test_callers_that_leave_say_nothing() -> None:
    """A client that goes away is no failure of the expert."""
    one = guard()
    for _ in range(2 * FAILURES):
        with anyio.CancelScope() as scope:
            with await one.enter(math.inf):
                scope.cancel()
                await anyio.sleep_forever()
    assert one.condition(UP) is UP
    assert one.running == 0


@pytest.mark.parametrize(
    ("given_s", "begun", "state"),
    [(2.0, False, "down"), (2.0, True, "up"), (0.5, False, "up")],
    ids=["nothing came", "it was under way", "it had hardly any time"],
)
@pytest.mark.parametrize("raised", [True, False], ids=["raised", "cancelled"])
async def test_a_call_that_its_deadline_ended(
    monkeypatch: pytest.MonkeyPatch, given_s: float, state: str, *, begun: bool, raised: bool
) -> None:
    """Counts where the expert had a fair share of the time and had not begun, whoever notices first."""
    now = [100.0]
    monkeypatch.setattr(clock, "now", lambda: now[0])
    one = guard()
    for _ in range(FAILURES):
        visit = await one.enter(now[0] + given_s)
        visit.begun = begun
        now[0] += given_s
        error = ExpertTimeout("e", "late") if raised else anyio.get_cancelled_exc_class()()
        with pytest.raises(type(error)), visit:
            raise error
    assert one.condition(UP).state == state


async def test_a_stream_that_stalls_counts_after_the_time_for_beginning_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """It began within its share of the deadline and then hung: a time-out of its own, not the request's."""
    now = [100.0]
    monkeypatch.setattr(clock, "now", lambda: now[0])
    one = guard()
    for _ in range(FAILURES):
        visit = await one.enter(now[0] + 45)
        visit.begin(until=now[0] + 60)
        now[0] += 50
        with pytest.raises(ExpertTimeout), visit:
            raise ExpertTimeout("e", "silent")
    assert one.condition(UP).state == "down"


async def test_a_success_between_failures_keeps_it_closed() -> None:
    """Only failures in a row count."""
    one = guard()
    for _ in range(3 * FAILURES):
        await fail(one, ExpertFailed("e", "hiccup"))
        with await one.enter(math.inf):
            pass
    assert one.condition(UP) is UP


async def test_an_expert_that_says_it_is_back_is_tried_at_once() -> None:
    """A health probe is quicker than the breaker's own time; one call at a time until one succeeds."""
    one = guard()
    for _ in range(FAILURES):
        await fail(one, ExpertUnavailable("e", "refused"))
    assert one.condition(DOWN) is DOWN
    assert one.condition(UP) is UP
    trial = await one.enter(math.inf)
    assert one.condition(UP).state == "down"
    with trial:
        pass
    assert one.condition(UP) is UP
    assert not one.breaker.is_open


async def test_the_call_that_opens_the_breaker_tells_when_to_come_back() -> None:
    """Before the next trial there is no use; an expert that asked for longer has its way."""
    one, other = guard(), guard()
    for _ in range(FAILURES):
        last = ExpertFailed("e", "hiccup")
        await fail(one, last)
        patient = ExpertOverloaded("e", "full", retry_after_s=12.0)
        await fail(other, patient)
    assert last.retry_after_s == pytest.approx(5, abs=0.5)
    assert patient.retry_after_s == pytest.approx(12, abs=0.5)


async def test_who_waits_for_a_place_is_turned_away_when_the_breaker_opens() -> None:
    """And the place is not lost."""
    one = guard(max_concurrency=1)
    refused: list[ExpertError] = []

    async def waits() -> None:
        with pytest.raises(ExpertSuspended) as raised:
            await one.enter(math.inf)
        refused.append(raised.value)

    for _ in range(FAILURES - 1):
        await fail(one, ExpertFailed("e", "hiccup"))
    visit = await one.enter(math.inf)
    async with anyio.create_task_group() as group:
        group.start_soon(waits)
        group.start_soon(waits)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(ExpertFailed), visit:
            raise ExpertFailed("e", "the last one")
    assert len(refused) == 2
    one.breaker.make_due()
    with await one.enter(anyio.current_time() + 1):
        assert one.running == 1


@given(retries=st.lists(st.integers(0, 5), max_size=200))
def test_retries_are_a_share_of_the_calls_and_a_constant(retries: list[int]) -> None:
    """However many each call wants."""
    budget = RetryBudget(share=0.2, spare=3)
    granted: list[int] = []
    for wanted in retries:
        budget.called()
        granted.append(sum(budget.take() for _ in range(wanted)))
    for start in range(0, len(granted), 7):
        window = granted[start:]
        assert sum(window) <= 0.2 * len(window) + 3 + 1e-6


def test_the_fleet_page_has_these_numbers() -> None:
    """As they are, and the keys of experts with their defaults."""
    page = (Path(__file__).parents[2] / "docs/fleet.md").read_text(encoding="utf-8")
    assert f"| {guards.FAILURES} calls in a row failed |" in page
    assert (
        f"{guards.OPEN_S:g} s at first, twice as long after each failed trial, {guards.MOST_OPEN_S:g} s at most" in page
    )
    assert f"what the expert asked for ({guards.MOST_REST_S:g} s at most)" in page
    assert guards.FAIR_SHARE == 1 / 5
    assert "at least a fifth of `budget.deadline_s`" in page
    assert f"| {drafting.FIRST_SHARE:.0%} |".replace("%", " %") in page
    assert f"| {drafting.DRAFT_SHARE:.0%} |".replace("%", " %") in page
    assert f"drawn between nothing and {drafting.FIRST_PAUSE_S:g} s" in page
    assert f"more than {drafting.MOST_WAIT_S:g} s (`Retry-After`)" in page
    assert f"| `max_queue` | {ExpertSettings.model_fields['max_queue'].default} |" in page
    for key in ("max_header_bytes", "max_body_bytes", "body_timeout_s", "drain_s"):
        assert f"| `{key}` | {Serve.model_fields[key].default} |" in page


async def test_an_expert_that_connected_anew_is_tried_at_once_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was never down by its own account; and a call that may have been made counts as a failure."""
    monkeypatch.setattr(clock, "now", lambda: 100.0)
    one = guard()
    for _ in range(FAILURES):
        await fail(one, ExpertDoubtful("e", "gone"))
    assert one.condition(UP).state == "down"
    assert one.condition(Condition(state="starting")).state == "down"
    assert one.condition(UP) is UP
