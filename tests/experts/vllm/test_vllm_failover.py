"""One request's way over the servers, with servers that are only functions."""
# ruff: noqa: S311 - seeded, so that a run repeats

from collections.abc import Awaitable, Callable, Mapping
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
from orchestrator.experts.vllm.failover import MOST_TRIES, Failover
from orchestrator.experts.vllm.hedge import Hedging
from orchestrator.experts.vllm.replica import Replica
from orchestrator.experts.vllm.replicas import Replicas
from orchestrator.types import Chunk, Draft, Emit

pytestmark = pytest.mark.anyio

Act = Callable[[Emit], Awaitable[None]]


class Troupe:
    """Servers that act as they are told, by the order in which they are asked."""

    def __init__(self, *acts: Act, count: int | None = None) -> None:
        self.replicas = Replicas([f"http://s{number}" for number in range(count or len(acts))], random=Random(3))
        self._acts = list(acts)
        self.asked: list[str] = []
        self.left: list[str] = []

    async def ask(self, replica: Replica, emit: Emit) -> Draft:
        act = self._acts[len(self.asked)]
        self.asked.append(replica.shown)
        try:
            await act(emit)
        except anyio.get_cancelled_exc_class():
            self.left.append(replica.shown)
            raise
        return Draft(expert="e", text="", total_s=0.0, replica=replica.shown)

    def failover(self, hedging: Hedging | None = None) -> Failover[Draft]:
        return Failover("e", self.replicas, self.ask, hedging=hedging)


class Kept:
    """An `emit` that keeps what it is given."""

    def __init__(self) -> None:
        self.said: list[bytes] = []

    async def __call__(self, chunk: Chunk) -> None:
        self.said.append(chunk.raw)


def saying(*pieces: bytes, after: anyio.Event | None = None, then: ExpertError | None = None) -> Act:
    """Emits these, perhaps after an event, and perhaps fails then."""

    async def act(emit: Emit) -> None:
        if after is not None:
            await after.wait()
        for piece in pieces:
            await emit(Chunk(piece))
            await anyio.lowlevel.checkpoint()
        if then is not None:
            raise then

    return act


async def silence(_: Emit) -> None:
    await anyio.sleep_forever()


def learned(*, first_token_s: float = 0.0, saved: int = 1, percentile: float = 0.9) -> Hedging:
    """Hedging that knows how long first tokens take, and may hedge so many streams."""
    hedging = Hedging(percentile)
    for _ in range(20):
        hedging.observed(first_token_s)
    for _ in range(10 * saved):
        hedging.asked()
    return hedging


ANOTHER_MAY_DO = [
    ExpertUnavailable("e", "refused"),
    ExpertOverloaded("e", "429", retry_after_s=5.0),
    ExpertFailed("e", "500"),
    ExpertCut("e", "ended"),
    ExpertTimeout("e", "late"),
    ExpertMisconfigured("e", "404"),
]


@pytest.mark.parametrize("error", ANOTHER_MAY_DO, ids=lambda error: type(error).__name__)
async def test_another_server_is_asked_when_one_fails_before_it_said_anything(error: ExpertError) -> None:
    """Specified: nothing is lost when one dies."""
    troupe, kept = Troupe(saying(then=error), saying(b"a", b"b")), Kept()
    draft = await troupe.failover().draft(kept)
    assert (kept.said, draft.replica, len(set(troupe.asked))) == ([b"a", b"b"], troupe.asked[1], 2)


@pytest.mark.parametrize("error", ANOTHER_MAY_DO, ids=lambda error: type(error).__name__)
async def test_nobody_else_is_asked_once_something_was_said(error: ExpertError) -> None:
    """Specified: nothing is told twice."""
    troupe, kept = Troupe(saying(b"a", then=error), saying(b"b")), Kept()
    with pytest.raises(type(error)):
        await troupe.failover().draft(kept)
    assert (kept.said, len(troupe.asked)) == ([b"a"], 1)


async def test_request_that_a_server_refuses_is_refused_at_once() -> None:
    """The next would refuse it too."""
    troupe = Troupe(saying(then=ExpertRejected("e", "too long")), saying(b"b"))
    with pytest.raises(ExpertRejected):
        await troupe.failover().draft(Kept())
    assert len(troupe.asked) == 1


async def test_each_server_is_asked_once_and_at_most_three_in_all() -> None:
    """Specified: bounded."""
    troupe = Troupe(*[saying(then=ExpertFailed("e", f"no {number}")) for number in range(5)])
    with pytest.raises(ExpertFailed) as raised:
        await troupe.failover().draft(Kept())
    assert (len(troupe.asked), len(set(troupe.asked))) == (MOST_TRIES, MOST_TRIES)
    assert str(raised.value) == "no 0; no 1; no 2"


async def test_failure_of_all_is_of_the_last_ones_kind_unless_one_said_when_to_come_back() -> None:
    """Then that is what the caller can act on, and the earliest time counts."""
    troupe = Troupe(
        saying(then=ExpertOverloaded("e", "later", retry_after_s=7.0)),
        saying(then=ExpertOverloaded("e", "later", retry_after_s=5.0)),
        saying(then=ExpertUnavailable("e", "refused")),
    )
    with pytest.raises(ExpertError) as raised:
        await troupe.failover().draft(Kept())
    assert (type(raised.value), raised.value.retry_after_s) == (ExpertOverloaded, 5.0)


async def test_nobody_is_asked_while_all_want_to_be_left_alone() -> None:
    """Specified: Retry-After is respected, and told to the caller."""
    troupe = Troupe(saying(then=ExpertOverloaded("e", "later", retry_after_s=50.0)))
    for _ in range(2):
        with pytest.raises(ExpertOverloaded) as raised:
            await troupe.failover().draft(Kept())
        assert raised.value.retry_after_s is not None
        assert 40 < raised.value.retry_after_s <= 50
    assert len(troupe.asked) == 1


