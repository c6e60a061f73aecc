"""Agreement by outcome: whether the drafts' code does the same, when a tool of the configuration runs it.

Nothing is run here: the expert `judge` is a tool with a sandbox of its own, and is given the code as its query; what it
runs it against (tests, inputs) is the tool's to know. What comes back is compared as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import anyio
import numpy as np

from orchestrator import clock
from orchestrator.config.fusion import Rule
from orchestrator.errors import ExpertError
from orchestrator.fleet.registry import Registry
from orchestrator.stages.agreement.measure import Agreed, NotMeasured
from orchestrator.stages.agreement.scoring import SCORE_SHARE
from orchestrator.stages.draft import Relay, call, nowhere
from orchestrator.trace import Trace
from orchestrator.types import ChatRequest, Draft
from routers.fusion.answers import code_of

__all__ = ["ByOutcome"]

FEWEST = 2
"""Outcomes that there must be to compare any."""
MOST_SHOWN = 2000
"""Characters of an outcome that are compared, and stand in the decision."""


class ByOutcome:
    """A draft without code, or whose code the tool could not run, agrees with no other one."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def agreed(self, drafts: Sequence[Draft], request: ChatRequest, trace: Trace, *, rule: Rule) -> Agreed:
        """See `Measure`; every draft's code is run at once, within a share of the time left."""
        if rule.judge is None:
            raise NotMeasured("fusion.judge names nobody")
        limited = replace(request, deadline=clock.now() + request.left_s * SCORE_SHARE)
        outcomes: list[str | None] = [None] * len(drafts)

        async def run(at: int, code: str, tool: str) -> None:
            asked = replace(limited, body={"messages": [{"role": "user", "content": code}]}, report=None)
            outcomes[at] = await self._ran(tool, asked, trace)

        with anyio.move_on_at(limited.deadline):
            async with anyio.create_task_group() as group:
                for at, draft in enumerate(drafts):
                    if (code := code_of(draft.text)) is not None:
                        group.start_soon(run, at, code, rule.judge)
        known = sum(outcome is not None for outcome in outcomes)
        if known < FEWEST:
            raise NotMeasured(f"{known} of {len(drafts)} drafts have code that {rule.judge!r} could run")
        same = np.array([[one is not None and one == other for other in outcomes] for one in outcomes])
        by_expert = dict(zip([draft.expert for draft in drafts], outcomes, strict=True))
        return Agreed.by_pairs("outcome", same.astype(np.float64), same=same, answers=by_expert)

    async def _ran(self, tool: str, asked: ChatRequest, trace: Trace) -> str | None:
        """What the tool says of one code; None where it could not run it."""
        with trace.expert_at_work() as watch:
            try:
                await self._registry.start(tool)
                relay = Relay(nowhere, asked.deadline, watch=watch)
                found = await call(self._registry, tool, asked, relay, role="score", attempts=trace.attempts)
            except ExpertError:
                return None
        return " ".join(found.text.split())[:MOST_SHOWN]
