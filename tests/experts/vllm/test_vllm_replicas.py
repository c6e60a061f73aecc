"""Which server is asked next."""
# ruff: noqa: S311 - seeded, so that a run repeats

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.experts import Condition
from orchestrator.experts.vllm.load import LoadReport
from orchestrator.experts.vllm.replica import Replica
from orchestrator.experts.vllm.replicas import Replicas

URLS = ("http://one:8000", "http://two:8000", "http://three:8000")
IDLE = LoadReport(running=0, waiting=0, kv_usage=0.0)

STATES = st.lists(
    st.tuples(st.integers(0, 5), st.booleans(), st.booleans(), st.booleans(), st.none() | st.integers(0, 50)),
    min_size=3,
    max_size=3,
)


def servers(*, seed: int = 1, urls: tuple[str, ...] = URLS) -> Replicas:
    return Replicas(urls, random=Random(seed))


def break_(replica: Replica, now: float) -> None:
    """Open its circuit, as a refused connection does."""
    replica.circuit.failed(replica.circuit.enter(now), now, absent=True)


def in_state(states: list[tuple[int, bool, bool, bool, int | None]], seed: int) -> Replicas:
    """Servers with so much in flight, open or not, ill or not, resting or not, reporting so many who wait."""
    replicas = servers(seed=seed)
    for replica, (in_flight, broken, ill, resting, waiting) in zip(replicas.all, states, strict=True):
        replica.in_flight = in_flight
        if broken:
            break_(replica, 0.0)
        if ill:
            replica.probed("refused", 0.0)
        if resting:
            replica.resting_until = 9.0
        if waiting is not None:
            replica.reported(LoadReport(running=4, waiting=waiting, kv_usage=0.5), 0.0)
    return replicas


def test_of_two_servers_the_less_busy_is_picked() -> None:
    """By requests in flight where nothing else is known."""
    replicas = servers(urls=URLS[:2])
    one, two = replicas.all
    one.in_flight = 1
    assert [replicas.pick(0.0) for _ in range(5)] == [two] * 5


@given(st.integers(0, 1000))
def test_busiest_of_three_is_never_picked(seed: int) -> None:
    """Power of two choices: whichever two are drawn, one of them has less to do."""
    replicas = servers(seed=seed)
    one, two, three = replicas.all
    one.in_flight, two.in_flight, three.in_flight = 2, 1, 3
    assert {replicas.pick(0.0) for _ in range(20)} == {one, two}


def test_idle_servers_all_get_their_turn() -> None:
    """One request at a time still warms all servers, about evenly."""
    replicas = servers()
    counts = Counter(replicas.pick(0.0) for _ in range(300))
    assert min(counts[replica] for replica in replicas.all) > 80


def test_choice_repeats_with_the_seed() -> None:
    """So that a run can be repeated."""
    picks = [[each.shown for _ in range(50) if (each := replicas.pick(0.0))] for replicas in (servers(), servers())]
    assert picks[0] == picks[1]


@given(STATES, st.integers(0, 1000), st.none() | st.binary(max_size=4))
def test_server_that_is_not_well_is_never_picked_while_one_that_is_is_left(
    states: list[tuple[int, bool, bool, bool, int | None]], seed: int, key: bytes | None
) -> None:
    """Specified: whatever the load, and with affinity too."""
    replicas = in_state(states, seed)
    tried: list[Replica] = []
    while (picked := replicas.pick(0.5, tried=tried, key=key)) is not None:
        assert picked not in tried
        assert picked.well(0.5) or not any(each.well(0.5) for each in replicas.all if each not in tried)
        assert not picked.resting(0.5)
        tried.append(picked)
    assert [each for each in replicas.all if each not in tried] == [each for each in replicas.all if each.resting(0.5)]


@given(STATES, st.integers(0, 1000))
def test_hedge_goes_to_a_well_server_or_nowhere(
    states: list[tuple[int, bool, bool, bool, int | None]], seed: int
) -> None:
    """A second request must not find out whether a server is back."""
    replicas = in_state(states, seed)
    first = replicas.all[0]
    picked = replicas.pick_well(0.5, tried=[first])
    assert picked is None or (picked is not first and picked.well(0.5))
    assert (picked is None) == (not any(each.well(0.5) for each in replicas.all[1:]))


def test_server_whose_trial_is_due_gets_one_request() -> None:
    """Then the others go on until it has proved itself."""
    replicas = servers()
    one = replicas.all[0]
    break_(one, 0.0)
    assert all(replicas.pick(0.9) is not one for _ in range(20))
    assert replicas.pick(2.0) is one
    one.circuit.enter(2.0)
    assert all(replicas.pick(2.0) is not one for _ in range(20))


def test_request_that_was_tried_elsewhere_in_vain_is_no_trial_while_a_server_is_well() -> None:
    """Else three trials could use up the tries of a request that the fourth server would have answered."""
    replicas = servers(urls=(*URLS, "http://four:8000"))
    *broken, four = replicas.all
    for replica in broken:
        break_(replica, 0.0)
    first = replicas.pick(2.0)
    assert first in broken
    assert replicas.pick(2.0, tried=[first]) is four
    assert replicas.pick(2.0, tried=[first, four]) in broken


def test_server_is_asked_all_the_same_when_all_are_in_trouble() -> None:
    """Trouble may be over before its time is; refusing without asking would be certain failure."""
    replicas = servers(urls=URLS[:2])
    one, two = replicas.all
    break_(one, 0.0)
    replicas.all[1].probed("refused", 0.0)
    one.in_flight = 1
    assert replicas.pick(0.5) is two


