"""Puts every case before its panel, and before the same judges for one score. Whatever they do, each case has a result.

A panel that goes by scores grades every answer; one that goes by pairs compares every pair of different gold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import anyio

from eval.suites.judges.cases import Case
from eval.suites.pipeline.questions import text_sent
from orchestrator.config.panels import Panel
from orchestrator.errors import NoExpertLeft
from orchestrator.judging import OVERALL, Judged, Judges

__all__ = ["Heard", "Place", "Progress", "hear_all"]

Progress: TypeAlias = Callable[[str, int, int], None]
Place: TypeAlias = tuple[int, ...]
"""Of an answer in its case, or of two: the better one first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What was said of a case, by what was judged; None where no judge said anything.

    panel: by the panel's criteria. one_score: by the same judges, for one score or one preference. failed: by what no
    judge said anything of, why.
    """

    case: Case
    panel: dict[Place, Judged | None] = field(default_factory=dict)
    one_score: dict[Place, Judged | None] = field(default_factory=dict)
    failed: dict[Place, str] = field(default_factory=dict)


async def hear_all(
    judges: Judges,
    panels: Mapping[str, Panel],
    cases: Sequence[Case],
    *,
    deadline_s: float,
    concurrency: int,
    progress: Progress,
) -> list[Heard]:
    """In the order of the cases, `concurrency` answers or pairs under way at a time, each within `deadline_s`."""
    heard = [Heard(case=case) for case in cases]
    jobs = [(one, place) for one in heard for place in _places(one.case, panels[one.case.panel])]
    waiting: Iterator[tuple[Heard, Place]] = iter(jobs)
    done = 0

    async def work() -> None:
        nonlocal done
        for one, place in waiting:
            one.panel[place] = await _asked(judges, one, place, None, deadline_s)
            one.one_score[place] = await _asked(judges, one, place, OVERALL, deadline_s)
            done += 1
            progress("judging", done, len(jobs))

    async with anyio.create_task_group() as group:
        for _ in range(min(concurrency, len(jobs))):
            group.start_soon(work)
    return heard


def _places(case: Case, panel: Panel) -> list[Place]:
    return list(case.pairs) if panel.by == "pairs" else [(at,) for at in range(len(case.texts))]


async def _asked(
    judges: Judges, one: Heard, place: Place, criteria: Mapping[str, str] | None, deadline_s: float
) -> Judged | None:
    case, deadline = one.case, anyio.current_time() + deadline_s
    query, texts = text_sent(case.record), [case.texts[at] for at in place]
    try:
        if len(texts) == 1:
            return await judges.grade(case.panel, query, texts[0], deadline=deadline, criteria=criteria)
        return await judges.prefer(case.panel, query, (texts[0], texts[1]), deadline=deadline, criteria=criteria)
    except NoExpertLeft as error:
        one.failed[place] = "; ".join(f"{failure.expert}: {failure}" for failure in error.failures)
        return None
