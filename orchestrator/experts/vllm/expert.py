"""A model, or a LoRA adapter, behind vLLM's chat API: passes requests on, to one of its servers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import anyio
import orjson
from anyio.abc import TaskStatus

from orchestrator import clock
from orchestrator.config.kinds import VllmSettings
from orchestrator.errors import ExpertRejected, ExpertUnavailable
from orchestrator.experts.protocol import Capabilities, Condition, HedgeCounts, ReplicaSeen
from orchestrator.experts.site import Site
from orchestrator.experts.vllm.affinity import affinity_key
from orchestrator.experts.vllm.client import Pool, Target, ask
from orchestrator.experts.vllm.failover import Failover
from orchestrator.experts.vllm.faults import Faults
from orchestrator.experts.vllm.health import watch
from orchestrator.experts.vllm.hedge import Hedging
from orchestrator.experts.vllm.relay import Relay
from orchestrator.experts.vllm.replica import Replica
from orchestrator.experts.vllm.replicas import Replicas
from orchestrator.types import ChatRequest, Draft, Emit

__all__ = ["VllmExpert"]

_SYSTEM_ROLES = ("system", "developer")
_SILENT_SHARE = 0.5
"""Of the time-out to the first token: a stream that was silent for longer when somebody cancelled it is its server's
failure. Those above, whose patience is shorter than the time-out, would else keep a dead server from being known."""


class VllmExpert:
    """An expert on one or several servers; an adapter uses its base's servers, API key, timeouts, affinity and hedging.

    What a server cannot do (tools without a parser, images for a text model) it refuses itself, in its own words;
    we cannot know, so `capabilities` claims both.
    """

    capabilities = Capabilities(tools=True, vision=True)
    probe_interval_s: ClassVar[float] = 5.0

    def __init__(self, expert_id: str, settings: VllmSettings, site: Site) -> None:
        self.id = expert_id
        self.settings = settings
        self.replicas = Replicas(settings.replicas)
        self.hedging = None if settings.hedge is None else Hedging(settings.hedge)
        self._site = site
        self._pool = site.share(("vllm", "pool"), Pool)
        self._targets: dict[Replica, Target] = {}

    @property
    def condition(self) -> Condition:
        """As the servers are, which for an adapter are its base's."""
        try:
            return self.home().replicas.condition
        except ExpertUnavailable as error:
            return Condition(state="down", reason=str(error))

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
                await anyio.sleep_forever()
            await watch(
                self.replicas,
                every_s=self.probe_interval_s,
                timeout_s=self.settings.connect_timeout_s,
                task_status=task_status,
            )

    async def draft(self, request: ChatRequest, emit: Emit) -> Draft:
        self._pool.hold()
        try:
            return await self._from_any(request, emit, started=clock.now())
        finally:
            self._pool.release()

    def home(self) -> VllmExpert:
        """The expert whose servers hold this one: itself, or an adapter's base."""
        if self.settings.base is None:
            return self
        base = self._site.expert(self.settings.base)
        if not isinstance(base, VllmExpert):
            raise ExpertUnavailable(self.id, f"its base {self.settings.base!r} is no expert of the kind vllm")
        return base.home()

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
        target = self._target(replica)
        async with ask(self._pool, target, body, deadline=request.deadline) as answer:
            relay = Relay(self.id, answer, faults=target.faults, replica=replica.shown, started=started)
            return await relay.streamed(emit) if request.stream else await relay.whole()

    def _target(self, replica: Replica) -> Target:
        target = self._targets.get(replica)
        if target is None:
            target = self._targets[replica] = self._new_target(replica)
        return target

    def _new_target(self, replica: Replica) -> Target:
        home = self.home().settings
        key = home.api_key
        return Target(
            url=f"{replica.url}/v1/chat/completions",
            headers={} if key is None else {"Authorization": f"Bearer {key.get_secret_value()}"},
            connect_timeout_s=home.connect_timeout_s,
            first_token_timeout_s=home.first_token_timeout_s,
            read_timeout_s=home.read_timeout_s,
            faults=Faults(self.id, replica.shown, key),
        )

    def _body(self, request: ChatRequest) -> bytes:
        """The client's body, with the servers' name of this model, and our system prompt where it has none."""
        body: dict[str, Any] = {**request.body, "model": self.settings.adapter or self.settings.model}
        if self.settings.system is not None and not _has_system(body.get("messages")):
            body["messages"] = [{"role": "system", "content": self.settings.system}, *body["messages"]]
        try:
            return orjson.dumps(body)
        except TypeError as error:
            raise ExpertRejected(self.id, f"the request is no JSON: {error}") from error


def _has_system(messages: object) -> bool:
    """Whether a system prompt is there already; true for what are no messages, which the server will refuse."""
    if not isinstance(messages, list):
        return True
    return any(isinstance(message, Mapping) and message.get("role") in _SYSTEM_ROLES for message in messages)
