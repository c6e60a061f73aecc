"""A classifier that asks an expert, in the running pipeline: its answers, its price, and everything that goes wrong."""

import concurrent.futures
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from orchestrator.asking import ask
from orchestrator.consultation import AT_ONCE, Consultant
from orchestrator.decision import Attempt
from orchestrator.engine import Engine
from orchestrator.errors import ExpertFailed, ExpertUnavailable
from orchestrator.expert_classifier import ExpertClassifier
from orchestrator.testing import Reply, ScriptedExpert, WordEmbedder
from orchestrator.trace import Trace
from orchestrator.types import ChatRequest
from routers.calibration import Calibration
from routers.gate import Gate, Signal
from routers.router import Router
from tests.flowing import Collected, config_of, flowing

pytestmark = pytest.mark.anyio

CATEGORIES = {"math": ["writer"], "verse": ["writer"], "general": ["writer"]}
ROUTING: dict[str, Any] = {"classifier": "llm", "parameters": {"expert": "judge"}, "max_latency_ms": 5000}
MATH, VERSE, NEITHER = (json.dumps({"category": mark}) for mark in "ABC")


def router() -> Router:
    classifier = ExpertClassifier(WordEmbedder(), expert="judge").fit(["add it", "rhyme it"], ["math", "verse"])
    gate = Gate(-1.0, (Signal("score", 0.9, 0.1),))
    return Router(classifier=classifier, calibration=Calibration(1.0), gate=gate, qhat=0.5, general="general")


@asynccontextmanager
async def consulting(
    judge: ScriptedExpert, *, limits: dict[str, Any] | None = None, **routing: Any
) -> AsyncIterator[Engine]:
    with anyio.fail_after(20):
        writer = ScriptedExpert("writer", "an answer")
        blocks: dict[str, Any] = {"routing": {**ROUTING, **routing}} | ({"experts": limits} if limits else {})
        async with flowing(judge, writer, categories=CATEGORIES, router=router(), **blocks) as engine:
            yield engine


def request(engine: Engine, query: str) -> tuple[ChatRequest, Trace]:
    return engine.pipeline.request({"messages": [{"role": "user", "content": query}]}, model="auto")


async def routed(engine: Engine, query: str, *, explain: bool = False) -> Trace:
    asked, trace = request(engine, query)
    await engine.pipeline.route(asked, trace, explain=explain)
    return trace


async def test_the_expert_decides_the_category_and_its_call_is_in_the_decision() -> None:
    """With tokens and price; the total counts them beside those of the answer."""
    judge = ScriptedExpert("judge", MATH)
    async with consulting(judge) as engine:
        asked, trace = request(engine, "what is 2 + 2")
        await engine.pipeline.answer(asked, Collected(), trace)
    decision = trace.decision()
    assert decision.categorize is not None
    assert (decision.categorize.method, decision.categorize.category) == ("router", "math")
    (call,) = decision.categorize.calls
    assert (call.expert, call.role, call.outcome) == ("judge", "categorize", "answered")
    assert call.tokens is not None
    assert (call.tokens.input, call.tokens.output) == (3, 2)
    (attempt,) = decision.attempts
    assert call.cost_usd == pytest.approx((3 * 1.0 + 2 * 2.0) / 1e6)
    assert decision.cost_usd == pytest.approx(call.cost_usd + attempt.cost_usd)
    assert judge.requests[0].body["model"] == "judge"


async def test_what_is_remembered_asks_nobody_and_costs_nothing() -> None:
    """The second decision has no calls; nor does explaining the first one ask again."""
    judge = ScriptedExpert("judge", VERSE)
    async with consulting(judge) as engine:
        first = await routed(engine, "a poem", explain=True)
        second = await routed(engine, "a poem")
    assert len(judge.requests) == 1
    assert first.explanation is not None
    assert (first.explanation.top, first.explanation.unit) == ("verse", None)
    assert first.categorized is not None
    assert second.categorized is not None
    assert (second.categorized.category, second.categorized.cached, second.categorized.calls) == ("verse", True, ())
    assert second.cost_usd == 0


