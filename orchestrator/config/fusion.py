"""The block `fusion`: who drafts and how drafts become one answer, for all categories or for one."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from orchestrator.config.values import PositiveInt, Settings

__all__ = ["Fusion", "Rule"]


class Rule(Settings):
    """How drafts become one answer. The decision on a request records the one that was used."""

    consensus: Literal["embedding", "answer", "likelihood", "judge", "entailment", "outcome"] = Field(
        default="embedding",
        description="how agreement between drafts is measured: embedding (cosine of the texts), answer (whether the "
        "answers read out of them are the same), likelihood (how likely those of the drafting experts that can score "
        "find each other's answers), judge or entailment (what the expert `judge` says of them), outcome (what the "
        "tool `judge` says when it runs their code)",
    )
    answer: Literal["auto", "text", "number", "letter", "set", "code"] = Field(
        default="auto",
        description="the kind of answer that `consensus: answer` reads out of drafts; see docs/fusion.md",
    )
    judge: str | None = Field(
        default=None,
        description="the expert that compares drafts for judge and entailment; for outcome the tool that runs code; "
        "for likelihood the one whose scores alone count, which has to draft too",
    )
    tokens: Literal["answer", "question+answer"] = Field(
        default="answer",
        description="for likelihood, whose tokens count: the answer's alone, or those of question and answer told "
        "together as the user's words",
    )
    keep: PositiveInt | None = Field(
        default=None, description="drafts in the consensus; default: three fifths, rounded up"
    )
    threshold: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="instead of `keep`: drafts stay with which the others agree so far on average; the nearest always",
    )
    weigh: Literal["none", "reliability"] = Field(
        default="none",
        description="whose agreement counts how much: none (all alike), or reliability (by the score that was learned "
        "of the expert in the category)",
    )
    kind: Literal["synthesize", "choose"] = Field(
        default="synthesize",
        description="synthesize: the verdict expert writes from the kept drafts; choose: the nearest one is the answer",
    )
    weak_below: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="the consensus is weak where the others agree less than this with the nearest draft; 0: never",
    )
    when_weak: Literal["answer", "escalate", "abstain"] = Field(
        default="answer",
        description="what a weak consensus leads to: answer (as any other), escalate (`escalate_to` is asked the plain "
        "question), or abstain (the answer says that there is none)",
    )
    escalate_to: str | None = Field(default=None, description="the stronger expert that a weak consensus goes to")
    minority: Literal["hide", "show"] = Field(
        default="hide", description="show: the verdict expert sees the dissent too, marked as such"
    )
    min_drafts: PositiveInt = Field(default=1, description="fewest drafts with text that an answer may be made of")
    quorum: PositiveInt | None = Field(
        default=None, description="drafts that are enough; the rest get grace_s and are cancelled. Default: all"
    )
    grace_s: float = Field(default=0.0, ge=0, description="seconds for further drafts once the quorum is there")
    context_tokens: int = Field(
        default=6000,
        ge=100,
        description="most tokens of all drafts in the verdict's prompt (characters / 4); longer ones are cut alike",
    )

    @model_validator(mode="after")
    def _one_way_to_keep(self) -> Self:
        if self.keep is not None and self.threshold is not None:
            message = "keep and threshold are two ways to say which drafts stay; give one of them"
            raise ValueError(message)
        return self


class Fusion(Rule):
    """How drafts become one answer when a plan is `fuse` or a client asks for the model `fuse`."""

    verdict: str | None = Field(
        default=None, description="the expert that writes the verdict; default: the category's first"
    )
    experts: tuple[str, ...] = Field(
        default=(), description="experts that draft beside the category's own, in this order, up to max_drafts"
    )
    max_drafts: int = Field(default=5, ge=2, le=16, description="most drafts of one query")

    @property
    def rule(self) -> Rule:
        """The part that says how, without who."""
        return Rule(**{key: getattr(self, key) for key in Rule.model_fields})

    def with_own(self, own: Fusion) -> Fusion:
        """The block for a category that sets some keys itself."""
        changed = {key: getattr(own, key) for key in own.model_fields_set}
        if own.keep is not None or own.threshold is not None:
            changed |= {"keep": own.keep, "threshold": own.threshold}
        return self.model_copy(update=changed)

    @property
    def lacking(self) -> str:
        """What this block needs and has not, as a sentence; empty where it is whole."""
        if self.consensus in {"judge", "entailment", "outcome"} and self.judge is None:
            doing = "runs their code" if self.consensus == "outcome" else "compares the drafts"
            return f"consensus: {self.consensus} needs the expert that {doing} as `judge`"
        if self.when_weak == "escalate" and self.escalate_to is None:
            return "when_weak: escalate needs the expert that is asked then as `escalate_to`"
        if self.when_weak != "answer" and not self.weak_below:
            return f"when_weak: {self.when_weak} has no effect with weak_below: 0"
        if self.min_drafts > self.max_drafts:
            return f"min_drafts is {self.min_drafts}, max_drafts only {self.max_drafts}"
        return ""
