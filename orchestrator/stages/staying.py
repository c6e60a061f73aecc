"""Whether a conversation stays with its expert: what a change gains against the conversation that is read anew.

A conversation moves when its subject moves. An expert is worth its expected score under the posterior,
U(e) = sum over c of p(c) s(c, e): s is the learned score, or, where a person ordered the experts of c, 1 for the first,
1/2 for the second and so on. It changes where U gains more than `switch_margin` and `per_1k_tokens` for each thousand
tokens of conversation that the new expert's servers have not in their prompt caches.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.config.settings import SessionSettings
from orchestrator.conversation.turns import Turn
from orchestrator.decision import Categorized, SessionSeen
from orchestrator.plans import Plans
from orchestrator.stages.price import CHARACTERS_PER_TOKEN

__all__ = ["staying", "worth"]

_ENOUGH = 0.99
"""Share of the posterior that is looked at: hundreds of categories may share the rest."""


def staying(
    expert: str,
    experts: Sequence[str],
    categorized: Categorized,
    turn: Turn,
    *,
    plans: Plans,
    settings: SessionSettings,
) -> SessionSeen:
    """What to do about a conversation that is with `expert` when the plan would ask `experts` in that order."""
    tokens = turn.characters_before // CHARACTERS_PER_TOKEN
    if not experts or experts[0] == expert:
        return SessionSeen(expert=expert, kept=True, tokens=tokens)
    gain = worth(experts[0], categorized, plans) - worth(expert, categorized, plans)
    margin = settings.switch_margin + settings.per_1k_tokens * tokens / 1000
    return SessionSeen(expert=expert, kept=gain <= margin, gain=round(gain, 6), margin=round(margin, 6), tokens=tokens)


def worth(expert: str, categorized: Categorized, plans: Plans) -> float:
    """U(e), 0 to 1; where the router said nothing, nobody is worth more than another: 0."""
    if categorized.method == "degraded":
        return 0.0
    gated = categorized.gate is not None and categorized.gate.fired is not None
    if gated or not categorized.posterior:
        return 0.0 if categorized.category is None else plans.worth(categorized.category, expert)
    total = seen = 0.0
    for row in categorized.posterior:
        total += row.probability * plans.worth(row.category, expert)
        seen += row.probability
        if seen >= _ENOUGH:
            break
    return total / seen
