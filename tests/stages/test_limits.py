"""Breakers, retries and places in the running pipeline: who is asked, who is not, and what the decision says of it."""

import math
from typing import Any

import anyio
import pytest

from orchestrator.engine import Engine
from orchestrator.errors import (
    ExpertBusy,
    ExpertError,
    ExpertFailed,
    ExpertOverloaded,
    ExpertSuspended,
    NoExpertLeft,
    OrchestratorError,
)
from orchestrator.fleet.guard import FAILURES
from orchestrator.fleet.retries import RetryBudget
from orchestrator.stages import draft as drafting
from orchestrator.stages.draft import nowhere
from orchestrator.testing import Reply, ScriptedExpert
from orchestrator.trace import Trace
from orchestrator.types import Draft
from tests.flowing import Collected, flowing

pytestmark = pytest.mark.anyio

CATEGORIES = {"math": ["solver", "writer"], "general": ["writer"]}
ALONE = {"math": ["solver"], "general": ["solver"]}


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without waiting for nothing."""
    monkeypatch.setattr(drafting, "FIRST_PAUSE_S", 0.001)


def limited(**limits: Any) -> dict[str, Any]:
    """Two experts, of which the first has these limits."""
    return {"solver": {"kind": "scripted", **limits}, "writer": {"kind": "scripted"}}


async def answer(engine: Engine, query: str = "math", *, model: str = "auto", **fields: Any) -> tuple[Draft, Trace]:
    messages = [{"role": "user", "content": query}]
    request, trace = engine.pipeline.request({"messages": messages, **fields}, model=model)
    with anyio.fail_after(10):
        return await engine.pipeline.answer(request, nowhere, trace), trace


async def failure(engine: Engine, *, model: str = "auto") -> tuple[OrchestratorError, Trace]:
    request, trace = engine.pipeline.request({"messages": [{"role": "user", "content": "math"}]}, model=model)
    with anyio.fail_after(10), pytest.raises((ExpertError, NoExpertLeft)) as caught:
        await engine.pipeline.answer(request, nowhere, trace)
    return caught.value, trace


def tried(trace: Trace) -> list[tuple[str, str, str | None]]:
    return [(a.expert, a.outcome, a.failure.kind if a.failure else None) for a in trace.decision().attempts]


async def until(*, waiting: int, engine: Engine, expert: str = "solver") -> None:
    places = engine.registry.guard(expert).places
    assert places is not None
    with anyio.fail_after(5):
        while places.waiting < waiting:  # noqa: ASYNC110 - nobody is told
            await anyio.sleep(0.001)


async def test_an_expert_whose_breaker_is_open_is_the_last_resort() -> None:
    """It is put behind the others, with the reason in the decision, and is not asked while they answer."""
    solver = ScriptedExpert("solver", ExpertFailed("solver", "broken"))
    async with flowing(solver, ScriptedExpert("writer", "words"), categories=CATEGORIES) as engine:
        while engine.registry.condition("solver").state == "up":
            await answer(engine)
        asked = len(solver.requests)
        draft, trace = await answer(engine)
    chosen = trace.decision().choose
    assert draft.expert == "writer"
    assert (asked, len(solver.requests)) == (FAILURES, FAILURES)
    assert chosen is not None
    assert chosen.experts == ("writer", "solver")
    assert "breaker is open, next trial in" in chosen.skipped[0].reason


async def test_a_trial_that_succeeds_brings_the_expert_back() -> None:
    """One request is the trial; those beside it go to the fallback."""
    held = anyio.Event()
    broken = [ExpertFailed("solver", "broken")] * FAILURES
    solver = ScriptedExpert("solver", *broken, Reply(pieces=("42",), before=held))
    async with flowing(solver, ScriptedExpert("writer", "words"), categories=CATEGORIES) as engine:
        while engine.registry.condition("solver").state == "up":
            await answer(engine)
        engine.registry.guard("solver").breaker.make_due()
        found: list[str] = []

        async def ask() -> None:
            found.append((await answer(engine))[0].expert)

        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            with anyio.fail_after(5):
                while not solver.running:  # noqa: ASYNC110 - nobody is told
                    await anyio.sleep(0.001)
            await ask()
            held.set()
        await ask()
    assert found == ["writer", "solver", "solver"]


async def test_a_named_expert_whose_breaker_is_open_fails_at_once() -> None:
    """There is no other in its place: the client is told when it may come back."""
    solver = ScriptedExpert("solver", ExpertFailed("solver", "broken"))
    async with flowing(solver, categories=ALONE) as engine:
        while engine.registry.condition("solver").state == "up":
            await failure(engine, model="solver")
        error, trace = await failure(engine, model="solver")
    assert isinstance(error, ExpertSuspended)
    assert 0 < (error.retry_after_s or 0) <= 5
    assert tried(trace) == [("solver", "failed", "ExpertSuspended")]
    assert len(solver.requests) == FAILURES


async def test_an_expert_that_hangs_opens_its_breaker() -> None:
    """Its share of the time runs out again and again; then nobody waits for it any more."""
    solver = ScriptedExpert("solver", Reply(pieces=("never",), before=anyio.Event()))
    writer = ScriptedExpert("writer", "in time")
    async with flowing(solver, writer, categories=CATEGORIES, budget={"deadline_s": 0.6}) as engine:
        async with anyio.create_task_group() as group:
            for _ in range(FAILURES):
                group.start_soon(answer, engine)
        assert engine.registry.condition("solver").state == "down"
        _, trace = await answer(engine)
    assert tried(trace) == [("writer", "answered", None)]


async def test_drafts_that_are_late_count_and_cancelled_ones_do_not() -> None:
    """A drafter that never answers is left out by its breaker after a while."""
    hung = ScriptedExpert("c", Reply(pieces=("never",), before=anyio.Event()))
    experts = [ScriptedExpert("a", "left right"), ScriptedExpert("b", "left right"), hung]
    fuse = {"math": {"experts": ["a", "b", "c"], "plan": "fuse"}, "general": ["a"]}
    async with flowing(*experts, categories=fuse, budget={"deadline_s": 0.6}) as engine:
        for _ in range(FAILURES):
            assert engine.registry.condition("c").state == "up"
            await answer(engine)
        assert engine.registry.condition("c").state == "down"
        assert engine.registry.condition("a").state == "up"


async def test_a_stream_that_the_deadline_cuts_says_nothing_about_its_expert() -> None:
    """It answered; the answer was long, or the client slow."""
    solver = ScriptedExpert("solver", Reply(pieces=("4", "2"), between=anyio.Event()))
    async with flowing(solver, categories=ALONE, budget={"deadline_s": 0.3}) as engine:
        for _ in range(FAILURES):
            messages = [{"role": "user", "content": "math"}]
            request, trace = engine.pipeline.request({"messages": messages, "stream": True}, model="auto")
            emit = Collected()
            with pytest.raises(Exception, match=r"0\.3 s|deadline"):
                await engine.pipeline.answer(request, emit, trace)
            assert emit.chunks
        assert engine.registry.condition("solver").state == "up"


async def test_a_short_retry_after_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pause before the retry is what was asked for and some jitter, which is at most the longest pause."""
    pauses: list[float] = []
    sleep = anyio.sleep

    async def noted(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr(anyio, "sleep", noted)
    monkeypatch.setattr(drafting, "FIRST_PAUSE_S", 0.5)
    solver = ScriptedExpert("solver", ExpertOverloaded("solver", "full", retry_after_s=0.7), "42")
    async with flowing(solver, categories=ALONE) as engine:
        await answer(engine)
    assert len(pauses) == 1
    assert 0.7 <= pauses[0] <= 1.2


async def test_a_retry_that_would_come_too_late_is_not_made() -> None:
    """The one deadline holds for pauses too: the fallback is asked instead."""
    solver = ScriptedExpert("solver", ExpertOverloaded("solver", "full", retry_after_s=0.9), "42")
    writer = ScriptedExpert("writer", "words")
    async with flowing(solver, writer, categories=CATEGORIES, budget={"deadline_s": 0.5}) as engine:
        draft, trace = await answer(engine)
    assert draft.expert == "writer"
    assert [expert for expert, _, _ in tried(trace)] == ["solver", "writer"]


async def test_retries_beyond_the_budget_are_not_made() -> None:
    """An expert that stumbles at every first call gets so many second ones, and no more."""
    script = [entry for number in range(4) for entry in (ExpertFailed("solver", "stumbled"), f"answer {number}")]
    solver = ScriptedExpert("solver", *script)
    async with flowing(solver, ScriptedExpert("writer", "words"), categories=CATEGORIES) as engine:
        engine.registry.guard("solver").retries = RetryBudget(share=0.0, spare=2)
        experts = [(await answer(engine))[0].expert for _ in range(3)]
    assert experts == ["solver", "solver", "writer"]


async def test_the_final_error_knows_the_smallest_wait() -> None:
    """Of those that were tried; none of them was asked twice."""
    solver = ScriptedExpert("solver", ExpertOverloaded("solver", "full", retry_after_s=30))
    writer = ScriptedExpert("writer", ExpertOverloaded("writer", "full", retry_after_s=20))
    async with flowing(solver, writer, categories=CATEGORIES) as engine:
        error, _ = await failure(engine)
    assert isinstance(error, NoExpertLeft)
    assert [each.retry_after_s for each in error.failures] == [30, 20]


async def test_beyond_its_queue_the_next_expert_of_the_plan_is_asked() -> None:
    """At once, and the decision says that the first one was busy."""
    solver = ScriptedExpert("solver", Reply(pieces=("42",), before=(held := anyio.Event())))
    writer = ScriptedExpert("writer", "words")
    limits = limited(max_concurrency=1, max_queue=0)
    async with (
        flowing(solver, writer, categories=CATEGORIES, experts=limits) as engine,
        anyio.create_task_group() as group,
    ):
        group.start_soon(answer, engine)
        await solver.asked.wait()
        draft, trace = await answer(engine)
        held.set()
    assert draft.expert == "writer"
    assert tried(trace) == [("solver", "failed", "ExpertBusy"), ("writer", "answered", None)]
    assert len(solver.requests) == 1


async def test_without_another_expert_the_client_is_told_to_come_back() -> None:
    """The error is the busy expert's own, with an estimate of the wait."""
    solver = ScriptedExpert("solver", Reply(pieces=("42",), before=(held := anyio.Event())))
    async with (
        flowing(
            solver, categories=ALONE, experts={"solver": limited(max_concurrency=1, max_queue=1)["solver"]}
        ) as engine,
        anyio.create_task_group() as group,
    ):
        group.start_soon(answer, engine)
        group.start_soon(answer, engine)
        await solver.asked.wait()
        await until(waiting=1, engine=engine)
        error, _ = await failure(engine)
        held.set()
    assert isinstance(error, ExpertBusy)
    assert (error.retry_after_s or 0) > 0
    assert len(solver.requests) == 2


async def test_the_wait_for_a_place_is_in_the_decision_and_no_overhead_of_the_router() -> None:
    """`queued_ms` is a part of the attempt, which is an expert's time."""
    solver = ScriptedExpert("solver", Reply(pieces=("42",), before=(held := anyio.Event())), "43")
    traces: list[Trace] = []

    async def ask(engine: Engine) -> None:
        traces.append((await answer(engine))[1])

    async with (
        flowing(solver, categories=ALONE, experts=limited(max_concurrency=1)) as engine,
        anyio.create_task_group() as group,
    ):
        group.start_soon(ask, engine)
        await solver.asked.wait()
        group.start_soon(ask, engine)
        await until(waiting=1, engine=engine)
        await anyio.sleep(0.05)
        held.set()
    first, second = (trace.decision() for trace in traces)
    assert first.attempts[0].queued_ms == 0
    assert 40 < second.attempts[0].queued_ms <= second.attempts[0].took_ms
    assert second.overhead_ms < second.total_ms - 40


async def test_a_client_that_leaves_the_queue_leaves_its_place_to_the_next() -> None:
    """Nothing is asked on its behalf."""
    solver = ScriptedExpert("solver", Reply(pieces=("42",), before=(held := anyio.Event())), "43")
    leaving = anyio.CancelScope()

    async def leaves(engine: Engine) -> None:
        with leaving:
            await answer(engine)

    async with (
        flowing(solver, categories=ALONE, experts=limited(max_concurrency=1)) as engine,
        anyio.create_task_group() as group,
    ):
        group.start_soon(answer, engine)
        await solver.asked.wait()
        group.start_soon(leaves, engine)
        await until(waiting=1, engine=engine)
        group.start_soon(answer, engine)
        await until(waiting=2, engine=engine)
        leaving.cancel()
        held.set()
    assert len(solver.requests) == 2


async def test_a_request_leaves_the_queue_in_time_for_its_fallback() -> None:
    """It waits for its share of the deadline, and no attempt of the busy expert was made."""
    solver = ScriptedExpert("solver", Reply(pieces=("never",), before=anyio.Event()))
    writer = ScriptedExpert("writer", "in time")
    async with (
        flowing(
            solver, writer, categories=CATEGORIES, experts=limited(max_concurrency=1), budget={"deadline_s": 0.4}
        ) as engine,
        anyio.create_task_group() as group,
    ):
        await engine.registry.start("solver")
        visit = await engine.registry.guard("solver").enter(math.inf)
        with visit:
            draft, trace = await answer(engine)
        group.cancel_scope.cancel()
    attempt = trace.decision().attempts[0]
    assert draft.expert == "writer"
    assert tried(trace)[0] == ("solver", "failed", "ExpertBusy")
    assert attempt.queued_ms == attempt.took_ms
    assert solver.requests == []


async def test_waiting_in_a_queue_is_no_failure_of_the_expert() -> None:
    """However many give up: the expert has as much to do as it may."""
    solver = ScriptedExpert("solver", "42")
    async with flowing(
        solver, categories=ALONE, experts=limited(max_concurrency=1), budget={"deadline_s": 0.5}
    ) as engine:
        with await engine.registry.guard("solver").enter(math.inf):
            async with anyio.create_task_group() as group:
                for _ in range(2 * FAILURES):
                    group.start_soon(failure, engine)
        draft, _ = await answer(engine)
    assert draft.text == "42"


async def test_all_roles_share_the_places_of_an_expert() -> None:
    """A draft takes the place that an answer would have, and experts that ask others through their site do too."""
    solver = ScriptedExpert("solver", Reply(pieces=("42",), before=(held := anyio.Event())), "42")
    writer = ScriptedExpert("writer", "42")
    async with (
        flowing(
            solver,
            writer,
            categories={"math": {"experts": ["solver", "writer"], "plan": "fuse"}, "general": ["writer"]},
            experts=limited(max_concurrency=1, max_queue=0),
        ) as engine,
        anyio.create_task_group() as group,
    ):
        group.start_soon(answer, engine)
        await solver.asked.wait()
        error, _ = await failure(engine, model="solver")
        request = solver.requests[0]
        with pytest.raises(ExpertBusy):
            await engine.registry.draft("solver", request, nowhere)
        held.set()
    assert isinstance(error, ExpertBusy)
