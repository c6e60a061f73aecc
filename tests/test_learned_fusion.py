"""Fuse plans that training learned, as they are served: what was replayed is answered, and never half a plan."""

import json
from pathlib import Path
from typing import Any, cast

import anyio
import numpy as np
import pytest
from anyio.abc import TaskStatus

from orchestrator.config import Config
from orchestrator.decision import Decision
from orchestrator.engine import Engine
from orchestrator.errors import ExpertRejected, NoExpertLeft
from orchestrator.experts import Condition
from orchestrator.graded import learned_from
from orchestrator.stages.draft import nowhere
from orchestrator.testing import Reply, ScriptedExpert
from orchestrator.types import Draft
from routers.fusion import ballots_of, speakers
from routers.fusion.extraction import short_answer
from routers.mapping.graded import GradedSet, read_graded
from routers.mapping.learned import LearnedMapping
from routers.router import Router
from tests.flowing import Collected, config_of, flowing
from tests.learning import fusing_mapping

pytestmark = pytest.mark.anyio

EXPERTS = ("ann", "bob", "cyd")
CATEGORIES = {"sums": ["ann"], "tales": ["ann"], "general": ["ann"]}
WEIGHTS = (1.5, 0.9, 1.0)
TALLY = fusing_mapping(*EXPERTS, weights=WEIGHTS)


async def asked(engine: Engine, query: str = "sums", *, model: str = "auto", **fields: Any) -> tuple[Draft, Decision]:
    """The answer and its decision."""
    body = {"messages": [{"role": "user", "content": query}], **fields}
    request, trace = engine.pipeline.request(body, model=model)
    with anyio.fail_after(10):
        return await engine.pipeline.answer(request, nowhere, trace), trace.decision()


def pool(*answers: Any) -> list[ScriptedExpert]:
    """Ann, Bob and Cyd with these answers, and two that are cheap and dear."""
    voting = [ScriptedExpert(name, answer) for name, answer in zip(EXPERTS, answers, strict=True)]
    return [*voting, ScriptedExpert("cheap", "cheap says"), ScriptedExpert("dear", "dear says")]


def graded_file(path: Path) -> tuple[GradedSet, list[list[str]]]:
    """240 lines: even experts in sums, one that is nearly always right in tales; and what they said."""
    random = np.random.default_rng(3)
    rows, said = [], []
    for number in range(240):
        category = ("sums", "tales")[number % 2]
        right = random.random(3) < np.array((0.65, 0.65, 0.65) if category == "sums" else (0.97, 0.3, 0.3))
        answers = [f"So the answer is {7 if hit else random.integers(8, 11)}." for hit in right]
        outcomes = {
            name: {"score": float(hit), "cost_usd": 0.001, "answer": answer}
            for name, hit, answer in zip(EXPERTS, right.tolist(), answers, strict=True)
        }
        rows.append(json.dumps({"query": f"{category} {number}", "category": category, "outcomes": outcomes}))
        said.append(answers)
    path.write_text("\n".join(rows), encoding="utf-8")
    return read_graded(path), said


def taught(config: Config, graded: GradedSet) -> LearnedMapping:
    """Of lines that all have a category, so that no router is asked."""
    return learned_from(config, graded, cast("Router", None)).learned


async def test_the_served_answer_is_the_replayed_one(tmp_path: Path) -> None:
    """Specified: of every recorded query; complementing drafts are fused, a strong expert answers alone."""
    graded, said = graded_file(tmp_path / "graded.jsonl")
    config = config_of(EXPERTS, categories=CATEGORIES)
    mapping = taught(config, graded)
    plan = mapping.plans["sums"]
    assert (plan.kind, mapping.plans["tales"].kind, mapping.expert("tales")) == ("fuse", "single", "ann")
    members = [EXPERTS.index(expert) for expert in plan.experts]
    rows = [row for row in range(len(said)) if row % 2 == 0][:40]
    answers = [[short_answer(said[row][at]) for at in members] for row in rows]
    replayed = speakers(ballots_of(answers), np.array(plan.weights)).tolist()
    experts = [ScriptedExpert(name, *(said[row][at] for row in rows)) for at, name in enumerate(EXPERTS)]
    async with flowing(*experts, categories=CATEGORIES, learned=mapping) as engine:
        for row, winner in zip(rows, replayed, strict=True):
            draft, decision = await asked(engine)
            assert (draft.expert, draft.text) == (plan.experts[winner], said[row][members[winner]])
            assert decision.verdict is not None
            assert (decision.verdict.kind, decision.verdict.expert) == ("choose", draft.expert)
        alone, _ = await asked(engine, "tales")
    assert alone.expert == "ann"


