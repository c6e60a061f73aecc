"""The breaker of one server, over all sequences of what may happen to it."""
# ruff: noqa: S311 - seeded, so that a run repeats

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from orchestrator.experts.vllm.circuit import Circuit, Rules, Ticket

RULES = Rules(in_a_row=3, window=20, least=10, share=0.5, first_open_s=1.0, most_open_s=30.0, jitter=0.0)


def a_circuit(rules: Rules = RULES) -> Circuit:
    return Circuit(Random(7), rules)


def failing(circuit: Circuit, now: float, *, absent: bool = False) -> None:
    """One request that fails at once."""
    circuit.failed(circuit.enter(now), now, absent=absent)


def test_three_failures_in_a_row_open_it_and_a_success_between_starts_over() -> None:
    """The default number."""
    circuit = a_circuit()
    failing(circuit, 0.0)
    failing(circuit, 0.0)
    circuit.succeeded(circuit.enter(0.0), 0.0)
    failing(circuit, 0.0)
    failing(circuit, 0.0)
    assert circuit.state(0.0) == "closed"
    failing(circuit, 0.0)
    assert (circuit.state(0.9), circuit.state(1.0)) == ("open", "half-open")


def test_half_of_the_latest_answers_failing_opens_it_although_none_do_so_in_a_row() -> None:
    """A server that breaks every second request is no good either."""
    circuit = a_circuit()
    for _ in range(5):
        assert circuit.state(0.0) == "closed"
        circuit.succeeded(circuit.enter(0.0), 0.0)
        failing(circuit, 0.0)
    assert circuit.state(0.0) == "open"


def test_open_time_doubles_up_to_the_most_and_starts_over_after_it_stayed_closed() -> None:
    """1, 2, 4 … 30 s; a server that flaps is left alone for longer although it comes back between."""
    circuit, now, times = a_circuit(), 100.0, []
    for _ in range(7):
        failing(circuit, now, absent=True)
        times.append(circuit.open_for_s(now))
        now += times[-1]
        circuit.begun(circuit.enter(now), now)  # back, but not for long
    failing(circuit, now + 29.9, absent=True)
    assert [*times, circuit.open_for_s(now + 29.9)] == [1, 2, 4, 8, 16, 30, 30, 30]
    circuit.seen_well(now + 30)
    failing(circuit, now + 60, absent=True)
    assert circuit.open_for_s(now + 60) == 1


def test_failed_trial_opens_it_for_longer() -> None:
    """Half-open, one request, open again."""
    circuit = a_circuit()
    failing(circuit, 0.0, absent=True)
    failing(circuit, 1.0)
    assert (circuit.state(1.0), circuit.open_for_s(1.0)) == ("open", 2.0)


@given(st.integers(0, 2**32), st.integers(0, 8))
def test_jitter_only_ever_adds_up_to_its_share(seed: int, openings: int) -> None:
    """Servers that failed together are not tried together."""
    circuit, now = Circuit(Random(seed), Rules(jitter=0.25)), 0.0
    for level in range(openings + 1):
        failing(circuit, now, absent=True)
        least = min(30.0, 2.0**level)
        assert least <= circuit.open_for_s(now) <= 1.25 * least + 1e-6  # times are differences of larger ones
        now += circuit.open_for_s(now)


def test_one_trial_at_a_time_and_one_that_left_makes_room_for_the_next() -> None:
    """Specified: a trial that is cancelled frees it."""
    circuit = a_circuit()
    failing(circuit, 0.0, absent=True)
    assert not circuit.trial_due(0.5)
    trial = circuit.enter(1.0)
    assert (trial.trial, circuit.trial_due(1.0), circuit.enter(1.0).trial) == (True, False, False)
    circuit.left(trial)
    assert circuit.trial_due(1.0)


def test_trial_closes_it_with_its_first_token() -> None:
    """A long answer need not end first."""
    circuit = a_circuit()
    failing(circuit, 0.0, absent=True)
    circuit.begun(circuit.enter(1.0), 1.0)
    assert circuit.state(1.0) == "closed"


@pytest.mark.parametrize(("absent", "state"), [(True, "closed"), (False, "open")])
def test_good_probe_closes_what_was_open_for_absence_alone(absent: bool, state: str) -> None:  # noqa: FBT001
    """`/health` says nothing about answers: those only a trial can prove."""
    circuit = a_circuit(Rules(in_a_row=1, jitter=0.0))
    failing(circuit, 0.0, absent=absent)
    circuit.seen_well(0.5)
    assert circuit.state(0.5) == state


def test_requests_that_fail_together_open_it_once() -> None:
    """A hundred refused connections are one event; so is what began before it opened and ends later."""
    circuit = a_circuit()
    tickets = [circuit.enter(0.0) for _ in range(100)]
    for ticket in tickets[:99]:
        circuit.failed(ticket, 0.0, absent=True)
    assert (circuit.openings, circuit.open_for_s(0.0)) == (1, 1.0)
    circuit.succeeded(tickets[99], 0.5)
    assert circuit.state(0.5) == "open"


class Life(RuleBasedStateMachine):
    """Any sequence of requests, outcomes, probes and passing time."""

    under_way: Bundle[Ticket] = Bundle("under_way")

    @initialize(seed=st.integers(0, 1000))
    def begin(self, seed: int) -> None:
        self.circuit = Circuit(Random(seed), Rules())
        self.now = 0.0
        self.trials: set[Ticket] = set()

    @rule(seconds=st.floats(0, 50))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(target=under_way)
    def enters(self) -> Ticket:
        due = self.circuit.trial_due(self.now)
        ticket = self.circuit.enter(self.now)
        assert ticket.trial == due
        return ticket

    @rule(ticket=under_way)
    def begins(self, ticket: Ticket) -> None:
        self.circuit.begun(ticket, self.now)

    @rule(ticket=consumes(under_way))
    def succeeds(self, ticket: Ticket) -> None:
        self.circuit.succeeded(ticket, self.now)

    @rule(ticket=consumes(under_way), absent=st.booleans())
    def fails(self, ticket: Ticket, absent: bool) -> None:  # noqa: FBT001
        before = self.circuit.state(self.now)
        self.circuit.failed(ticket, self.now, absent=absent)
        if before == "open":
            assert self.circuit.state(self.now) == "open"

    @rule(ticket=consumes(under_way))
    def leaves(self, ticket: Ticket) -> None:
        before = self.circuit.state(self.now)
        self.circuit.left(ticket)
        assert self.circuit.state(self.now) == before

    @rule()
    def is_probed(self) -> None:
        self.circuit.seen_well(self.now)

    @invariant()
    def is_never_stuck(self) -> None:
        """Wherever it stands, it is open for a bounded time, and then a trial that is left or given up frees it."""
        if not hasattr(self, "circuit"):
            return
        assert 0 <= self.circuit.open_for_s(self.now) <= 30 * 1.25 + 1e-6
        if self.circuit.state(self.now) == "closed":
            assert not self.circuit.trial_due(self.now)
        if self.circuit.state(self.now) == "open":
            assert not self.circuit.trial_due(self.now)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
