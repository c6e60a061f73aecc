"""Sends questions through a running engine, some at a time. Whatever an expert does, each question has a reply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import anyio

from eval.grading import Came, Grade, grade
from eval.suites.pipeline.questions import Question
from orchestrator.decision import Decision
from orchestrator.engine import Engine
from orchestrator.errors import OrchestratorError
from orchestrator.stages.choose import ALIASES
from orchestrator.stages.draft import nowhere
from orchestrator.types import Draft

__all__ = ["Progress", "Reply", "ask_all", "start"]

Progress = Callable[[str, int, int], None]
START_WAIT_S = 120.0
"""Longest wait for experts to come up; whoever is not up by then is asked all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What happened to a question. text: the answer, empty where there is none; the decision says why."""

    question: Question
    text: str
    grade: Grade
    decision: Decision

    @property
    def failed(self) -> str | None:
        """The class of the error that ended it, None where it was answered."""
        return self.decision.error.kind if self.decision.error else None

    @property
    def sent_to(self) -> str | None:
        """The category that the query was sent to."""
        return self.decision.categorize.category if self.decision.categorize else None


async def start(engine: Engine, model: str) -> None:
    """Bring the experts up, so that no query's time has their start in it; a named one alone."""
    registry = engine.registry
    with anyio.move_on_after(START_WAIT_S):
        if model in ALIASES:
            await registry.start_all()
            await registry.settled()
            return
        try:
            await registry.start(model)
        except OrchestratorError:
            return  # each query's decision will say so
        while registry.condition(model).state == "starting":  # noqa: ASYNC110 - conditions change without a word
            await anyio.sleep(0.05)


async def ask_all(
    engine: Engine,
    questions: Sequence[Question],
    *,
    model: str,
    concurrency: int,
    progress: Progress | None = None,
) -> list[Reply]:
    """The replies in the order of the questions, `concurrency` of them under way at a time."""
    replies: dict[str, Reply] = {}
    waiting = iter(questions)

    async def work() -> None:
        for question in waiting:
            replies[question.id] = await _ask(engine, question, model=model)
            if progress:
                progress("asking", len(replies), len(questions))

    async with anyio.create_task_group() as group:
        for _ in range(min(concurrency, len(questions))):
            group.start_soon(work)
    return [replies[question.id] for question in questions]


async def _ask(engine: Engine, question: Question, *, model: str) -> Reply:
    body = {"messages": [{"role": "user", "content": question.text}]}
    request, trace = engine.pipeline.request(body, model=model)
    draft: Draft | None = None
    try:
        draft = await engine.pipeline.answer(request, nowhere, trace)
    except OrchestratorError:
        pass  # the trace has it
    except Exception as error:  # noqa: BLE001 - supervised border: an expert is a plugin, and the run goes on
        trace.fail(error)
    decision = trace.decision()
    text = draft.text if draft else ""
    graded = _graded(question, draft, decision, general=engine.config.general)
    return Reply(question=question, text=text, grade=graded, decision=decision)


def _graded(question: Question, draft: Draft | None, decision: Decision, *, general: str) -> Grade:
    """A query without an answer gets 0, also where it was sent to the right category."""
    if draft is None:
        missed = grade(question.record, Came(), general=general)
        return Grade(method=missed.method, score=0.0, answer=None, expected=missed.expected)
    came = Came(
        text=draft.text,
        documents=tuple(dict.fromkeys(passage.document for passage in draft.passages)),
        category=decision.categorize.category if decision.categorize else None,
        expert=decision.expert,
    )
    return grade(question.record, came, general=general)
