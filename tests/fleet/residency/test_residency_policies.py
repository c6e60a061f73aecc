"""Who leaves: each policy on traces small enough to do by hand, and Belady's against all ways there are."""

from collections.abc import Callable, Sequence
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.fleet.residency.affinity import Affinity
from orchestrator.fleet.residency.policies import POLICIES, Context, DependencyAware, Knowledge, Policy
from orchestrator.fleet.residency.simulate import Outcome, Scenario, simulate
from orchestrator.fleet.residency.tiers import Footprint, Footprints, Link, Tiers
from orchestrator.fleet.residency.traces import Request

FAST = Link(float("inf"))


def shown(policy: Policy, uses: str, session: str | None = None) -> Policy:
    """The policy after requests for experts of one letter each, a second apart."""
    for number, expert in enumerate(uses):
        policy.used(expert, at_s=float(number), session=session)
    return policy


def asked(policy: Policy, candidates: str, *, sizes: str = "", now_s: float = 0.0) -> str:
    """The victim among them; those in capitals in `sizes` are twice as large as others."""
    footprints = Footprints(Footprint(expert, 20 if expert.upper() in sizes else 10, 10) for expert in "abcdrs")
    return policy.victim(list(candidates), Context(now_s, set(candidates), footprints))


def in_order(uses: Sequence[str], *, policy: str, fit: int) -> Outcome:
    """A replay without time in which `fit` experts of one size are awake."""
    experts = sorted(set(uses))
    scenario = Scenario(
        trace=[Request(float(number), expert=expert) for number, expert in enumerate(uses)],
        footprints=Footprints(Footprint(expert, 1, 1) for expert in experts),
        knowledge=Knowledge(experts, future=uses),
        tiers=Tiers(fit, len(experts), FAST, FAST),
    )
    return simulate(scenario.in_order(), policy)


@pytest.mark.parametrize(
    ("policy", "uses", "victim"),
    [
        ("lru", "abcab", "c"),
        ("lru", "bca", "b"),
        ("lru", "bc", "a"),
        ("lfu", "aabcc", "b"),
        ("lfu", "aaa" + "b" * 3000 + "cc", "a"),
        ("usage", "aaa" + "b" * 3000 + "cc", "c"),
        ("usage", "abcabc", "a"),
    ],
)
def test_victims_by_hand(policy: str, uses: str, victim: str) -> None:
    """Longest unused; fewest uses, where 3 of long ago count 3/8 in LFU and in full as usage; ties by LRU."""
    assert asked(shown(POLICIES[policy](Knowledge("abc")), uses), "abc") == victim


def test_belady_takes_whose_next_use_is_farthest() -> None:
    """At the d of abcdab: a comes next, then b, and c never."""
    policy = POLICIES["belady"](Knowledge("abcd", future="abcdab"))
    assert asked(shown(policy, "abcd"), "abc") == "c"
    assert asked(policy, "ab") == "b"


def test_a_subsequent_expert_leaves_first_when_its_preliminary_is_absent() -> None:
    """CoServe's first stage: however often it was used; present or in use by an open session it stays."""
    follows = {"r": frozenset("a")}
    uses = "rrrrbc"
    assert asked(shown(POLICIES["dependency"](Knowledge("abcr", follows)), uses), "bcr") == "r"
    assert asked(shown(POLICIES["dependency"](Knowledge("abcr", follows)), uses), "abcr") == "a"
    standing = shown(POLICIES["dependency"](Knowledge("abcr", follows)), uses)
    standing.used("a", at_s=6.0, session="s")
    assert asked(standing, "bcr", now_s=6.0) == "b"


def test_the_largest_of_the_orphans_leaves_first() -> None:
    """CoServe's first stage, by bytes; then by LRU."""
    policy = POLICIES["dependency"](Knowledge("abrs", {"r": frozenset("a"), "s": frozenset("a")}))
    shown(policy, "rsb")
    assert asked(policy, "brs") == "r"
    assert asked(policy, "brs", sizes="S") == "s"


def test_who_follows_where_a_session_stands_stays() -> None:
    """The second stage: b always came after a, and c after d, just as often; now a session stands at a."""
    policy = DependencyAware(Knowledge("abcd"))
    for number in range(20):
        policy.used("a", at_s=number * 10.0, session=f"s{number}")
        policy.used("b", at_s=number * 10.0 + 1, session=f"s{number}")
        policy.used("d", at_s=number * 10.0 + 2, session=f"t{number}")
        policy.used("c", at_s=number * 10.0 + 3, session=f"t{number}")
    policy.used("a", at_s=201.0, session="last")
    assert asked(policy, "bc", now_s=201.0) == "c"
    assert policy.affinity.candidates("a", least=0.5)[0][0] == "b"


def test_affinity_is_of_one_session_and_forgets_silent_ones() -> None:
    """Other sessions in between change nothing; four mean gaps of silence close a session."""
    affinity = Affinity("abc")
    for number in range(50):
        affinity.observe("a", at_s=number * 10.0, session=f"x{number}")
        affinity.observe("c", at_s=number * 10.0 + 1, session=f"y{number}")
        affinity.observe("b", at_s=number * 10.0 + 2, session=f"x{number}")
    assert affinity.followers("a")[1] > 0.9
    assert affinity.followers("a").sum() == pytest.approx(1)
    assert affinity.next_request(now_s=492.0).sum() == pytest.approx(1)
    assert affinity.stands_at("b")
    affinity.next_request(now_s=10_000.0)
    assert not affinity.stands_at("b")


@given(uses=st.text("abcd", min_size=1, max_size=9), fit=st.integers(1, 3))
def test_belady_loads_no_more_than_the_best_of_all_ways(uses: str, fit: int) -> None:
    """Against brute force over every choice of victim, equal sizes."""

    @cache
    def least(position: int, awake: frozenset[str]) -> int:
        if position == len(uses):
            return 0
        expert = uses[position]
        if expert in awake:
            return least(position + 1, awake)
        if len(awake) < fit:
            return 1 + least(position + 1, awake | {expert})
        return 1 + min(least(position + 1, awake - {victim} | {expert}) for victim in awake)

    assert in_order(uses, policy="belady", fit=fit).loads == least(0, frozenset())


@given(uses=st.text("abcdefg", min_size=1, max_size=60))
def test_lru_hits_no_less_with_more_memory(uses: str) -> None:
    """The stack property (Mattson et al. 1970), equal sizes."""
    loads = [in_order(uses, policy="lru", fit=fit).loads for fit in range(1, 8)]
    assert loads == sorted(loads, reverse=True)


@given(
    uses=st.text("abcdef", min_size=1, max_size=60),
    fit=st.integers(1, 6),
    policy=st.sampled_from(["lru", "lfu", "usage", "dependency"]),
)
def test_nobody_beats_belady(uses: str, fit: int, policy: str) -> None:
    """It is a bound on every policy, equal sizes."""
    assert in_order(uses, policy="belady", fit=fit).loads <= in_order(uses, policy=policy, fit=fit).loads


@pytest.mark.parametrize("make", [make for name, make in POLICIES.items() if name != "belady"], ids=str)
def test_policies_do_not_know_the_future(make: Callable[[Knowledge], Policy]) -> None:
    """The same past gives the same victim, whatever comes."""
    victims = {asked(shown(make(Knowledge("abc", future=future)), "abcab"), "abc") for future in ("", "ccc", "abcabaa")}
    assert len(victims) == 1
