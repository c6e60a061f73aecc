"""A model, or a LoRA adapter, behind vLLM's chat API: passes requests on, to one of its servers."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, TypeVar

import anyio
import httpx
import orjson
from anyio.abc import TaskStatus

from orchestrator import clock
from orchestrator.config.kinds import VllmSettings
from orchestrator.errors import ExpertError, ExpertFailed, ExpertRejected, ExpertUnavailable
from orchestrator.experts.protocol import Capabilities, Condition, HedgeCounts, LiveProblem, ReplicaSeen, TokenLogprobs
from orchestrator.experts.site import Site
from orchestrator.experts.vllm.adapters import Adapter, Adapters
from orchestrator.experts.vllm.affinity import affinity_key
from orchestrator.experts.vllm.client import Pool, Target, ask
from orchestrator.experts.vllm.control import NoModelList, credentials, models_of
from orchestrator.experts.vllm.embedding import embeddings_request, named_embeddings
from orchestrator.experts.vllm.failover import Failover
from orchestrator.experts.vllm.faults import Faults
from orchestrator.experts.vllm.health import watch
from orchestrator.experts.vllm.hedge import Hedging
from orchestrator.experts.vllm.live import live_problems
from orchestrator.experts.vllm.loading import condition_of, keep_loaded
from orchestrator.experts.vllm.relay import Relay
from orchestrator.experts.vllm.replica import Replica
from orchestrator.experts.vllm.replicas import Replicas
from orchestrator.experts.vllm.scoring import SIDE_BY_SIDE, PromptScorer
from orchestrator.types import ChatRequest, Chunk, Draft, Emit

__all__ = ["VllmExpert"]

Answered = TypeVar("Answered")

_CHAT = "/v1/chat/completions"
_SYSTEM_ROLES = ("system", "developer")
_SILENT_SHARE = 0.5
"""Of the time-out to the first token: a stream that was silent for longer when somebody cancelled it is its server's
failure. Those above, whose patience is shorter than the time-out, would else keep a dead server from being known."""


class VllmExpert:
    """An expert on one or several servers; an adapter uses its base's servers, API key, timeouts, affinity and hedging.

    What a server cannot do (tools without a parser, images for a text model) it refuses itself, in its own words;
    we cannot know, so `capabilities` claims both. Servers of the runner pooling answer embeddings requests alone.
    """

    probe_interval_s: ClassVar[float] = 5.0

    def __init__(self, expert_id: str, settings: VllmSettings, site: Site) -> None:
        self.id = expert_id
        self.settings = settings
        self.capabilities = (
            Capabilities(tools=True, vision=True, score=settings.score)
            if settings.runner == "generate"
            else Capabilities(chat=False, stream=False, embed=True)
        )
        self.replicas = Replicas(settings.replicas)
        self.hedging = None if settings.hedge is None else Hedging(settings.hedge)
        self._site = site
        self._pool = site.share(("vllm", "pool"), Pool)
        self._targets: dict[tuple[Replica, str], Target] = {}
        self.adapters = Adapters(self._control, self._served, most=settings.max_adapters)
        self._adapter = None if settings.path is None else Adapter(expert_id, settings.adapter or "", settings.path)

    @property
    def condition(self) -> Condition:
        """As the servers are, which for an adapter are its base's."""
        try:
            home = self.home()
        except ExpertUnavailable as error:
            return Condition(state="down", reason=str(error))
        if self._adapter is None:
            return home.replicas.condition
        return condition_of(self._adapter, home.adapters, home.replicas)

    def replicas_seen(self) -> list[ReplicaSeen]:
        """How each server is; an adapter has none of its own."""
        return self.replicas.seen(clock.now())

    @property
    def hedges(self) -> HedgeCounts | None:
        """How often a second server was asked; None where that is off."""
        return None if self.hedging is None else self.hedging.counts

    async def serve(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Keep connections open and probe the servers; an adapter leaves the probing to its base."""
        with self._pool.held():
            if self.settings.base is not None:
                task_status.started()
                await self._stay()
            await watch(
                self.replicas,
                every_s=self.probe_interval_s,
                timeout_s=self.settings.connect_timeout_s,
                task_status=task_status,
            )

    async def _stay(self) -> None:
        # Without a path its servers have it from their command line; servers that sleep get it with its first request.
        # A base of another kind is told by `condition` and by each draft.
        base = self._site.expert(self.settings.base or "")
        if self._adapter is None or not isinstance(base, VllmExpert) or base.home().settings.sleep:
            await anyio.sleep_forever()
        else:
            home = base.home()
            await keep_loaded(self._adapter, home.adapters, home.replicas, every_s=self.probe_interval_s)

    async def draft(self, request: ChatRequest, emit: Emit) -> Draft:
        if not self.capabilities.chat:
            raise ExpertRejected(self.id, "its servers only embed (runner: pooling); POST /v1/embeddings")
        self._pool.hold()
        try:
            started = clock.now()
            if self._site.residency is None:
                return await self._from_any(request, emit, started=started)
            async with self._awake(request.deadline, request.session) as woke_s:
                draft = await self._from_any(request, emit, started=started)
            return replace(draft, woke_s=woke_s) if woke_s else draft
        finally:
            self._pool.release()

    async def score(self, request: ChatRequest, answer: str) -> TokenLogprobs:
        """How likely the model finds this answer to the request's messages; see `PromptScorer`.

        Raises:
            ExpertError: as `draft` does.
        """
        result = (await self.score_many(request, [answer]))[0]
        if isinstance(result, ExpertError):
            raise result
        return result

    async def score_many(self, request: ChatRequest, answers: Sequence[str]) -> list[TokenLogprobs | ExpertError]:
        """The same of several answers, side by side; not more at once than the expert takes calls at all.

        Raises:
            ExpertError: for what concerns them all.
        """
        async with self._scoring(request) as (scorer, asked):
            return await scorer.scores(asked, answers)

    async def score_turns(self, request: ChatRequest, texts: Sequence[str]) -> list[TokenLogprobs | ExpertError]:
        """How likely the model finds texts as the user's words; see `TurnScorer`.

        Raises:
            ExpertError: for what concerns them all.
        """
        async with self._scoring(request) as (scorer, asked):
            return await scorer.turn_scores(asked, texts)

    @asynccontextmanager
    async def _scoring(self, request: ChatRequest) -> AsyncIterator[tuple[PromptScorer, ChatRequest]]:
        """A scorer over servers that are awake, and the request with the messages that they would be sent."""
        at_once = min(SIDE_BY_SIDE, self.settings.max_concurrency or SIDE_BY_SIDE)
        post = partial(self._post_json, deadline=request.deadline)
        with self._pool.held():
            async with self._awake(request.deadline, request.session):
                scorer = PromptScorer(self.id, self._model, post, at_once=at_once)
                yield scorer, request.replaced(messages=self._messages(request.body))

    async def embeddings(self, raw: bytes, body: Mapping[str, Any], *, deadline: float) -> bytes:
        """The servers' answer to an embeddings request, passed on as it came but for the names of the model.

        Raises:
            ExpertError: as `draft` does.
        """
        sent = embeddings_request(raw, body, model=self._model)
        with self._pool.held():
            async with self._awake(deadline, None):
                return named_embeddings(await self._post("/v1/embeddings", sent, deadline=deadline), self.id)

    async def live_problems(self) -> list[LiveProblem]:
        """Whether the servers are what the configuration takes them for; see `LiveChecked`."""
        return await live_problems(self.id, self.settings, self.home().settings)

    def home(self) -> VllmExpert:
        """The expert whose servers hold this one: itself, or an adapter's base."""
        if self.settings.base is None:
            return self
        base = self._site.expert(self.settings.base)
        if not isinstance(base, VllmExpert):
            raise ExpertUnavailable(self.id, f"its base {self.settings.base!r} is no expert of the kind vllm")
        return base.home()

    def _awake(self, deadline: float, session: str | None) -> AbstractAsyncContextManager[float]:
        """A block in which its servers, or its base's, are awake: around all that is asked of them."""
        residency = self._site.residency
        return nullcontext(0.0) if residency is None else residency.awake(self.id, deadline=deadline, session=session)

    async def _from_any(self, request: ChatRequest, emit: Emit, *, started: float) -> Draft:
        """The draft of the first server that gives one, each asked at most once."""
        home = self.home()
        settings, streamed = home.settings, request.stream
        failover = Failover(
            self.id,
            home.replicas,
            partial(self._from_one, request, self._body(request), started),
            key=affinity_key(settings.affinity, request.session, request.body.get("messages")),
            hedging=home.hedging if streamed else None,
            silence_s=settings.first_token_timeout_s * _SILENT_SHARE if streamed else math.inf,
        )
        return await failover.draft(emit)

    async def _from_one(self, request: ChatRequest, body: bytes, started: float, replica: Replica, emit: Emit) -> Draft:
        """The draft of one server. What must hold of it first is to be seen to here: an error is one of this server."""

        async def relayed() -> Draft:
            target = self._target(replica, _CHAT)
            async with ask(self._pool, target, body, deadline=request.deadline) as answer:
                relay = Relay(self.id, answer, faults=target.faults, replica=replica.shown, started=started)
                return await relay.streamed(emit) if request.stream else await relay.whole()

        return await self._with_adapter(replica, relayed, deadline=request.deadline)

    async def _with_adapter(
        self, replica: Replica, call: Callable[[], Awaitable[Answered]], *, deadline: float
    ) -> Answered:
        if self._adapter is None:
            return await call()
        return await self.home().adapters.during(replica, self._adapter, call, deadline=deadline)

    async def _control(self, replica: Replica, path: str, body: dict[str, str], deadline: float) -> None:
        async with ask(self._pool, self._target(replica, path), orjson.dumps(body), deadline=deadline) as answer:
            await answer.whole()

    async def _served(self, replica: Replica) -> Collection[str] | None:
        headers, timeout_s = credentials(self.settings.api_key), self.settings.connect_timeout_s
        async with httpx.AsyncClient(timeout=timeout_s, trust_env=False, headers=headers) as client:
            try:
                return await models_of(client, replica.url)
            except (httpx.HTTPError, httpx.InvalidURL, NoModelList):
                return None

    async def _post(self, path: str, body: bytes, *, deadline: float) -> bytes:
        """The whole answer of the first server that gives one, to what is no chat request."""
        failover = Failover(self.id, self.home().replicas, partial(self._posted, path, body, deadline))
        return await failover.draft(_nothing)

    async def _posted(self, path: str, body: bytes, deadline: float, replica: Replica, _: Emit) -> bytes:
        async def answered() -> bytes:
            async with ask(self._pool, self._target(replica, path), body, deadline=deadline) as answer:
                return await answer.whole()

        return await self._with_adapter(replica, answered, deadline=deadline)

    async def _post_json(self, path: str, body: Mapping[str, Any], *, deadline: float) -> dict[str, Any]:
        raw = await self._post(path, self._json(body), deadline=deadline)
        try:
            answer = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise ExpertFailed(self.id, f"{path} answers no JSON: {error}") from error
        if not isinstance(answer, dict):
            raise ExpertFailed(self.id, f"{path} answers no JSON object")
        return answer

    def _target(self, replica: Replica, path: str) -> Target:
        target = self._targets.get((replica, path))
        if target is None:
            target = self._targets[replica, path] = self._new_target(replica, path)
        return target

    def _new_target(self, replica: Replica, path: str) -> Target:
        home = self.home().settings
        key = home.api_key
        return Target(
            url=replica.url + path,
            headers={} if key is None else {"Authorization": f"Bearer {key.get_secret_value()}"},
            connect_timeout_s=home.connect_timeout_s,
            first_token_timeout_s=home.first_token_timeout_s,
            read_timeout_s=home.read_timeout_s,
            faults=Faults(self.id, replica.shown, key),
        )

    @property
    def _model(self) -> str:
        """The servers' name of the model."""
        return self.settings.adapter or self.settings.model or ""

    def _body(self, request: ChatRequest) -> bytes:
        """The client's body, with the servers' name of this model, and our system prompt where it has none."""
        body: dict[str, Any] = {**request.body, "model": self._model}
        if self.settings.system is not None:
            body["messages"] = self._messages(body)
        return self._json(body)

    def _messages(self, body: Mapping[str, Any]) -> Any:
        messages: Any = body.get("messages")
        if self.settings.system is None or _has_system(messages):
            return messages
        return [{"role": "system", "content": self.settings.system}, *messages]

    def _json(self, body: Mapping[str, Any]) -> bytes:
        try:
            return orjson.dumps(body)
        except TypeError as error:
            raise ExpertRejected(self.id, f"the request is no JSON: {error}") from error


async def _nothing(_: Chunk) -> None:
    """An `emit` for what emits nothing."""


def _has_system(messages: Any) -> bool:
    """Whether a system prompt is there already; true for what are no messages, which the server will refuse."""
    if not isinstance(messages, list):
        return True
    return any(isinstance(message, Mapping) and message.get("role") in _SYSTEM_ROLES for message in messages)