async def test_a_vote_is_streamed_and_told() -> None:
    """Specified: the decision has weights, support and gain; the draft that won goes out whole."""
    collected = Collected()
    async with flowing(
        *pool("It is 41.", "Answer: 42", "The answer is 42."), categories=CATEGORIES, learned=TALLY
    ) as e:
        body = {"messages": [{"role": "user", "content": "sums"}], "stream": True}
        request, trace = e.pipeline.request(body, model="auto")
        with anyio.fail_after(10):
            await e.pipeline.answer(request, collected, trace)
    decision = trace.decision()
    assert collected.text == "The answer is 42."
    assert decision.choose is not None
    assert (decision.choose.plan, decision.choose.verdict) == ("fuse", None)
    assert decision.choose.weights == dict(zip(EXPERTS, WEIGHTS, strict=True))
    gain = "gain +0.100 [+0.040, +0.160] over dear (each bound at 95%)"
    assert decision.choose.reason == f"category 'sums', learned fuse plan, {gain}, the best within the budget"
    assert decision.consensus is not None
    assert decision.consensus.support == {"ann": 1.5, "bob": 1.9, "cyd": 1.9}
    assert decision.verdict is not None
    assert (decision.verdict.saw, decision.verdict.reason) == (("cyd", "bob"), "its answer has 1.90 of the votes' 3.40")


async def test_of_an_expert_that_fails_the_others_votes_are_counted() -> None:
    """Ours: they have been paid for; one draft left is the answer, and none is an error."""
    error = ExpertRejected("ann", "no")
    async with flowing(*pool(error, "41", "42"), categories=CATEGORIES, learned=TALLY) as engine:
        assert (await asked(engine))[0].expert == "cyd"
    async with flowing(*pool(error, error, "42"), categories=CATEGORIES, learned=TALLY) as engine:
        assert (await asked(engine))[0].expert == "cyd"
    async with flowing(*pool(error, error, error), categories=CATEGORIES, learned=TALLY) as engine:
        with pytest.raises(NoExpertLeft):
            await asked(engine)


@pytest.mark.parametrize(
    ("blocks", "fields", "why"),
    [
        ({"fusion": {"max_drafts": 2}}, {}, "it takes 3 drafts, fusion.max_drafts is 2"),
        ({"budget": {"cost_per_query": 0.001}}, {}, "all its calls would cost about 0.001539 USD, the budget is 0.001"),
        ({}, {"tools": [{"type": "function", "function": {"name": "f"}}]}, "its votes are on answers"),
    ],
    ids=["fan-out", "budget", "tools"],
)
async def test_a_plan_that_cannot_be_served_whole_is_not_served(blocks: Any, fields: Any, why: str) -> None:
    """Specified: caps and budget hold; the category's best expert answers instead, and the decision says why."""
    async with flowing(*pool("1", "2", "3"), categories=CATEGORIES, learned=TALLY, **blocks) as engine:
        draft, decision = await asked(engine, **fields)
    assert draft.expert == "dear"
    assert decision.choose is not None
    assert (decision.choose.plan, decision.choose.weights) == ("single", {})
    assert f"; its fuse plan is not served: {why}" in decision.choose.reason


class Down(ScriptedExpert):
    """Never comes up."""

    condition = Condition(state="down", reason="connection refused")

    async def serve(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        await anyio.sleep_forever()


async def test_an_expert_that_is_down_takes_the_plan_with_it() -> None:
    """Specified: it is not waited for, and the best single expert answers."""
    experts = [Down("bob") if expert.id == "bob" else expert for expert in pool("1", "2", "3")]
    async with flowing(*experts, categories=CATEGORIES, learned=TALLY) as engine:
        draft, decision = await asked(engine)
    assert draft.expert == "dear"
    assert decision.choose is not None
    assert decision.choose.reason.endswith("; its fuse plan is not served: 'bob' is down: connection refused")


async def test_an_override_keeps_its_word() -> None:
    """Specified: the person has the last word over a learned fuse plan too."""
    categories = {**CATEGORIES, "sums": {"experts": ["cheap"], "override": True}}
    async with flowing(*pool("1", "2", "3"), categories=categories, learned=TALLY) as engine:
        draft, _ = await asked(engine)
    assert draft.expert == "cheap"


async def test_a_graded_verdict_is_written_by_whom_it_was_graded_with() -> None:
    """Specified: drafts of its experts and no others, and the verdict expert that was recorded."""
    mapping = fusing_mapping("ann", "bob", verdict="cyd")
    fusion = {"verdict": "dear", "experts": ["cheap"]}
    async with flowing(*pool("one", "two", "both"), categories=CATEGORIES, learned=mapping, fusion=fusion) as engine:
        draft, decision = await asked(engine)
    assert (draft.expert, {seen.expert for seen in decision.drafts}) == ("cyd", {"ann", "bob"})


async def test_a_client_that_forces_fusion_gets_the_learned_plan() -> None:
    """Ours: where there is one; what was asked for is done as well as it is known how."""
    async with flowing(*pool("1", "2", Reply.of("2")), categories=CATEGORIES, learned=TALLY) as engine:
        draft, decision = await asked(engine, model="fuse")
    assert (draft.expert, decision.consensus and decision.consensus.measure) == ("cyd", "answer")