async def test_slow_server_is_joined_by_a_second_and_the_first_to_speak_goes_on() -> None:
    """Specified: the loser is cancelled at once, and what it would have said is never heard."""
    troupe, kept, hedging = Troupe(silence, saying(b"a", b"b")), Kept(), learned()
    with anyio.fail_after(5):
        draft = await troupe.failover(hedging).draft(kept)
    assert (kept.said, draft.replica) == ([b"a", b"b"], troupe.asked[1])
    assert (troupe.left, [each.in_flight for each in troupe.replicas.all]) == ([troupe.asked[0]], [0, 0])
    assert (hedging.counts.hedged, hedging.counts.won) == (1, 1)
    assert [each.failures for each in troupe.replicas.all] == [0, 0]


async def test_first_server_that_speaks_after_all_cancels_the_second() -> None:
    """No token of the second is emitted."""
    speak = anyio.Event()
    troupe, kept, hedging = Troupe(saying(b"a", b"b", after=speak), silence), Kept(), learned()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(troupe.failover(hedging).draft, kept)
            while len(troupe.asked) < 2:
                await anyio.lowlevel.checkpoint()
            speak.set()
    assert (kept.said, troupe.left) == ([b"a", b"b"], [troupe.asked[1]])
    assert (hedging.counts.hedged, hedging.counts.won) == (1, 0)


async def test_two_that_speak_at_the_same_time_are_never_mixed() -> None:
    """Whoever is first has it all."""
    speak = anyio.Event()
    troupe = Troupe(saying(b"1", b"1", b"1", after=speak), saying(b"2", b"2", b"2", after=speak))
    kept = Kept()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(troupe.failover(learned()).draft, kept)
            while len(troupe.asked) < 2:
                await anyio.lowlevel.checkpoint()
            speak.set()
    assert kept.said in ([b"1"] * 3, [b"2"] * 3)
    assert len(troupe.left) == 1


async def test_hedge_that_fails_leaves_the_first_alone() -> None:
    """And the other way round, as long as one is at work."""
    speak = anyio.Event()

    async def broken(_: Emit) -> None:
        speak.set()
        raise ExpertFailed("e", "500")

    troupe, kept = Troupe(saying(b"a", after=speak), broken), Kept()
    with anyio.fail_after(5):
        draft = await troupe.failover(learned()).draft(kept)
    assert (kept.said, draft.replica) == ([b"a"], troupe.asked[0])


async def test_third_server_is_asked_when_both_fail() -> None:
    """Within the bound of tries."""
    speak = anyio.Event()

    async def broken(_: Emit) -> None:
        speak.set()
        raise ExpertFailed("e", "500")

    troupe, kept = Troupe(saying(after=speak, then=ExpertCut("e", "cut")), broken, saying(b"c")), Kept()
    with anyio.fail_after(5):
        await troupe.failover(learned()).draft(kept)
    assert (kept.said, len(set(troupe.asked))) == ([b"c"], 3)


async def test_winner_that_breaks_off_is_an_error_and_not_another_answer() -> None:
    """Never after the first chunk."""
    troupe, kept = Troupe(silence, saying(b"a", then=ExpertCut("e", "cut")), saying(b"c")), Kept()
    with anyio.fail_after(5), pytest.raises(ExpertCut):
        await troupe.failover(learned()).draft(kept)
    assert (kept.said, len(troupe.asked)) == ([b"a"], 2)


def nothing(_: Replicas) -> None:
    """All is well."""


def others_ill(replicas: Replicas) -> None:
    """But one."""
    for replica in replicas.all[1:]:
        replica.probed("refused", 0.0)


@pytest.mark.parametrize(
    ("hedging", "prepare"),
    [
        (learned(saved=0), nothing),
        (Hedging(0.9), nothing),
        (learned(first_token_s=1000.0), nothing),
        (learned(), others_ill),
    ],
    ids=["share spent", "nothing learned", "not late yet", "no other is well"],
)
async def test_there_is_no_second_server(hedging: Hedging, prepare: Callable[[Replicas], None]) -> None:
    """Where the share is spent, too little is known, it is not late, or no other is well."""
    troupe = Troupe(silence, count=3)
    prepare(troupe.replicas)
    with anyio.move_on_after(0.02):
        await troupe.failover(hedging).draft(Kept())
    assert len(troupe.asked) == 1
    assert hedging.counts.hedged == 0


async def test_error_of_the_client_side_ends_both() -> None:
    """An `emit` that breaks is no fault of any server, and comes out as it is."""

    async def gone(_: Chunk) -> None:
        raise anyio.BrokenResourceError

    troupe = Troupe(silence, saying(b"a"))
    with anyio.fail_after(5), pytest.raises(anyio.BrokenResourceError):
        await troupe.failover(learned()).draft(gone)
    assert [(each.in_flight, each.failures) for each in troupe.replicas.all] == [(0, 0), (0, 0)]


async def test_first_tokens_are_learned_from_all_streams_and_from_those_that_lost() -> None:
    """One that lost took at least as long: to leave it out would shorten the wait with each hedge."""
    hedging: Hedging = learned(percentile=0.99)
    troupe = Troupe(silence, saying(b"a"))
    with anyio.fail_after(5):
        await troupe.failover(hedging).draft(Kept())
    seen: Mapping[str, object] = vars(hedging)
    assert len(seen["_latest"]) == 22  # type: ignore[arg-type]
