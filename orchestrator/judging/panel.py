"""A panel at work: asks its judges side by side and makes one value of what they say. Knows no gold.

After routed multi-criterion judges (DMoERM, arXiv 2403.01197; PAPERS.md 3.6): which judges and which criteria depends
on the category, and the criteria are weighed into one grade. A judge that fails, is late or says nothing usable is left
out; one has to be left.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import anyio

from orchestrator.checked_reply import Wanted, checked_reply
from orchestrator.config.panels import Panel, panel_for
from orchestrator.decision import Attempt
from orchestrator.errors import ExpertError, ExpertFailed, ExpertTimeout, NoExpertLeft
from orchestrator.fleet.registry import Registry
from orchestrator.judging.sheets import Sheet
from orchestrator.stages.draft import Relay, call, nowhere
from orchestrator.types import ChatRequest, Draft

__all__ = ["Judged", "Judges"]

Scores = Mapping[str, float]
"""By criterion, 0 to 1."""
Read = Callable[[str, bool], dict[str, float]]
Ask = Callable[[Wanted, Read], Awaitable[dict[str, float]]]
"""Asks one judge; raises ExpertError or ValueError where nothing usable came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a panel made of an answer, or of a pair of them.

    judges: by judge and criterion, 0 to 1: how well the answer meets it, or how much the first answer is preferred.
    failed: by judge who was left out, why. steady: of pairs, by judge the share of criteria by which it said the same
    in both orders. weights: of the criteria, adding up to 1. attempts: every call, with tokens and cost.
    """

    judges: Mapping[str, Scores]
    failed: Mapping[str, str]
    steady: Mapping[str, float]
    weights: Mapping[str, float]
    attempts: tuple[Attempt, ...]

    @property
    def criteria(self) -> dict[str, float]:
        """The mean of the judges by criterion."""
        return {name: sum(said[name] for said in self.judges.values()) / len(self.judges) for name in self.weights}

    @property
    def value(self) -> float:
        """The grade of the answer, or the preference for the first one: 0 to 1, criteria weighed."""
        means = self.criteria
        return sum(weight * means[name] for name, weight in self.weights.items())

    @property
    def cost_usd(self) -> float:
        """Of all calls."""
        return sum(attempt.cost_usd for attempt in self.attempts)

    @property
    def tokens(self) -> int:
        """Read and written in all calls that were answered."""
        return sum(each.tokens.input + each.tokens.output for each in self.attempts if each.tokens is not None)


class Judges:
    """The panels of a configuration over the experts of one registry."""

    def __init__(self, panels: Mapping[str, Panel], registry: Registry) -> None:
        self._panels = panels
        self._registry = registry

    def panel(self, category: str | None) -> str | None:
        """The name of the panel that judges a category; None where none does."""
        return panel_for(self._panels, category)

    async def grade(
        self, panel: str, query: str, answer: str, *, deadline: float, criteria: Mapping[str, str] | None = None
    ) -> Judged:
        """A panel's grade of one answer.

        deadline: on the clock of `anyio.current_time()`. criteria: instead of the panel's, all of one weight.

        Raises:
            NoExpertLeft: no judge said anything that can be used in time.

        """
        asked = self._as_asked(panel, criteria)
        sheet = Sheet(asked.criteria)

        async def one(ask: Ask) -> tuple[Scores, float]:
            return await ask(sheet.scoring(query, answer), sheet.scores), 1.0

        return await self._judged(asked, one, deadline=deadline, steady=False)

    async def prefer(
        self,
        panel: str,
        query: str,
        answers: tuple[str, str],
        *,
        deadline: float,
        criteria: Mapping[str, str] | None = None,
    ) -> Judged:
        """How much a panel prefers the first of two answers, each judge asked in both orders; see `grade`.

        A judge that prefers whichever stands first says nothing: its two preferences add up to a half.
        """
        asked = self._as_asked(panel, criteria)
        sheet = Sheet(asked.criteria)
        first, second = answers

        async def one(ask: Ask) -> tuple[Scores, float]:
            ahead = await ask(sheet.preferring(query, first, second), sheet.liking)
            behind = await ask(sheet.preferring(query, second, first), sheet.liking)
            same = sum(ahead[name] == 1 - behind[name] for name in ahead) / len(ahead)
            return {name: (ahead[name] + 1 - behind[name]) / 2 for name in ahead}, same

        return await self._judged(asked, one, deadline=deadline, steady=True)

    def _as_asked(self, panel: str, criteria: Mapping[str, str] | None) -> Panel:
        known = self._panels[panel]
        return known if criteria is None else known.model_copy(update={"criteria": dict(criteria), "weights": {}})

    async def _judged(
        self, panel: Panel, one: Callable[[Ask], Awaitable[tuple[Scores, float]]], *, deadline: float, steady: bool
    ) -> Judged:
        said: dict[str, tuple[Scores, float]] = {}
        errors: dict[str, ExpertError] = {}
        attempts: list[Attempt] = []

        async def hear(judge: str) -> None:
            try:
                await self._registry.start(judge)
                said[judge] = await one(self._asking(judge, deadline, attempts))
            except ExpertError as error:
                errors[judge] = error
            except ValueError as error:
                errors[judge] = ExpertFailed(judge, f"its reply cannot be used: {error}")

        with anyio.move_on_at(deadline):
            async with anyio.create_task_group() as group:
                for judge in panel.judges:
                    group.start_soon(hear, judge)
        late = [judge for judge in panel.judges if judge not in {*said, *errors}]
        errors |= {judge: ExpertTimeout(judge, "said nothing in time") for judge in late}
        if not said:
            raise NoExpertLeft([errors[judge] for judge in panel.judges])
        heard = [judge for judge in panel.judges if judge in said]
        return Judged(
            judges={judge: said[judge][0] for judge in heard},
            failed={judge: str(errors[judge]) for judge in panel.judges if judge in errors},
            steady={judge: said[judge][1] for judge in heard} if steady else {},
            weights=panel.shares,
            attempts=tuple(attempts),
        )

    def _asking(self, judge: str, deadline: float, attempts: list[Attempt]) -> Ask:
        async def once(asked: ChatRequest) -> Draft:
            return await call(self._registry, judge, asked, Relay(nowhere, deadline), role="score", attempts=attempts)

        async def ask(wanted: Wanted, read: Read) -> dict[str, float]:
            request = ChatRequest(body={"messages": []}, deadline=deadline)
            found, _ = await checked_reply(wanted, read, ask=once, request=request)
            return found

        return ask
