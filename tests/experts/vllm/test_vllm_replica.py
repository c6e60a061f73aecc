"""Which server is asked next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.experts import Condition
from orchestrator.experts.vllm.replica import Replica, Replicas

URLS = ("http://one:8000", "http://two:8000", "http://three:8000")


def test_least_busy_server_is_picked() -> None:
    """Requests in flight decide."""
    replicas = Replicas(URLS)
    one, two, three = replicas.all
    one.in_flight, two.in_flight, three.in_flight = 2, 1, 3
    assert replicas.pick(0.0) is two


def test_idle_servers_take_turns() -> None:
    """One request at a time still warms all servers."""
    replicas = Replicas(URLS)
    assert [replicas.pick(0.0) for _ in range(6)] == [*replicas.all, *replicas.all]


def test_failed_server_is_passed_over_until_its_cooldown_ends() -> None:
    """One second at first."""
    replicas = Replicas(URLS[:2])
    one, two = replicas.all
    replicas.eject(one, 100.0)
    assert replicas.pick(100.9) is two
    two.in_flight = 5
    assert replicas.pick(100.9) is two
    assert replicas.pick(101.0) is one


def test_cooldown_doubles_up_to_thirty_seconds_and_starts_over_after_an_answer() -> None:
    """Specified: 1, 2, 4 … 30 s."""
    replicas = Replicas(URLS[:1])
    (one,) = replicas.all
    cooldowns, now = [], 0.0
    for _ in range(7):
        replicas.eject(one, now)
        cooldowns.append(one.cooldown_s)
        now = one.ejected_until
    assert cooldowns == [1, 2, 4, 8, 16, 30, 30]
    replicas.answered(one)
    replicas.eject(one, now)
    assert one.cooldown_s == 1


def test_requests_that_fail_together_eject_once() -> None:
    """A hundred refused connections are one event."""
    replicas = Replicas(URLS[:1])
    (one,) = replicas.all
    for _ in range(100):
        replicas.eject(one, 5.0)
    assert (one.cooldown_s, one.ejected_until) == (1.0, 6.0)


def test_server_is_asked_all_the_same_when_all_are_in_trouble() -> None:
    """Trouble may be over before its cool-down is; refusing without asking would be certain failure."""
    replicas = Replicas(URLS[:2])
    one, two = replicas.all
    replicas.eject(one, 0.0)
    replicas.probed(two, "refused")
    one.in_flight = 1
    assert replicas.pick(0.5) is two


def test_probe_that_fails_makes_a_server_second_choice_and_one_that_succeeds_ends_its_ejection() -> None:
    """A server that hangs refuses no connection: only the probe sees it."""
    replicas = Replicas(URLS[:2])
    one, two = replicas.all
    replicas.probed(one, "timeout")
    assert replicas.pick(0.0) is two
    assert replicas.pick(0.0) is two
    replicas.probed(one, "")
    replicas.eject(one, 0.0)
    replicas.probed(one, "")
    assert replicas.pick(0.0) is one


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


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=3, max_size=3))
def test_no_server_is_picked_twice_for_one_request(states: list[tuple[int, bool]]) -> None:
    """Fail-over ends: each server once, then nobody."""
    replicas = Replicas(URLS)
    for replica, (in_flight, ejected) in zip(replicas.all, states, strict=True):
        replica.in_flight = in_flight
        if ejected:
            replicas.eject(replica, 0.0)
    tried: list[Replica] = []
    while (picked := replicas.pick(0.0, tried=tried)) is not None:
        tried.append(picked)
    assert sorted(replica.url for replica in tried) == sorted(URLS)


def test_condition_is_starting_then_up_while_any_server_is_well() -> None:
    """Down says why, server by server, and shows no password."""
    replicas = Replicas(("http://one:8000", "http://user:secret@two:8000"))
    one, two = replicas.all
    seen = [replicas.condition]
    for replica, trouble in ((one, "refused"), (two, ""), (two, "timeout")):
        replicas.probed(replica, trouble)
        seen.append(replicas.condition)
    assert seen == [
        Condition(state="starting", reason="no health probe yet"),
        Condition(state="starting", reason="no health probe yet"),
        Condition(state="up"),
        Condition(state="down", reason="http://one:8000: refused; http://two:8000: timeout"),
    ]