def test_server_that_asked_to_be_left_alone_is_not_asked_even_when_no_other_is_left() -> None:
    """And it is known when the first of them may be asked again."""
    replicas = servers(urls=URLS[:2])
    replicas.all[0].resting_until, replicas.all[1].resting_until = 7.0, 5.0
    assert (replicas.pick(1.0), replicas.rest_s(1.0)) == (None, 4.0)
    assert (replicas.pick(5.0), replicas.rest_s(8.0)) == (replicas.all[1], None)


def test_server_that_refused_without_saying_for_how_long_comes_second() -> None:
    """It may be asked all the same."""
    replicas = servers(urls=URLS[:2])
    one, two = replicas.all
    one.tired_until, two.in_flight = 5.0, 9
    assert [replicas.pick(1.0), replicas.pick(1.0, tried=[two]), replicas.pick(5.0)] == [two, one, one]


def test_queue_and_memory_that_a_server_reports_send_requests_elsewhere() -> None:
    """Others than we use it too."""
    replicas = servers(urls=URLS[:2])
    one, two = replicas.all
    for busy in (LoadReport(running=4, waiting=8, kv_usage=0.1), LoadReport(running=0, waiting=0, kv_usage=0.9)):
        one.reported(busy, 0.0)
        two.reported(IDLE, 0.0)
        assert {replicas.pick(1.0) for _ in range(10)} == {two}


def test_our_own_requests_in_a_report_count_once() -> None:
    """A server that reports just what we sent it is as busy as one that reports nothing."""
    replicas = servers(urls=URLS[:2])
    one, two = replicas.all
    one.in_flight = two.in_flight = 3
    one.reported(LoadReport(running=3, waiting=0, kv_usage=0.0), 0.0)
    two.reported(LoadReport(running=2, waiting=0, kv_usage=0.0), 0.0)
    assert replicas.burdens(0.0, replicas.all) == [4.0, 4.0]


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 1000))
def test_server_without_a_recent_report_is_neither_starved_nor_flooded(waiting: int, other: int, seed: int) -> None:
    """Specified: it is taken to be as the others are, so that of 300 requests it gets about its share."""
    replicas = servers(seed=seed)
    one, two, three = replicas.all
    one.reported(LoadReport(running=5, waiting=waiting, kv_usage=0.5), 90.0)
    two.reported(LoadReport(running=5, waiting=other, kv_usage=0.5), 90.0)
    three.reported(LoadReport(running=0, waiting=500, kv_usage=1.0), 0.0)  # long ago
    for _ in range(300):
        picked = replicas.pick(100.0)
        assert picked is not None
        picked.in_flight += 1
    assert 70 <= three.in_flight <= 130


@given(st.integers(0, 1000), st.integers(2, 8))
def test_load_stays_even_while_requests_only_come(seed: int, count: int) -> None:
    """Two choices: the busiest is a few requests above the mean, not many."""
    replicas = servers(seed=seed, urls=tuple(f"http://s{number}" for number in range(count)))
    for _ in range(50 * count):
        picked = replicas.pick(0.0)
        assert picked is not None
        picked.in_flight += 1
    assert max(each.in_flight for each in replicas.all) <= 50 + 6


def test_requests_of_one_session_go_to_one_server_until_it_is_gone_and_come_back_with_it() -> None:
    """Specified: affinity."""
    replicas = servers()
    home = replicas.pick(0.0, key=b"session")
    assert home is not None
    assert {replicas.pick(0.0, key=b"session") for _ in range(20)} == {home}
    home.probed("refused", 0.0)
    (second,) = {replicas.pick(0.0, key=b"session") for _ in range(20)}
    home.probed("", 1.0)
    assert second not in (home, None)
    assert replicas.pick(1.0, key=b"session") is home


def test_session_whose_server_is_much_busier_than_the_others_goes_to_the_next() -> None:
    """Specified: a bounded load. A few requests more do not matter."""
    replicas = servers()
    home = replicas.pick(0.0, key=b"session")
    assert home is not None
    home.in_flight = 4
    assert replicas.pick(0.0, key=b"session") is home
    home.in_flight = 40
    assert replicas.pick(0.0, key=b"session") is not home


def test_condition_is_starting_then_up_while_any_server_is_well() -> None:
    """Down says why, server by server, and shows no password."""
    replicas = Replicas(("http://one:8000", "http://user:secret@two:8000"))
    one, two = replicas.all
    seen = [replicas.condition]
    for replica, trouble in ((one, "refused"), (two, ""), (two, "timeout")):
        replica.probed(trouble, 0.0)
        seen.append(replicas.condition)
    assert seen == [
        Condition(state="starting", reason="no health probe yet"),
        Condition(state="starting", reason="no health probe yet"),
        Condition(state="up"),
        Condition(state="down", reason="http://one:8000: refused; http://two:8000: timeout"),
    ]


def test_what_is_seen_of_a_server_is_what_is_known_of_it() -> None:
    """An old report is none."""
    replicas = Replicas(("http://user:secret@one:8000",), random=Random(1))
    (one,) = replicas.all
    (fresh,) = replicas.seen(0.0)
    assert (fresh.url, fresh.breaker, fresh.healthy, fresh.waiting) == ("http://one:8000", "closed", None, None)
    one.reported(LoadReport(running=4, waiting=8, kv_usage=0.25), 1.0)
    one.probed("", 1.0)
    break_(one, 2.0)
    one.resting_until = 7.0
    (seen,) = replicas.seen(2.0)
    assert (seen.running, seen.waiting, seen.kv_usage, seen.healthy) == (4, 8, 0.25, True)
    assert (seen.breaker, seen.openings, seen.resting_s) == ("open", 1, 5.0)
    assert 1.0 <= seen.open_for_s <= 1.25
    (later,) = replicas.seen(100.0)
    assert (later.running, later.breaker, later.resting_s) == (None, "half-open", 0.0)