async def test_nothing_is_remembered_where_the_configuration_says_so() -> None:
    """`routing.cache: 0` asks each time."""
    judge = ScriptedExpert("judge", VERSE, MATH)
    async with consulting(judge, cache=0) as engine:
        categories = [(await routed(engine, "a poem")).categorized for _ in range(2)]
    assert [found and found.category for found in categories] == ["verse", "math"]


@pytest.mark.parametrize("said", [NEITHER, "no idea"])
async def test_what_fits_no_category_goes_to_general(said: str) -> None:
    """Whether the expert says so or says nothing that can be used; the gate names the signal."""
    judge = ScriptedExpert("judge", said)
    async with consulting(judge) as engine:
        found = (await routed(engine, "?")).categorized
    assert found is not None
    assert (found.method, found.category, found.reason) == ("router", "general", "gate: score")
    assert len(found.calls) == len(judge.requests) == (1 if said == NEITHER else 2)


async def test_an_expert_that_is_down_leaves_the_decision_degraded() -> None:
    """With the failed call in it; repeated failures open the breaker, and nobody is asked for a while."""
    judge = ScriptedExpert("judge", ExpertUnavailable("judge", "connection refused"))
    async with consulting(judge) as engine:
        traces = [await routed(engine, f"query {number}") for number in range(7)]
    found = [trace.categorized for trace in traces if trace.categorized is not None]
    assert [(stage.method, stage.category) for stage in found] == [("degraded", "general")] * 7
    assert found[0].reason == "the classifier failed: ExpertUnavailable"
    (call,) = found[0].calls
    assert call.outcome == "failed"
    assert call.failure is not None
    assert call.failure.message == "connection refused"
    assert "left alone" in found[-1].reason
    assert len(judge.requests) == 5


async def test_an_expert_that_is_late_is_cancelled_at_the_classifiers_deadline() -> None:
    """The decision says so, and the query goes on to general."""
    judge = ScriptedExpert("judge", Reply(before=anyio.Event()))
    async with consulting(judge, max_latency_ms=50) as engine:
        asked, trace = request(engine, "what is 2 + 2")
        draft = await engine.pipeline.answer(asked, Collected(), trace)
    assert draft.text == "an answer"
    found = trace.categorized
    assert found is not None
    assert (found.method, found.category) == ("degraded", "general")
    assert found.reason in {"the classifier took longer than 50 ms", "the classifier failed: ExpertTimeout"}
    assert found.calls[0].outcome in {"cancelled", "failed"}
    assert judge.running == 0


async def test_a_client_that_leaves_cancels_the_call_of_its_query_alone() -> None:
    """The other one's answer comes."""
    held, release = anyio.Event(), anyio.Event()
    judge = ScriptedExpert("judge", Reply(before=held), Reply(pieces=(MATH,), before=release))
    async with consulting(judge) as engine, anyio.create_task_group() as group:
        found: list[Trace] = []

        async def stays() -> None:
            found.append(await routed(engine, "stays"))

        with anyio.CancelScope() as leaving:

            async def leave() -> None:
                await judge.asked.wait()
                group.start_soon(stays)
                while len(judge.requests) < 2:
                    await anyio.lowlevel.checkpoint()
                leaving.cancel()

            group.start_soon(leave)
            await routed(engine, "leaves")
        assert leaving.cancelled_caught
        assert (judge.running, judge.cancelled) == (1, 1)
        release.set()
    assert found[0].categorized is not None
    assert found[0].categorized.category == "math"


async def test_so_many_queries_are_asked_about_at_once_and_no_more() -> None:
    """The others wait for room; none is lost."""
    release = anyio.Event()
    judge = ScriptedExpert("judge", Reply(pieces=(MATH,), before=release))
    most = 0
    async with consulting(judge) as engine, anyio.create_task_group() as group:
        for number in range(3 * AT_ONCE):
            group.start_soon(routed, engine, f"query {number}")
        while judge.running < AT_ONCE:
            await anyio.lowlevel.checkpoint()
        for _ in range(100):
            await anyio.lowlevel.checkpoint()
        most = judge.running
        release.set()
    assert most == AT_ONCE
    assert len(judge.requests) == 3 * AT_ONCE


