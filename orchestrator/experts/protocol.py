"""The contract of an expert. A plugin author needs this module and `orchestrator.testing`, nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import anyio
from anyio.abc import TaskStatus

from orchestrator.errors import ExpertError
from orchestrator.types import ChatRequest, Draft, Emit, Passage, Usage

__all__ = [
    "BatchScorer",
    "BreakerState",
    "Capabilities",
    "Condition",
    "EmbeddingServer",
    "Expert",
    "HedgeCounts",
    "LiveChecked",
    "LiveGrade",
    "LiveProblem",
    "ReplicaSeen",
    "Replicated",
    "Scorer",
    "Searcher",
    "State",
    "Supervised",
    "TokenLogprobs",
]

State = Literal["starting", "up", "down"]
BreakerState = Literal["closed", "open", "half-open"]
LiveGrade = Literal["config", "down", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What an expert can do; the router never sends it what it cannot.

    chat: writes what any prompt asks for, so that it can read passages, extract arguments or write a verdict.
    tools: takes the client's tool definitions. score: implements `Scorer`. retrieve: implements `Searcher`.
    embed: implements `EmbeddingServer`.
    """

    chat: bool = True
    stream: bool = True
    tools: bool = False
    score: bool = False
    retrieve: bool = False
    vision: bool = False
    embed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How an expert is: `reason` says why it is not up, for people, or what it lacks although it is."""

    state: State
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaSeen:
    """How one of an expert's servers is, for people and dashboards; holds no secret.

    breaker: whether requests go there; where it is open, the next trial is in `open_for_s` seconds.
    resting_s: seconds for which it asked to be left alone. healthy: by the last health probe, None before the first.
    in_flight, requests, failures, openings: of ours: under way; so far; of these, failed by its fault; and how often
        its breaker has opened.
    running, waiting, kv_usage: what it reported last of all its requests and of its memory (0 to 1), None where it has
        not lately.
    last_trouble: the last thing that went wrong with it, however long ago; empty where nothing has.
    """

    url: str
    breaker: BreakerState
    open_for_s: float
    resting_s: float
    healthy: bool | None
    in_flight: int
    requests: int
    failures: int
    openings: int
    running: int | None
    waiting: int | None
    kv_usage: float | None
    last_trouble: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgeCounts:
    """How often an expert asked a second server because the first was slow to begin.

    streams: asked for since the start. hedged, won: those for which a second server was asked, and those it answered.

    refused: those that were as late, and had no second server: all that the share allows had been spent.
    after_s: how long a first token is waited for now; None while too few have been seen.
    """

    streams: int
    hedged: int
    won: int
    refused: int
    after_s: float | None


class Expert(Protocol):
    """A routable target.

    `draft` answers one request. With `request.stream` it emits OpenAI-shaped chunks on the way (their text adds
    up to the draft's), else it emits nothing. It raises `ExpertError` and nothing else, leaves promptly when it
    is cancelled, and never looks past `request.deadline`.
    """

    id: str
    capabilities: Capabilities

    async def draft(self, request: ChatRequest, emit: Emit) -> Draft: ...


@runtime_checkable
class Supervised(Protocol):
    """An expert that lives: it loads, connects or watches something for as long as it is in service.

    `serve` runs until it is cancelled. It calls `task_status.started()` after its first attempt to get ready,
    good or bad, and survives its own failures (a dead server is a `down` condition, never a crash).
    """

    @property
    def condition(self) -> Condition: ...

    async def serve(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveProblem:
    """One thing that shows only when an expert is reached. message: one line, without secrets.

    key: which of the expert's keys is to blame, list positions from 0, such as ("replicas", 1); () for none.
    grade: config (the file has to change, or what it names has to be set up otherwise), down (nobody is there now,
        which may be over soon) or note (worth knowing, and no problem).
    """

    key: tuple[str | int, ...] = ()
    message: str
    grade: LiveGrade = "config"


@runtime_checkable
class LiveChecked(Protocol):
    """An expert that can look whether it will work, for `orchestrator check --live`.

    It is asked without being in service, may be cancelled, and leaves what it looked at as it was.
    """

    async def live_problems(self) -> Sequence[LiveProblem]: ...


@runtime_checkable
class Replicated(Protocol):
    """An expert on several servers. hedges: None where it never asks two of them at once."""

    @property
    def hedges(self) -> HedgeCounts | None: ...

    def replicas_seen(self) -> Sequence[ReplicaSeen]: ...


@runtime_checkable
class Searcher(Protocol):
    """An expert that can be asked for passages instead of an answer."""

    async def search(self, query: str, *, top_k: int) -> Sequence[Passage]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLogprobs:
    """Log-probability (natural, <= 0) of each token of a given answer under one expert.

    usage: tokens that were read for it, the conversation's included.
    """

    tokens: tuple[str, ...]
    logprobs: tuple[float, ...]
    usage: Usage = field(default_factory=Usage)

    @property
    def nll(self) -> float:
        """Mean negative log-likelihood per token; 0 for an empty answer."""
        return -sum(self.logprobs) / len(self.logprobs) if self.logprobs else 0.0


@runtime_checkable
class Scorer(Protocol):
    """An expert that can say how likely it finds a given answer.

    `score` conditions the answer's tokens on the request's messages, rendered as for a draft, up to where the answer
    would begin; no token that ends an answer counts. It raises `ExpertError` and nothing else, and never looks past
    `request.deadline`.
    """

    async def score(self, request: ChatRequest, answer: str) -> TokenLogprobs: ...


@runtime_checkable
class BatchScorer(Scorer, Protocol):
    """A scorer that does several answers to one request for less than one by one.

    `score_many` gives a result for each answer, in their order: one that could not be scored is the error that `score`
    would have raised. What concerns all of them it raises.
    """

    async def score_many(
        self, request: ChatRequest, answers: Sequence[str]
    ) -> Sequence[TokenLogprobs | ExpertError]: ...


@runtime_checkable
class TurnScorer(Protocol):
    """A scorer that can say how likely it finds texts as the user's own words, too.

    `score_turns` conditions each text's tokens on the conversation up to where the words of its last user message
    begin; what that message says, and what follows it, is left out. Results and errors are those of `score_many`.
    """

    async def score_turns(
        self, request: ChatRequest, texts: Sequence[str]
    ) -> Sequence[TokenLogprobs | ExpertError]: ...


@runtime_checkable
class EmbeddingServer(Protocol):
    """An expert that answers requests of OpenAI's embeddings API.

    body: the client's, checked as far as `model` is concerned. deadline: on the clock of `anyio.current_time()`.
    The answer is the whole body, whose `model` is the expert's id. It raises `ExpertError` and nothing else.
    """

    async def embeddings(self, raw: bytes, body: Mapping[str, Any], *, deadline: float) -> bytes: ...
