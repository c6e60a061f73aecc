"""Which server a key belongs to, and when that does not matter."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.experts.vllm.affinity import affinity_key, bounded, rendezvous

SERVERS = st.lists(st.text(min_size=1, max_size=8), min_size=2, max_size=8, unique=True)
SYSTEM = {"role": "system", "content": "Be brief."}


@given(st.binary(max_size=16), SERVERS, st.data())
def test_key_moves_only_when_its_own_server_leaves(key: bytes, servers: list[str], data: st.DataObject) -> None:
    """Specified: minimal movement; the others keep their order."""
    order = rendezvous(key, servers)
    gone = data.draw(st.sampled_from(servers))
    assert rendezvous(key, [each for each in servers if each != gone]) == [each for each in order if each != gone]


@given(st.binary(max_size=16), SERVERS)
def test_order_does_not_depend_on_how_the_servers_are_listed(key: bytes, servers: list[str]) -> None:
    """Several routers, or a reordered file, agree."""
    assert rendezvous(key, servers) == rendezvous(key, servers[::-1])
    assert sorted(rendezvous(key, servers)) == sorted(servers)


def test_keys_spread_evenly() -> None:
    """Each of four servers has about a quarter of 4000 keys, and of the keys of one that leaves each other a third."""
    servers = [f"http://s{number}:8000" for number in range(4)]
    orders = [rendezvous(str(number).encode(), servers) for number in range(4000)]
    counts = Counter(order[0] for order in orders)
    heirs = Counter(order[1] for order in orders if order[0] == servers[0])
    assert all(900 <= counts[server] <= 1100 for server in servers)
    assert all(270 <= heirs[server] <= 400 for server in servers[1:])


@given(st.lists(st.floats(0, 1000, allow_nan=False), min_size=1, max_size=8))
def test_chosen_server_is_within_the_bound_and_the_first_that_is(burdens: list[float]) -> None:
    """At most half above the mean and four more; there always is one."""
    order = [str(number) for number in range(len(burdens))]
    by_server = dict(zip(order, burdens, strict=True))
    chosen = bounded(order, by_server)
    limit = 1.5 * sum(burdens) / len(burdens) + 4
    assert by_server[chosen] <= limit
    assert all(by_server[earlier] > limit for earlier in order[: order.index(chosen)])


@given(st.lists(st.integers(0, 2), min_size=1, max_size=200), st.integers(2, 5))
def test_few_keys_cannot_overload_a_server(keys: list[int], count: int) -> None:
    """However the requests are keyed, no server ends up much busier than the mean."""
    servers = [f"http://s{number}" for number in range(count)]
    burdens = dict.fromkeys(servers, 1.0)
    for key in keys:
        burdens[bounded(rendezvous(bytes([key]), servers), burdens)] += 1
    assert max(burdens.values()) <= 1.5 * sum(burdens.values()) / count + 5


def test_turns_of_one_conversation_have_one_prefix() -> None:
    """Its beginning up to the first user message decides, whatever follows."""
    first = [SYSTEM, {"role": "user", "content": "hi"}]
    later = [*first, {"role": "assistant", "content": "hello"}, {"role": "user", "content": "and?"}]
    other = [SYSTEM, {"role": "user", "content": [{"type": "text", "text": "hi"}]}]
    keys = [affinity_key("prefix", None, messages) for messages in (first, later, other, later[1:])]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert None not in keys


@pytest.mark.parametrize(
    ("kind", "session", "messages", "key"),
    [
        ("none", "s", [{"role": "user", "content": "hi"}], None),
        ("session", "s", [], b"s"),
        ("session", "\ud800", [], b"\xed\xa0\x80"),
        ("session", None, [{"role": "user", "content": "hi"}], None),
        ("prefix", "s", [SYSTEM], None),
        ("prefix", "s", None, None),
        ("prefix", "s", ["hi"], None),
    ],
)
def test_there_is_no_key_where_nothing_is_asked_for_or_nothing_is_there(
    kind: str, session: str | None, messages: Any, key: bytes | None
) -> None:
    """Then load alone decides."""
    assert affinity_key(kind, session, messages) == key
