"""A model, or a LoRA adapter, behind vLLM's chat API: passes requests on, to the server that has least to do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, TypeVar

import anyio
import orjson
from anyio.abc import TaskStatus

from orchestrator.config.kinds import VllmSettings
from orchestrator.errors import ExpertError, ExpertFailed, ExpertRejected, ExpertTimeout, ExpertUnavailable
from orchestrator.experts.protocol import Capabilities, Condition, TokenLogprobs
from orchestrator.experts.site import Site
from orchestrator.experts.vllm.client import Pool, Target, ask
from orchestrator.experts.vllm.embedding import embeddings_request, named_embeddings
from orchestrator.experts.vllm.faults import Faults
from orchestrator.experts.vllm.health import watch
from orchestrator.experts.vllm.relay import Relay
from orchestrator.experts.vllm.replica import Replica, Replicas
from orchestrator.experts.vllm.scoring import SIDE_BY_SIDE, PromptScorer
from orchestrator.types import ChatRequest, Draft, Emit

__all__ = ["VllmExpert"]

T = TypeVar("T")
_SYSTEM_ROLES = ("system", "developer")
_CHAT = "/v1/chat/completions"


class VllmExpert:
    """An expert on one or several servers; an adapter uses its base's servers, API key and timeouts.

    What a server cannot do (tools without a parser, images for a text model) it refuses itself, in its own words;
    we cannot know, so `capabilities` claims both. Servers of the runner pooling answer embeddings requests alone.
    """

    probe_interval_s: ClassVar[float] = 5.0

    def __init__(self, expert_id: str, settings: VllmSettings, site: Site) -> None:
        self.id = expert_id
        self.settings = settings
        pooling = settings.runner == "pooling"
        self.capabilities = (
            Capabilities(chat=False, stream=False, embed=True)
            if pooling
            else Capabilities(tools=True, vision=True, score=settings.score)
        )
        self.replicas = Replicas(settings.replicas)
        self._site = site
        self._pool = site.share(("vllm", "pool"), Pool)

    @property
    def condition(self) -> Condition:
        """As the servers are, which for an adapter are its base's."""
        try:
            return self.home().replicas.condition
        except ExpertUnavailable as error:
            return Condition(state="down", reason=str(error))

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
        if not self.capabilities.chat:
            raise ExpertRejected(self.id, "its servers only embed (runner: pooling); POST /v1/embeddings")
        started = anyio.current_time()
        body = self._body(request)
        with anyio.move_on_after(request.left_s):
            with self._pool.held():
                return await self._from_any(partial(self._drafted, request, body, emit, started))
        raise ExpertTimeout(self.id, "no whole answer before the deadline")

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
        at_once = min(SIDE_BY_SIDE, self.settings.max_concurrency or SIDE_BY_SIDE)
        scorer = PromptScorer(self.id, self._model, self._post_json, at_once=at_once)
        with anyio.move_on_after(request.left_s):
            with self._pool.held():
                return await scorer.scores(request.replaced(messages=self._messages(request.body)), answers)
        raise ExpertTimeout(self.id, "no scores before the deadline")

    async def embeddings(self, raw: bytes, body: Mapping[str, Any], *, deadline: float) -> bytes:
        """The servers' answer to an embeddings request, passed on as it came but for the names of the model.

        Raises:
            ExpertError: as `draft` does.
        """
        sent = embeddings_request(raw, body, model=self._model)
        with anyio.move_on_at(deadline), self._pool.held():
            answer = await self._post("/v1/embeddings", sent)
            return named_embeddings(answer, self.id)
        raise ExpertTimeout(self.id, "no embeddings before the deadline")

    def home(self) -> VllmExpert:
        """The expert whose servers hold this one: itself, or an adapter's base."""
        if self.settings.base is None:
            return self
        base = self._site.expert(self.settings.base)
        if not isinstance(base, VllmExpert):
            raise ExpertUnavailable(self.id, f"its base {self.settings.base!r} is no expert of the kind vllm")
        return base.home()

    async def _from_any(self, ask_one: Callable[[Replica], Awaitable[T]]) -> T:
        """What the first server gives that is there, each asked at most once.

        Only a server that is not there is replaced, which shows before the first byte of an answer.
        """
        replicas = self.home().replicas
        missing: dict[Replica, ExpertUnavailable] = {}
        while (replica := replicas.pick(anyio.current_time(), tried=missing)) is not None:
            try:
                with replica.busy():
                    return await ask_one(replica)
            except ExpertUnavailable as error:
                replicas.eject(replica, anyio.current_time())
                missing[replica] = error
        raise list(missing.values())[-1]

    async def _drafted(self, request: ChatRequest, body: bytes, emit: Emit, started: float, replica: Replica) -> Draft:
        target = self._target(replica, _CHAT)
        async with ask(self._pool, target, body) as answer:
            self.home().replicas.answered(replica)
            relay = Relay(self.id, answer, faults=target.faults, replica=replica.shown, started=started)
            return await relay.streamed(emit) if request.stream else await relay.whole()

    async def _post(self, path: str, body: bytes) -> bytes:
        """The whole answer to what is no chat request."""
        return await self._from_any(partial(self._posted, path, body))

    async def _posted(self, path: str, body: bytes, replica: Replica) -> bytes:
        async with ask(self._pool, self._target(replica, path), body) as answer:
            self.home().replicas.answered(replica)
            return await answer.whole()

    async def _post_json(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        raw = await self._post(path, self._json(body))
        try:
            answer = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise ExpertFailed(self.id, f"{path} answers no JSON: {error}") from error
        if not isinstance(answer, dict):
            raise ExpertFailed(self.id, f"{path} answers no JSON object")
        return answer

    def _target(self, replica: Replica, path: str) -> Target:
        home = self.home().settings
        key = home.api_key
        return Target(
            url=replica.url + path,
            headers={} if key is None else {"Authorization": f"Bearer {key.get_secret_value()}"},
            connect_timeout_s=home.connect_timeout_s,
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
        if "messages" in body:
            body["messages"] = self._messages(body)
        return self._json(body)

    def _messages(self, body: Mapping[str, Any]) -> Any:
        messages = body.get("messages")
        if self.settings.system is None or not isinstance(messages, list) or _has_system(messages):
            return messages  # what are no messages, the server will refuse
        return [{"role": "system", "content": self.settings.system}, *messages]

    def _json(self, body: Mapping[str, Any]) -> bytes:
        try:
            return orjson.dumps(body)
        except TypeError as error:
            raise ExpertRejected(self.id, f"the request is no JSON: {error}") from error


def _has_system(messages: Sequence[object]) -> bool:
    """Whether a system prompt is there already."""
    return any(isinstance(message, Mapping) and message.get("role") in _SYSTEM_ROLES for message in messages)
