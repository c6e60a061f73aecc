"""Stage 2: from a category to the experts of this request: mapping x health x budget x what the client asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.config import Config
from orchestrator.config.fusion import Fusion
from orchestrator.conversation.turns import Turn, has_images
from orchestrator.decision import Categorized, Chosen, SessionSeen, Skipped
from orchestrator.errors import InvalidRequest, UnknownCategory, UnknownModel
from orchestrator.fleet.registry import Registry
from orchestrator.plans import Planned, Plans
from orchestrator.stages.price import expected_usd, limit_usd
from orchestrator.stages.staying import staying
from orchestrator.trace import Stopwatch
from orchestrator.types import ChatRequest
from routers.mapping import Plan

__all__ = ["ALIASES", "Before", "Chooser", "reordered"]

ALIASES = ("auto", "fuse")
"""Model names that are no expert: route; force drafts and a verdict."""
_UNSEEN = "The request has an image, and {experts} cannot see; ask an expert that can (GET /v1/experts: vision)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """Whom a conversation is with. looping: it is at work on the latest request, and goes on with it."""

    expert: str
    looping: bool
    turn: Turn


class Chooser:
    """Turns categories into experts by `plans`. Changes no state; asks the registry how the experts are."""

    def __init__(self, config: Config, plans: Plans, registry: Registry) -> None:
        self.plans = plans
        self._config = config
        self._registry = registry
        self._bypasses: dict[str, Chosen] = {}

    def check_category(self, category: str) -> None:
        """Raise UnknownCategory for a name that is no category."""
        if category not in self._config.categories:
            known = ", ".join(self._config.categories)
            raise UnknownCategory(f"The category {category!r} does not exist. Known: {known}.", param="category")

    def check_model(self, model: str) -> None:
        """Raise UnknownModel for a name that is neither an alias nor an expert."""
        if model in ALIASES or model in self._registry:
            return
        known = ", ".join([*ALIASES, *self._registry])
        raise UnknownModel(f"The model {model!r} does not exist. Known: {known}.", param="model")

    def bypass(self, expert: str, request: ChatRequest) -> Chosen:
        """The plan of a request that names its expert: that one, and no other in its place.

        Raises:
            InvalidRequest: there is an image, and it sees none; or it costs more than the client allows.

        """
        if has_images(request.messages) and not self._sees(expert):
            raise InvalidRequest(_UNSEEN.format(experts=repr(expert)), param="messages")
        self._check_paid([expert], request)
        if expert not in self._bypasses:
            self._bypasses[expert] = Chosen(plan="single", experts=(expert,), reason="named by the client", took_ms=0.0)
        return self._bypasses[expert]

    def choose(
        self,
        categorized: Categorized,
        request: ChatRequest,
        *,
        fuse: bool,
        plans: Plans | None = None,
        retrievers: Sequence[str] = (),
        before: Before | None = None,
    ) -> Chosen:
        """The plan of a routed request: the category's, or drafts side by side where `fuse` forces it.

        plans: those to choose by; default: those in force now. retrievers: of the category's experts, best first for
        this query; they stand in this order wherever in the plan there are retrievers. before: whom the conversation
        is with.

        Raises:
            InvalidRequest: nobody can take the request's images, or answer for what the client allows.

        """
        watch = Stopwatch()
        plans = plans or self.plans
        category = categorized.category or self._config.general
        planned = plans.planned(category, cost_quality=request.controls.cost_quality)
        if (request.controls.fuse is False or (before is not None and before.looping)) and not fuse:
            planned = _unfused(planned, request)
        if planned.instead:  # a learned fuse plan: as it was learned, or not at all
            writer = None if planned.plan.weights else planned.plan.verdict or self._verdict(category, plans)
            fusion = self._config.fusion_of(category)
            obstacle = self._obstacle(planned.plan, request, most=fusion.max_drafts, writer=writer)
            if not obstacle:
                chosen = _learned(category, planned, request, writer=writer, watch=watch)
                return chosen if planned.plan.weights else self._ruled(chosen, category, fusion, plans)
            planned = replace(planned, plan=Plan(kind="single", experts=planned.instead), gain="", why=obstacle)
        if fuse or planned.plan.kind == "fuse":
            verdict = self._verdict(category, plans)
            chosen = self._fused(category, planned, request, verdict=verdict, forced=fuse, watch=watch)
            fusion = self._config.fusion_of(category)
            return chosen if chosen.plan == "single" else self._ruled(chosen, category, fusion, plans)
        order = reordered(planned.plan.experts, retrievers)
        usable, skipped = self._usable(order, request)
        experts, late, grounds = self._awake_first(category, usable, request, plans)
        last_resorts = {each.expert for each in (*skipped, *late)} & set(experts)
        stand_in = not last_resorts.isdisjoint(order[: order.index(experts[0])])
        experts, session = self._staying(before, experts, categorized, request, plans)
        grounds += "; retrievers in the order learned from queries like this one" if retrievers else ""
        return Chosen(
            plan="single",
            experts=experts,
            skipped=(*skipped, *late),
            session=session,
            stand_in=stand_in and (session is None or not session.kept),
            cost_quality=planned.cost_quality,
            reason=_grounds(category, planned, request) + grounds,
            took_ms=watch.ms,
        )

    def _awake_first(
        self, category: str, experts: tuple[str, ...], request: ChatRequest, plans: Plans
    ) -> tuple[tuple[str, ...], tuple[Skipped, ...], str]:
        """The experts with those that cannot be awake in time last, and some that are awake before some that sleep.

        With them, who was put last and why, and what else was changed, as the rest of a sentence.
        """
        waits = {expert: self._registry.wait_s(expert) for expert in experts}
        if not any(waits.values()) or all(waits.values()):
            return experts, (), ""
        left_s, weight = request.left_s, self._config.residency.wake_weight
        late = [expert for expert in experts if waits[expert] > left_s]
        scores = {expert: plans.score(category, expert) for expert in experts}
        order, notes = [expert for expert in experts if expert not in late], list[str]()
        for expert in [expert for expert in order if not waits[expert]]:
            place = at = order.index(expert)
            while at and waits[order[at - 1]] and _worth(scores, order[at - 1], expert, weight * waits[order[at - 1]]):
                at -= 1
            if at < place:
                notes.append(f"; {expert!r} is awake, {order[at]!r} would take about {waits[order[at]]:.1f} s to wake")
                order.insert(at, order.pop(place))
        skipped = tuple(Skipped(expert=expert, reason=_too_late(waits[expert], left_s)) for expert in late)
        return (*order, *late), skipped, "".join(notes)

    def _staying(
        self,
        before: Before | None,
        experts: tuple[str, ...],
        categorized: Categorized,
        request: ChatRequest,
        plans: Plans,
    ) -> tuple[tuple[str, ...], SessionSeen | None]:
        """The experts with the one first that the conversation stays with, where it does."""
        if before is None or before.expert not in self._registry:
            return experts, None
        if self._down(before.expert) or before.expert in self._unable(before.expert, request):
            return experts, SessionSeen(expert=before.expert, kept=False, looping=before.looping)
        if before.looping:
            seen = SessionSeen(expert=before.expert, kept=True, looping=True)
        else:
            seen = staying(
                before.expert, experts, categorized, before.turn, plans=plans, settings=self._config.sessions
            )
        if not seen.kept:
            return experts, seen
        return (before.expert, *(expert for expert in experts if expert != before.expert)), seen

    def _unable(self, expert: str, request: ChatRequest) -> tuple[str, ...]:
        """The expert, where it cannot take this request."""
        blind = has_images(request.messages) and not self._sees(expert)
        return (expert,) if blind or self._refusal(expert, request) else ()

    def _obstacle(self, plan: Plan, request: ChatRequest, *, most: int, writer: str | None) -> str:
        """Why a learned fuse plan cannot be served whole now, as the rest of a sentence; empty where it can."""
        drafts = len(plan.experts)
        if drafts > most:
            return f"it takes {drafts} drafts, fusion.max_drafts is {most}"
        if plan.weights and request.body.get("tools"):
            return "its votes are on answers, and the request has tools"
        if not plan.weights and writer is None:
            return "no expert can write its verdict"
        for expert in plan.experts:
            if down := self._down(expert):
                return f"{expert!r} is down: {down}"
            if refusal := self._refusal(expert, request):
                return f"{expert!r}: {refusal}"
        return self._overspent([*plan.experts, *([writer] if writer else [])], request)

    def _overspent(self, experts: Sequence[str], request: ChatRequest) -> str:
        """By how much calls of all these experts would exceed the budget of a query; empty where they keep to it."""
        limit = limit_usd(self._config.budget, request)
        usd = sum(expected_usd(self._registry.settings(expert).cost, request) for expert in experts)
        if limit is None or usd <= limit:
            return ""
        return f"all its calls would cost about {usd:.6f} USD, the budget is {limit:g}"

    def _fused(
        self,
        category: str,
        planned: Planned,
        request: ChatRequest,
        *,
        verdict: str | None,
        forced: bool,
        watch: Stopwatch,
    ) -> Chosen:
        reason = "asked for by the client" if forced else f"plan of category {category!r}"
        grounds = _grounds(category, planned, request)
        fusion = self._config.fusion_of(category)
        wanted = list(dict.fromkeys([*planned.plan.experts, *fusion.experts]))
        usable, skipped = self._usable(wanted, request)
        up = [expert for expert in usable if self._registry.condition(expert).state != "down"]
        drafting, unpaid = self._affordable(up[: fusion.max_drafts], verdict, fusion, request)
        skipped = (*skipped, *unpaid)
        if len(drafting) < 2 or verdict is None:  # noqa: PLR2004 - agreement needs two
            lacking = "no expert can write a verdict" if verdict is None else "fewer than two experts can draft"
            return Chosen(
                plan="single",
                experts=usable,
                skipped=skipped,
                cost_quality=planned.cost_quality,
                reason=f"{grounds}; fusion ({reason}) not possible: {lacking}",
                took_ms=watch.ms,
            )
        return Chosen(
            plan="fuse",
            experts=drafting,
            verdict=verdict,
            skipped=skipped,
            cost_quality=planned.cost_quality,
            reason=f"{grounds}; fusion: {reason}",
            took_ms=watch.ms,
        )

    def _affordable(
        self, experts: Sequence[str], verdict: str | None, fusion: Fusion, request: ChatRequest
    ) -> tuple[tuple[str, ...], tuple[Skipped, ...]]:
        """The experts whose drafts, with a verdict, keep to the budget of a query; the last ones go first."""
        writer = [verdict] if verdict is not None and fusion.kind == "synthesize" else []
        drafting, left_out = list(experts), list[Skipped]()
        while drafting and (why := self._overspent([*drafting, *writer], request)):
            left_out.append(Skipped(expert=drafting.pop(), reason=f"does not draft: {why}"))
        return tuple(drafting), tuple(left_out)

    def _ruled(self, chosen: Chosen, category: str, fusion: Fusion, plans: Plans) -> Chosen:
        """A fuse plan with how its drafts become one answer."""
        known: dict[str, float] = {}
        if fusion.weigh == "reliability":
            scores = {expert: plans.score(category, expert) for expert in chosen.experts}
            known = {expert: score for expert, score in scores.items() if score is not None}
        return chosen.model_copy(update={"rule": fusion.rule, "reliability": known})

    def _verdict(self, category: str, plans: Plans) -> str | None:
        """The configured verdict expert, else the first that can write among the category's and the general ones."""
        if (configured := self._config.fusion_of(category).verdict) is not None:
            return configured
        planned = [plans.planned(name).plan for name in (category, self._config.general)]
        candidates = [expert for plan in planned for expert in plan.experts]
        return next((expert for expert in candidates if self._registry.settings(expert).unfit("chat") is None), None)

    def _usable(self, experts: Sequence[str], request: ChatRequest) -> tuple[tuple[str, ...], tuple[Skipped, ...]]:
        """The experts in the order to try: refused ones out, those that are down last (they may be back)."""
        pictured = has_images(request.messages)
        blind = [expert for expert in experts if pictured and not self._sees(expert)]
        if blind and len(blind) == len(experts):
            raise InvalidRequest(_UNSEEN.format(experts=", ".join(map(repr, experts))), param="messages")
        able = [expert for expert in experts if expert not in blind]
        refusals = {expert: reason for expert in able if (reason := self._refusal(expert, request))}
        if len(refusals) == len(able):  # better over a limit of the service, and said so, than no answer
            self._check_paid(able, request)
            refusals = {expert: why for expert, why in refusals.items() if self._beyond_promise(expert, request)}
        refusals |= dict.fromkeys(blind, "it sees no images, and the request has one")
        allowed = [expert for expert in experts if expert not in refusals]
        skipped = [Skipped(expert=expert, reason=reason) for expert, reason in refusals.items()]
        down = {expert: self._down(expert) for expert in allowed if self._down(expert)}
        skipped += [Skipped(expert=expert, reason=f"last resort, it is down: {why}") for expert, why in down.items()]
        return (*(e for e in allowed if e not in down), *down), tuple(skipped)

    def _check_paid(self, experts: Sequence[str], request: ChatRequest) -> None:
        """Raise InvalidRequest where each of them costs more than the client allows: its limit is a promise."""
        if not experts or not all(self._beyond_promise(expert, request) for expert in experts):
            return
        costs = {expert: expected_usd(self._registry.settings(expert).cost, request) for expert in experts}
        cheapest, most = min(costs, key=costs.__getitem__), request.controls.max_cost_usd
        message = f"No expert answers this for {most:g} USD; {cheapest!r} would cost about {costs[cheapest]:.6f}."
        raise InvalidRequest(message, param="max_cost_usd")

    def _beyond_promise(self, expert: str, request: ChatRequest) -> bool:
        """Whether an expert is expected to cost more than the client allows."""
        most = request.controls.max_cost_usd
        return most is not None and expected_usd(self._registry.settings(expert).cost, request) > most

    def _down(self, expert: str) -> str:
        condition = self._registry.condition(expert)
        return (condition.reason or "no reason given") if condition.state == "down" else ""

    def _sees(self, expert: str) -> bool:
        """Whether it can take images; one that has not been built yet may."""
        built = self._registry.built(expert)
        return built is None or built.capabilities.vision

    def _refusal(self, expert: str, request: ChatRequest) -> str:
        built = self._registry.built(expert)
        if request.body.get("tools") and built and not built.capabilities.tools:
            return "it takes no tools, and the request has some"
        limit = limit_usd(self._config.budget, request)
        if limit is None:  # most often: nothing needs to be counted
            return ""
        usd = expected_usd(self._registry.settings(expert).cost, request)
        if usd > limit:
            return f"it would cost about {usd:.6f} USD, the budget is {limit:g}"
        return ""


