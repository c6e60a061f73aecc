"""What is known of one server, and what a request's stay teaches about it."""
# ruff: noqa: S311 - seeded, so that a run repeats

from random import Random

import anyio
import anyio.lowlevel
import pytest

from orchestrator.errors import (
    ExpertCut,
    ExpertError,
    ExpertFailed,
    ExpertMisconfigured,
    ExpertOverloaded,
    ExpertRejected,
    ExpertTimeout,
    ExpertUnavailable,
)
from orchestrator.experts.vllm.circuit import Circuit, Rules
from orchestrator.experts.vllm.replica import MOST_REST_S, Replica

pytestmark = pytest.mark.anyio


def a_replica(*, in_a_row: int = 1, first_open_s: float = 100.0) -> Replica:
    """A server whose circuit opens at the first failure."""
    rules = Rules(in_a_row=in_a_row, first_open_s=first_open_s, most_open_s=first_open_s, jitter=0.0)
    return Replica("http://one:8000", Circuit(Random(1), rules))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://one:8000/api", "http://one:8000/api"),
        ("http://me@[::1]:80", "http://[::1]:80"),
        ("http://me:w%40rd@one/a@b", "http://one/a@b"),
    ],
)
def test_address_is_shown_without_user_name_and_password(url: str, shown: str) -> None:
    """It goes into decisions and errors."""
    assert Replica(url).shown == shown


@pytest.mark.parametrize(
    ("error", "failures", "breaker"),
    [
        (ExpertUnavailable("e", "refused"), 1, "open"),
        (ExpertFailed("e", "status 500"), 1, "open"),
        (ExpertTimeout("e", "no first token"), 1, "open"),
        (ExpertCut("e", "ended"), 1, "open"),
        (ExpertRejected("e", "status 400"), 0, "closed"),
        (ExpertMisconfigured("e", "status 404"), 0, "closed"),
        (ExpertOverloaded("e", "status 429"), 0, "closed"),
    ],
)
async def test_failures_are_what_the_server_is_to_blame_for(error: ExpertError, failures: int, breaker: str) -> None:
    """Specified (docs/fleet.md): a refusal of the request, or of more requests, is none."""
    replica = a_replica()
    with pytest.raises(ExpertError), replica.visit():
        raise error
    seen = (replica.failures, replica.circuit.state(anyio.current_time()), replica.in_flight, replica.last_trouble)
    assert seen == (failures, breaker, 0, str(error))


async def test_nobody_there_opens_at_once_and_a_bad_answer_after_some() -> None:
    """A refused connection is certain; one broken answer may be the request's."""
    replica = a_replica(in_a_row=3)
    for error in (ExpertFailed("e", "500"), ExpertFailed("e", "500")):
        with pytest.raises(ExpertFailed), replica.visit():
            raise error
    assert replica.well(anyio.current_time())
    with pytest.raises(ExpertUnavailable), replica.visit():
        raise ExpertUnavailable("e", "refused")
    assert not replica.well(anyio.current_time())


async def test_server_that_says_when_to_come_back_is_left_alone_until_then() -> None:
    """Up to a minute; it is no failure, and its breaker stays closed."""
    replica = a_replica()
    for wait_s, rest_s in ((7.0, 7.0), (1e6, MOST_REST_S)):
        now = anyio.current_time()
        with pytest.raises(ExpertOverloaded), replica.visit():
            raise ExpertOverloaded("e", "status 429", retry_after_s=wait_s)
        assert replica.resting(now + rest_s - 0.1)
        assert not replica.resting(now + rest_s + 5)
    assert replica.failures == 0


async def test_request_that_is_cancelled_tells_nothing() -> None:
    """The client left; the trial that it may have been is free again."""
    replica = a_replica(first_open_s=1e-9)
    with pytest.raises(ExpertFailed), replica.visit():
        raise ExpertFailed("e", "500")
    while not replica.trial_due(now := anyio.current_time()):
        await anyio.lowlevel.checkpoint()
    with anyio.CancelScope() as scope:
        with replica.visit():
            assert not replica.trial_due(now)
            scope.cancel()
            await anyio.sleep_forever()
    assert (replica.in_flight, replica.failures, replica.trial_due(now)) == (0, 1, True)


async def test_stream_that_was_silent_for_too_long_when_it_was_cancelled_is_a_failure() -> None:
    """Whoever lost patience: else a server that hangs would be picked again for ever. Once begun it is not silent."""
    replica = a_replica(in_a_row=5)
    for begun in (False, True):
        with anyio.CancelScope() as scope:
            with replica.visit(silence_s=0.0) as visit:
                if begun:
                    visit.begun()
                scope.cancel()
                await anyio.sleep_forever()
    assert (replica.failures, "nothing came" in replica.last_trouble) == (1, True)


def test_probe_that_goes_well_closes_what_was_open_for_absence() -> None:
    """And keeps what went wrong last, for people."""
    replica = a_replica()
    replica.probed("refused", 0.0)
    assert not replica.well(0.0)
    replica.circuit.failed(replica.circuit.enter(0.0), 0.0, absent=True)
    replica.probed("", 1.0)
    assert (replica.well(1.0), replica.trouble, replica.last_trouble) == (True, "", "refused")