async def test_a_failure_is_retried_where_that_is_allowed() -> None:
    """Every call is counted; the one that fails for good cancels the others."""
    judge = ScriptedExpert("judge", ExpertFailed("judge", "hiccup"), MATH)
    calls: list[Attempt] = []
    async with flowing(judge, categories={"general": ["judge"]}) as engine:
        consultant = Consultant(engine.registry, deadline_s=5, attempts=2)
        with anyio.fail_after(10):
            (draft,) = await consultant.run(lambda bodies: ask("judge", bodies), [{"messages": []}], calls=calls)
    assert draft.text == MATH
    assert [call.outcome for call in calls] == ["failed", "answered"]


async def test_one_failure_among_many_is_raised_as_it_is() -> None:
    """Not as a group; the rest is cancelled."""
    judge = ScriptedExpert("judge", ExpertUnavailable("judge", "gone"), Reply(before=anyio.Event()))
    bodies = [{"messages": [], "number": number} for number in range(4)]
    async with flowing(judge, categories={"general": ["judge"]}) as engine:
        consultant = Consultant(engine.registry, deadline_s=5)
        with anyio.fail_after(10), pytest.raises(ExpertUnavailable, match="gone"):
            await consultant.run(lambda some: ask("judge", some), bodies, calls=[])
    assert judge.running == 0


async def test_other_kinds_ask_nobody() -> None:
    """They are classified in batches, as they were."""
    async with flowing(ScriptedExpert("writer"), categories=CATEGORIES) as engine:
        trace = await routed(engine, "math please")
    assert trace.categorized is not None
    assert (trace.categorized.category, trace.categorized.calls) == ("math", ())
    assert config_of(["writer"], categories=CATEGORIES).routing.classifier == "kernel"


async def test_an_expert_that_is_busy_decides_no_category() -> None:
    """The classifier takes one of its places like any other; the query goes to `general`, and nobody waits."""
    judge = ScriptedExpert("judge", MATH)
    limits = {"judge": {"kind": "scripted", "max_concurrency": 1, "max_queue": 0}, "writer": {"kind": "scripted"}}
    async with consulting(judge, limits=limits) as engine:
        visit = await engine.registry.guard("judge").enter(anyio.current_time() + 60)
        with visit:
            busy = await routed(engine, "add it up")
        free = await routed(engine, "add it up")
    assert busy.categorized is not None
    assert free.categorized is not None
    assert (busy.categorized.method, busy.categorized.category) == ("degraded", "general")
    assert [(call.outcome, call.failure and call.failure.kind) for call in busy.categorized.calls] == [
        ("failed", "ExpertBusy")
    ]
    assert (free.categorized.method, free.categorized.category) == ("router", "math")


async def test_a_thread_that_asks_after_its_request_was_cancelled_is_told_at_once() -> None:
    """However late: nobody cancels such a call any more, and it must not go round in circles for ever."""
    begun, go, outcome = threading.Event(), threading.Event(), list[str]()
    judge = ScriptedExpert("judge", MATH)

    def work(_: str) -> None:
        begun.set()
        go.wait(10)
        try:
            ask("judge", [{"messages": []}])
        except concurrent.futures.CancelledError:
            outcome.append("cancelled")
            raise

    async with consulting(judge) as engine:
        consultant = Consultant(engine.registry, deadline_s=5)
        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                group.start_soon(partial(consultant.run, work, "", calls=[]))
                await anyio.to_thread.run_sync(begun.wait)
                group.cancel_scope.cancel()
                with anyio.CancelScope(shield=True):
                    for _ in range(20):
                        await anyio.lowlevel.checkpoint()
                go.set()
    assert (outcome, judge.requests) == (["cancelled"], [])
