"""Agreement by answer: whether the drafts' answers are the same, once they are read out of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from anyio import to_thread

from orchestrator.config.fusion import Rule
from orchestrator.stages.agreement.measure import Agreed, NotMeasured
from orchestrator.trace import Trace
from orchestrator.types import ChatRequest, Draft
from routers.fusion.answers import Answer, AnswerKind, answer_of, same_answer

__all__ = ["ByAnswer"]

FEWEST = 2
"""Answers that there must be to compare any."""
_SLOW = frozenset({"number", "code"})
"""Kinds that are read in a thread: units take some tenths of a second to load, code takes as long as it is."""


class ByAnswer:
    """Asks nobody. A draft without an answer agrees with no other one."""

    async def agreed(self, drafts: Sequence[Draft], request: ChatRequest, trace: Trace, *, rule: Rule) -> Agreed:  # noqa: ARG002 - as every measure
        """See `Measure`."""
        texts = [draft.text for draft in drafts]
        if rule.answer in _SLOW:
            answers = await to_thread.run_sync(_read, texts, rule.answer)
        else:
            answers = _read(texts, rule.answer)
        known = [answer for answer in answers if answer is not None]
        if len(known) < FEWEST:
            raise NotMeasured(f"{len(known)} of {len(drafts)} drafts have an answer that can be read ({rule.answer})")
        same = np.array([[a is not None and b is not None and same_answer(a, b) for b in answers] for a in answers])
        shown = [None if answer is None else answer.shown for answer in answers]
        by_expert = dict(zip([draft.expert for draft in drafts], shown, strict=True))
        return Agreed.by_pairs("answer", same.astype(np.float64), same=same, answers=by_expert)


def _read(texts: Sequence[str], kind: AnswerKind) -> list[Answer | None]:
    return [answer_of(text, kind) for text in texts]
