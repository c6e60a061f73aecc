"""Sends conversations through the pipeline, step by step as an agent would, and notes where each step went.

Categories come from the configuration's own router; experts are stand-ins that always answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import anyio

from eval.conversations.agents import AGENTS, Entry, Said, Sent
from eval.conversations.scenarios import Scenario
from orchestrator.config import Config
from orchestrator.controls import Controls
from orchestrator.conversation.sessions import Sessions
from orchestrator.conversation.turns import query_of
from orchestrator.experts import Capabilities, Site
from orchestrator.fleet.registry import Registry
from orchestrator.pipeline import Pipeline
from orchestrator.plans import Plans
from orchestrator.service.body import chat_body
from orchestrator.service.messages.request import chat_of as chat_of_messages
from orchestrator.service.responses.request import chat_of as chat_of_responses
from orchestrator.service.session import session_of
from orchestrator.stages.agreement.measures import Measures
from orchestrator.stages.categorize import Categorizer
from orchestrator.stages.choose import Chooser
from orchestrator.stages.draft import Drafting, nowhere
from orchestrator.testing import ScriptedExpert
from orchestrator.types import content_text
from routers.embedding import FloatArray
from routers.router import Router

__all__ = ["ARMS", "Arm", "Step", "replay"]

Arm = Literal["last message", "latest request", "conversation"]
Kind = Literal["first", "moved", "follow-up", "loop"]
ARMS: tuple[Arm, ...] = ("last message", "latest request", "conversation")
"""What is looked at: the text of the last message, the user's latest request alone, or all that the product does."""

_SINGLE = Controls(fuse=False)
"""One expert a step, so that there is one that a conversation can be with."""
_CHAT: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "/v1/chat/completions": lambda body: body,
    "/v1/responses": chat_of_responses,
    "/v1/messages": chat_of_messages,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Where one request of an agent went.

    conversation: its number. kind: of the user's request, or a step of the loop after it. expected: the first expert of
    the category, or, in a loop, whoever began it.
    """

    conversation: int
    agent: str
    kind: Kind
    expected: str
    expert: str
    category: str | None


async def replay(
    config: Config,
    router: Router,
    scenarios: Sequence[Scenario],
    *,
    arm: Arm,
    tell: Callable[[int], None] = lambda _: None,
) -> list[Step]:
    """All steps of all conversations, each sent as every agent in turn."""
    steps: list[Step] = []
    async with _pipeline(config, router) as pipeline:
        for number, scenario in enumerate(scenarios):
            for agent in AGENTS:
                steps += await _Replaying(pipeline, agent, number, arm).steps(scenario)
            tell(number + 1)
    return steps


@dataclass(frozen=True, slots=True)
class _Replaying:
    """One conversation as one agent sends it."""

    asking: _Asking
    agent: str
    number: int
    arm: Arm

    async def steps(self, scenario: Scenario) -> list[Step]:
        steps: list[Step] = []
        history: list[Entry] = []
        for request in scenario:
            at = len(history)
            history.append(Said(request.text))
            steps.append(await self._step(history, request.kind, self.asking.first_of(request.category)))
            for call in request.loop:
                history.append(call)
                steps.append(await self._step(history, "loop", steps[-1].expert))
            history[at] = Said(request.text, "That is done.")
        return steps

    async def _step(self, history: Sequence[Entry], kind: Kind, expected: str) -> Step:
        """A step of a loop that has moved is expected to stay where it has moved to: each move counts once."""
        sent = AGENTS[self.agent](history, f"{self.agent}-{self.number}")
        expert, category = await self.asking.ask(sent, self.arm)
        return Step(
            conversation=self.number,
            agent=self.agent,
            kind=kind,
            expected=expected,
            expert=expert,
            category=category,
        )


class _Unmeasured:
    """In place of an embedder of drafts: nothing is fused here."""

    dim = 0

    def __init__(self, name: str = "") -> None:
        self._name = name

    async def embed(self, texts: Sequence[str]) -> FloatArray:
        raise LookupError(f"{len(texts)} texts for {self._name!r}: nothing is to be embedded here")


class _Asking:
    """A pipeline, asked in one of the ways that are compared."""

    def __init__(self, pipeline: Pipeline, config: Config) -> None:
        self._pipeline = pipeline
        self._config = config

    def first_of(self, category: str) -> str:
        return self._config.categories[category].experts[0]

    async def ask(self, sent: Sent, arm: Arm) -> tuple[str, str | None]:
        """The expert and the category of a request."""
        body = chat_body(_CHAT[sent.path](dict(sent.body)))
        scope = {"headers": [(name.encode(), value.encode()) for name, value in sent.headers.items()]}
        session = session_of(scope, body)
        if arm != "conversation":
            text = _last_text(body["messages"]) if arm == "last message" else query_of(body["messages"])
            body, session = {"messages": [{"role": "user", "content": text}]}, None
        request, trace = self._pipeline.request(body, model="auto", controls=_SINGLE, session=session)
        draft = await self._pipeline.answer(request, nowhere, trace)
        return draft.expert, trace.categorized.category if trace.categorized else None


def _last_text(messages: Sequence[dict[str, Any]]) -> str:
    return next((text for message in reversed(messages) if (text := content_text(message.get("content")))), "")


@asynccontextmanager
async def _pipeline(config: Config, router: Router) -> AsyncIterator[_Asking]:
    able = Capabilities(chat=True, tools=True)
    built = {name: ScriptedExpert(name, "Done.", capabilities=able) for name in config.experts}
    site = Site(folder=Path(), cache=Path(), expert=built.__getitem__, embedder=_Unmeasured)
    registry = Registry(config, site, built=built)
    categorizer = Categorizer(router, deadline_s=60.0, remembered=config.routing.cache)
    async with registry.background.open(), anyio.create_task_group() as group:
        group.start_soon(categorizer.serve)
        pipeline = Pipeline(
            categorizer=categorizer,
            chooser=Chooser(config, Plans(config), registry),
            drafting=Drafting(registry),
            measures=Measures(registry, _Unmeasured()),
            sessions=Sessions(most=config.sessions.most, ttl_s=config.sessions.ttl_s),
            budget=config.budget,
        )
        yield _Asking(pipeline, config)
        group.cancel_scope.cancel()
