"""The decision: the whole trace of one request, in a stable schema that every surface shows.

Times are milliseconds and start when the stage starts, costs are USD. Texts (the query, the drafts) are content:
`without_content` takes them out before a decision is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from orchestrator.config.fusion import Rule
from orchestrator.types import ToolChoice
from routers.mapping.matrix import Cell

__all__ = [
    "Attempt",
    "Categorized",
    "Chosen",
    "Consensus",
    "Contribution",
    "Decision",
    "DraftSeen",
    "Explanation",
    "Failure",
    "Gate",
    "Method",
    "Probability",
    "SessionSeen",
    "Signal",
    "Skipped",
    "TokenCount",
    "Verdict",
]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, protected_namespaces=())


@dataclass(frozen=True, slots=True)
class Probability:
    """One row of the posterior. Plain and with slots: a decision may have a thousand, and thousands are remembered."""

    category: str
    probability: Annotated[float, Field(ge=0, le=1)]


class Gate(_Value):
    """What the out-of-distribution test saw; `fired` names the test that sent the query to `general`."""

    fired: str | None
    value: float
    threshold: float


class Failure(_Value):
    """Why an attempt gave no answer; `kind` is the error's class (ExpertTimeout, …)."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class TokenCount:
    """Tokens as the expert counted them."""

    input: int
    output: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One call of one expert; a retry is an attempt of its own, and so is a call that was not let through.

    queued_ms: the part of `took_ms` in which it waited for a place, see `max_concurrency` of the expert.
    woke_ms: the part of `took_ms` in which an answered one waited until the expert was awake.
    tool: how a tool was chosen, of an expert that has several.
    """

    expert: str
    role: Literal["answer", "draft", "score", "verdict", "categorize"]
    outcome: Literal["answered", "failed", "cancelled"]
    failure: Failure | None = None
    replica: str | None = None
    tokens: TokenCount | None = None
    cost_usd: float = 0.0
    first_token_ms: float | None = None
    queued_ms: float = 0.0
    woke_ms: float = 0.0
    tool: ToolChoice | None = None
    took_ms: float


Method = Literal["router", "bypass", "degraded", "override"]
"""How a category was found; see `Categorized`."""


class Categorized(_Value):
    """Stage 1. `posterior` is sorted, most probable first; its second row is the runner-up.

    method: router (classified), bypass (an expert was named, nothing was classified), degraded (the classifier
        failed or was too late and the query went to `general`; `reason` says why), override (the client named the
        category).
    context: how many earlier requests of the conversation were read with this one; 0 for none.
    cached: the router was not asked now, it said so of the same query before; `took_ms` is 0 then.
    calls: what the classifier asked of experts, for a kind that asks any.
    generation: the artifact that decided, as GET /version names it; None where none did.
    """

    method: Method
    category: str | None
    top: str | None = None
    confidence: float | None = None
    posterior: tuple[Probability, ...] = ()
    category_set: tuple[str, ...] = ()
    gate: Gate | None = None
    reason: str = ""
    context: int = 0
    cached: bool = False
    calls: tuple[Attempt, ...] = ()
    generation: str | None = None
    took_ms: float


class Contribution(_Value):
    """What one part of the query (or of what was learned) adds to the two scores.

    part: examples (learned queries near in meaning), pilot (the centroid of several), rule (a keyword or pattern that
        was found), word (one or two in a row), letters (the pieces of a word's spelling), meaning (the embedding as a
        whole), category (whatever the query), other (small ones).
    """

    part: Literal["examples", "pilot", "rule", "word", "letters", "meaning", "category", "other"]
    name: str
    top: float
    runner_up: float


class Signal(_Value):
    """What the gate weighed: `standard` is the distance from what is usual, in spreads; their mean is its value."""

    name: str
    value: float
    standard: float


class Explanation(_Value):
    """Why the likeliest category and not the next one.

    margin: of their probabilities. margin_logit: of their logits before calibration. unit: what the contributions
        add up to, for each of the two (`top_score`, `runner_up_score`): the logit, or a score that the logit is a
        rising function of; None where the classifier cannot say, and there are no contributions.
    """

    top: str
    runner_up: str
    margin: float
    margin_logit: float
    unit: Literal["logit", "score"] | None
    top_score: float
    runner_up_score: float
    contributions: tuple[Contribution, ...] = ()
    signals: tuple[Signal, ...] = ()


class Skipped(_Value):
    """An expert that the plan names and this request does not use."""

    expert: str
    reason: str


def _known_keys(rule: object) -> object:
    """A rule without what a later version may say of it: decisions are read by other versions too."""
    return {key: rule[key] for key in rule if key in Rule.model_fields} if isinstance(rule, dict) else rule


class SessionSeen(_Value):
    """What the conversation so far had to do with the choice.

    expert: whom it is with. kept: whether that one is asked first. looping: an agent goes on with what that expert
    began, so that nothing was weighed. gain: by how much the category's choice is expected to score higher than that
    expert; margin: what it has to be for a change; tokens: of the conversation that a new expert would read anew.
    """

    expert: str
    kept: bool
    looping: bool = False
    gain: float | None = None
    margin: float | None = None
    tokens: int | None = None


class Chosen(_Value):
    """Stage 2. For `single`, `experts` are in the order in which they are tried; for `fuse` they draft side by side.

    verdict: who writes the answer of a fuse plan; None where the drafts' answers vote.
    weights: of these votes by expert, learned; empty where a verdict is written.
    rule: how drafts become one answer; None where nothing is fused, and where answers vote.
    evidence: what a learned fuse plan stands on in the category: its gain on the best expert that costs no more, on how
        many graded queries it helped and harmed, and the gain with drafts dropped at random.
    session: what a conversation that has an expert already changed; None where there is none.
    stand_in: who is asked first is that because another one of the plan is down or asleep.
    reliability: by expert the score that was learned in the category, where the rule weighs by it.
    cost_quality: the place on the learned frontier that was used, 0 (cheapest) to 1 (best within the budget); None
        where no learned plan was.
    """

    plan: Literal["single", "fuse"]
    experts: tuple[str, ...]
    verdict: str | None = None
    weights: dict[str, float] = Field(default_factory=dict)
    rule: Annotated[Rule | None, BeforeValidator(_known_keys)] = None
    reliability: dict[str, float] = Field(default_factory=dict)
    evidence: Cell | None = None
    skipped: tuple[Skipped, ...] = ()
    session: SessionSeen | None = None
    stand_in: bool = False
    cost_quality: float | None = Field(default=None, ge=0, le=1)
    reason: str
    took_ms: float


class DraftSeen(_Value):
    """A draft of a fuse plan; `text` is None where content is not kept."""

    expert: str
    text: str | None
    citations: tuple[str, ...] = ()


class Consensus(_Value):
    """Stage 4. `agreement[i][j]` is how much draft j agrees with i (1 is the same), in the order of `experts`.

    measure: what it was measured by. reason: why that is another measure than the configured one, or who could not
        judge; empty where nothing is to say.
    answers: what was read out of each draft by expert, where answers were compared; null for one without an answer,
        and empty where content is not kept.
    nll: mean negative log-likelihood per token (natural) of each draft, in the order of `experts`, under each expert
        that was asked to score; null where that failed. judges: those of them whose scores counted, which have no gap.
    weights: what each expert's judgement weighed, where not all weigh the same.
    scores: summed distance from the others, lower is nearer to the consensus (PAPERS: Speculative Verdict).
    strength: how far the others agree with the nearest draft, 0 to 1; 0 for a draft alone.
    support: where the answers voted, the summed weights behind each expert's; those who gave none are not in it.
    unanimous: all drafts gave the same answer, so no verdict was needed.
    """

    measure: str
    experts: tuple[str, ...]
    reason: str = ""
    agreement: tuple[tuple[float, ...], ...] = ()
    answers: dict[str, str | None] = Field(default_factory=dict)
    nll: dict[str, tuple[float | None, ...]] = Field(default_factory=dict)
    judges: tuple[str, ...] = ()
    weights: dict[str, float] = Field(default_factory=dict)
    scores: dict[str, float]
    strength: float = 0.0
    support: dict[str, float] = Field(default_factory=dict)
    kept: tuple[str, ...]
    dissent: tuple[str, ...]
    unanimous: bool
    took_ms: float

    def without_content(self) -> Consensus:
        """The same without what the answers were; who had none can still be seen."""
        return self.model_copy(update={"answers": {e: a if a is None else "" for e, a in self.answers.items()}})


class Verdict(_Value):
    """Stage 5.

    kind: relay (the one answer as it came), choose (a draft is the answer), synthesize (`expert` wrote it), escalate
        (the consensus was weak and `expert` was asked instead) or abstain (it was weak, and nobody answered).
    saw: the experts whose drafts the verdict was given, and nothing else of the drafting; where answers voted, those
        who gave the one that won.
    prompt: the instructions and drafts that `expert` was shown before the conversation, to the letter; None where it
        was shown none, and where content is not kept.
    saved_usd: what the verdict that was not needed would have cost; None where one was written or none was planned.
    """

    kind: Literal["relay", "choose", "synthesize", "escalate", "abstain"]
    expert: str
    saw: tuple[str, ...] = ()
    prompt: str | None = None
    reason: str = ""
    saved_usd: float | None = None
    took_ms: float


class Decision(_Value):
    """Everything that happened to one request."""

    schema_version: Literal[1] = 1
    id: str
    created: datetime
    model: str = Field(description="the model that the client asked for")
    query: str | None = Field(description="the text that was classified; None where content is not kept")
    categorize: Categorized | None = None
    explanation: Explanation | None = Field(
        default=None, description="what decided the category; only where it was asked for and the router classified"
    )
    choose: Chosen | None = None
    attempts: tuple[Attempt, ...] = ()
    drafts: tuple[DraftSeen, ...] = ()
    consensus: Consensus | None = None
    verdict: Verdict | None = None
    expert: str | None = Field(default=None, description="the expert whose words the answer is")
    error: Failure | None = None
    cost_usd: float = 0.0
    total_ms: float
    overhead_ms: float = Field(description="total time less the time in which some expert was at work")

    def without_content(self) -> Decision:
        """The same decision without the query, what is told of its words, and the texts of drafts and answers."""
        drafts = tuple(draft.model_copy(update={"text": None}) for draft in self.drafts)
        consensus = self.consensus and self.consensus.without_content()
        verdict = self.verdict and self.verdict.model_copy(update={"prompt": None})
        gone = {"query": None, "explanation": None}
        return self.model_copy(update={**gone, "drafts": drafts, "consensus": consensus, "verdict": verdict})
