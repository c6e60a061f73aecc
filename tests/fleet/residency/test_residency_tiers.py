"""Bytes: what experts take of a tier, with a shared base once, and never more than there is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.fleet.residency.placement import Move, Placement
from orchestrator.fleet.residency.policies import POLICIES, Knowledge, LeastRecent
from orchestrator.fleet.residency.tiers import Footprint, Footprints, Link, Occupancy, Tier, Tiers

MODEL = Footprint("coder", 100, 80)
ADAPTERS = (Footprint("sql", 5, 3, "coder"), Footprint("bash", 7, 4, "coder"))
FAST = Link(float("inf"))


def test_a_shared_base_counts_once() -> None:
    """Two adapters on one base take the base's bytes and their own, whether the base itself is asked or not."""
    footprints = Footprints([MODEL, *ADAPTERS])
    assert footprints.bytes_of(["sql"]) == 105
    assert footprints.bytes_of(["sql", "bash"]) == 112
    assert footprints.bytes_of(["sql", "bash", "coder"], Tier.asleep) == 87
    tier = Occupancy(footprints, tier=Tier.awake, capacity_bytes=200)
    tier.add("sql")
    assert tier.needs_bytes("bash") == 7
    tier.add("bash")
    assert (tier.used_bytes, tier.frees_bytes("sql")) == (112, 5)
    tier.remove("sql")
    assert (tier.used_bytes, tier.frees_bytes("bash")) == (107, 107)


def test_waking_a_second_adapter_moves_its_own_bytes_alone() -> None:
    """The base is there."""
    footprints = Footprints([MODEL, *ADAPTERS])
    placement = Placement(
        footprints,
        tiers=Tiers(200, 200, FAST, FAST),
        policy=LeastRecent(Knowledge([*footprints])),
        asleep=["sql", "bash"],
    )
    (first,) = placement.plan("sql", now_s=0) or ()
    placement.apply(first)
    (second,) = placement.plan("bash", now_s=0) or ()
    assert (first, second) == (Move("sql", Tier.asleep, Tier.awake, 83), Move("bash", Tier.asleep, Tier.awake, 4))


def test_bases_that_are_missing_or_go_in_a_circle_are_refused() -> None:
    """Bytes would be missing from the count."""
    with pytest.raises(ValueError, match="no footprint of 'coder'"):
        Footprints(ADAPTERS)
    with pytest.raises(ValueError, match="circle"):
        Footprints([Footprint("a", 1, 1, "b"), Footprint("b", 1, 1, "a")])


def test_seconds_follow_from_bytes_and_bandwidth() -> None:
    """PAPERS: 13.5 GB take 13.5 ms at 1 TB/s, 422 at 32 and 211 at 64 GB/s; from disk both ways add up."""
    size = 13_500_000_000
    assert Link(1e12).seconds(size) == pytest.approx(0.0135)
    assert Link(32e9).seconds(size) == pytest.approx(0.422, abs=5e-4)
    assert Link(64e9).seconds(size) == pytest.approx(0.211, abs=5e-4)
    tiers = Tiers(0, 0, wake=Link(10, 1), load=Link(5, 2), sleep=Link(20))
    assert tiers.seconds(100, source=Tier.asleep, target=Tier.awake) == 11
    assert tiers.seconds(100, source=Tier.cold, target=Tier.awake) == 33
    assert tiers.seconds(100, source=Tier.awake, target=Tier.asleep) == 5
    assert tiers.seconds(100, source=Tier.asleep, target=Tier.cold) == 0
    assert tiers.seconds(0, source=Tier.asleep, target=Tier.awake) == 0


def test_the_victim_sleeps_where_there_is_room_and_goes_cold_where_there_is_none() -> None:
    """Host memory holds one: who wakes stays in it until it has its place, so the victim has to go cold."""
    footprints = Footprints(Footprint(expert, 10, 10) for expert in "ab")
    moves = {}
    for asleep_bytes in (10, 20):
        policy = LeastRecent(Knowledge("ab"))
        placement = Placement(footprints, tiers=Tiers(10, asleep_bytes, FAST, FAST), policy=policy, asleep="b")
        placement.awake.add("a")
        moves[asleep_bytes] = placement.plan("b", now_s=0)
    wakes = Move("b", Tier.asleep, Tier.awake, 10)
    assert moves == {
        10: (Move("a", Tier.awake, Tier.cold, 0), wakes),
        20: (Move("a", Tier.awake, Tier.asleep, 0), wakes),
    }


def test_held_experts_do_not_leave() -> None:
    """Where only they could make room there is no plan."""
    placement = Placement(
        Footprints(Footprint(expert, 10, 10) for expert in "ab"),
        tiers=Tiers(10, 20, FAST, FAST),
        policy=LeastRecent(Knowledge("ab")),
        asleep="b",
    )
    placement.awake.add("a")
    assert placement.plan("b", now_s=0, held={"a"}) is None
    assert placement.tier_of("a") is Tier.awake


@st.composite
def fleets(draw: st.DrawFn) -> tuple[Footprints, Tiers, frozenset[str]]:
    """Models of several sizes, some with adapters; tiers of any size; some pinned, no more than fit."""
    found = []
    for number in range(draw(st.integers(1, 4))):
        weights = draw(st.integers(1, 9))
        found.append(Footprint(f"m{number}", weights + draw(st.integers(0, 3)), weights))
        found += [Footprint(f"m{number}a{other}", 1, 1, f"m{number}") for other in range(draw(st.integers(0, 2)))]
    footprints = Footprints(found)
    pinned = frozenset(draw(st.lists(st.sampled_from(sorted(footprints)), max_size=2)))
    least = footprints.bytes_of(pinned)
    sizes = Tiers(
        least + draw(st.integers(0, 25)), draw(st.integers(0, 25)), FAST, FAST, draw(st.sampled_from([None, FAST]))
    )
    return footprints, sizes, pinned


@given(
    fleet=fleets(),
    policy=st.sampled_from([name for name in POLICIES if name != "belady"]),
    chosen=st.lists(st.integers(0, 30), max_size=40),
)
def test_no_tier_ever_holds_more_than_its_bytes_and_the_pinned_stay(
    fleet: tuple[Footprints, Tiers, frozenset[str]], policy: str, chosen: list[int]
) -> None:
    """After each move of each plan; the count of bytes is that of the experts there, and a plan is there if one can."""
    footprints, tiers, pinned = fleet
    experts = sorted(footprints)
    knowledge = Knowledge(experts, {"m0": frozenset({experts[-1]})})
    placement = Placement(footprints, tiers=tiers, policy=POLICIES[policy](knowledge), pinned=pinned, asleep=experts)
    for number, choice in enumerate(chosen):
        expert = experts[choice % len(experts)]
        placement.policy.used(expert, at_s=number, session=f"s{choice % 3}")
        moves = placement.plan(expert, now_s=number)
        assert (moves is None) == placement.never_fits(expert)
        for move in moves or ():
            assert placement.tier_of(move.expert) is move.source
            placement.apply(move)
            for occupancy, tier in ((placement.awake, Tier.awake), (placement.asleep, Tier.asleep)):
                assert occupancy.used_bytes == footprints.bytes_of(occupancy, tier)
                assert occupancy.used_bytes <= occupancy.capacity_bytes
            assert pinned <= set(placement.awake)
            assert not set(placement.awake) & set(placement.asleep)
        assert moves is None or placement.tier_of(expert) is Tier.awake