def _unfused(planned: Planned, request: ChatRequest) -> Planned:
    """A plan with its experts one after the other."""
    if planned.plan.kind == "single":
        return planned
    why = "fuse is off" if request.controls.fuse is False else "an agent goes on with what one expert began"
    experts = planned.instead or planned.plan.experts
    return replace(planned, plan=Plan(kind="single", experts=experts), instead=(), gain="", why=why)


def reordered(experts: Sequence[str], ranked: Sequence[str]) -> tuple[str, ...]:
    """The experts with those that are ranked in that order among themselves, in the places that they have together."""
    among = iter([expert for expert in ranked if expert in experts])
    return tuple(next(among) if expert in ranked else expert for expert in experts)


def _worth(scores: Mapping[str, float | None], better: str, other: str, most: float) -> bool:
    """Whether the second is known to be worse than the first by less than `most`."""
    one, two = scores[better], scores[other]
    return one is not None and two is not None and one - two < most


def _too_late(wait_s: float, left_s: float) -> str:
    if math.isinf(wait_s):
        return "last resort, it sleeps and cannot be woken now"
    return f"last resort, waking it takes about {wait_s:.1f} s, the request has {left_s:.1f} s left"


def _learned(category: str, planned: Planned, request: ChatRequest, *, writer: str | None, watch: Stopwatch) -> Chosen:
    """A fuse plan as it was learned."""
    plan = planned.plan
    return Chosen(
        plan="fuse",
        experts=plan.experts,
        verdict=writer,
        weights=dict(zip(plan.experts, plan.weights, strict=True)) if plan.weights else {},
        evidence=planned.evidence,
        cost_quality=planned.cost_quality,
        reason=_grounds(category, planned, request),
        took_ms=watch.ms,
    )


def _grounds(category: str, planned: Planned, request: ChatRequest) -> str:
    """The category, and what was made of the place on the frontier that the request asks for."""
    asked = request.controls.cost_quality
    if planned.cost_quality is None:
        unheeded = "" if asked is None else f"; cost_quality {asked:g} changes nothing: as listed ({planned.why})"
        return f"category {category!r}{unheeded}"
    best = f"at cost_quality {planned.cost_quality:g}" if asked is not None else "the best within the budget"
    if planned.gain:
        return f"category {category!r}, learned fuse plan, gain {planned.gain}, {best}"
    unserved = f"; its fuse plan is not served: {planned.why}" if planned.why else ""
    return f"category {category!r}, learned plan, {best}{unserved}"
