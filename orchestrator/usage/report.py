"""What a usage file tells: drift, missing categories, the experts' health. Reads the file anew, from its beginning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import yaml

from orchestrator.config import Config
from orchestrator.usage.alert import Alert
from orchestrator.usage.lines import DecisionLine, UsageSet
from orchestrator.usage.watch import UsageWatch
from routers.embedding import Embedder
from routers.examples import Example
from routers.usage.health import Health, Use, health_of
from routers.usage.proposals import GatedQuery, Proposal, propose

__all__ = ["UsageReport", "as_yaml", "report_of"]

BACKGROUND = 500
"""Examples of all categories, by which it is measured how near is near."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """gated: queries that the gate sent away; with_text: those of them of which the text was kept."""

    decisions: int
    feedback: int
    unreadable: tuple[str, ...]
    gated: int
    with_text: int
    alerts: tuple[Alert, ...]
    proposals: tuple[Proposal, ...]
    health: Health

    def as_dict(self) -> dict[str, Any]:
        """For scripts."""
        return {
            **{key: getattr(self, key) for key in ("decisions", "feedback", "gated", "with_text")},
            "unreadable": list(self.unreadable),
            "alerts": [alert.model_dump(mode="json") for alert in self.alerts],
            "proposals": [
                {key: value for key, value in asdict(proposal).items() if key != "members"}
                for proposal in self.proposals
            ],
            "health": asdict(self.health),
        }


def report_of(
    usage: UsageSet, config: Config, *, examples: Sequence[Example], embedder: Callable[[], Embedder]
) -> UsageReport:
    """Everything that the file tells.

    examples: what the router learns from. embedder: loaded only where there are gated queries to compare.
    """
    gated = [line for line in usage.decisions.values() if line.gate is not None]
    uses = [_use(line, scores) for line, scores in _with_scores(usage) if line.method not in {"bypass", "override"}]
    learned = Counter(example.category for example in examples)
    plans = {name: block.experts for name, block in config.categories.items()}
    return UsageReport(
        decisions=len(usage.decisions),
        feedback=len(usage.feedback),
        unreadable=usage.unreadable,
        gated=len(gated),
        with_text=sum(line.query is not None for line in gated),
        alerts=_alerts(usage),
        proposals=_proposals(usage, config, examples, embedder),
        health=health_of(
            uses, plans=plans, examples={name: learned[name] for name in config.categories if name != config.general}
        ),
    )


def as_yaml(proposals: tuple[Proposal, ...], config: Config) -> str:
    """Blocks to paste under `categories`; the experts are those of the nearest category, to begin with."""
    blocks = {
        proposal.name: {
            "description": f"about {', '.join(proposal.words)}" if proposal.words else "say what belongs here",
            "examples": list(proposal.examples),
            "experts": list(_nearest(proposal, config)),
        }
        for proposal in proposals
    }
    text = yaml.safe_dump(blocks, allow_unicode=True, sort_keys=False, width=10_000)
    return "".join(f"  {line}\n" for line in text.splitlines())


def _nearest(proposal: Proposal, config: Config) -> tuple[str, ...]:
    return config.categories[proposal.nearest if proposal.nearest in config.categories else config.general].experts


def _alerts(usage: UsageSet) -> tuple[Alert, ...]:
    watch = UsageWatch()
    alerts = [alert for line in usage.decisions.values() for alert in watch.decision(line)]
    for line in usage.feedback.values():
        decision = usage.decisions.get(line.decision)
        alerts += watch.feedback(line, category=decision.category if decision else None)
    return tuple(sorted(alerts, key=lambda alert: alert.raised))


def _proposals(
    usage: UsageSet, config: Config, examples: Sequence[Example], embedder: Callable[[], Embedder]
) -> tuple[Proposal, ...]:
    """From the gated queries of which the text was kept; those whose category was told are no riddle any more."""
    told = usage.corrected()
    riddles = [
        GatedQuery(line.query, line.top)
        for line in usage.decisions.values()
        if line.gate is not None and line.query and line.id not in told
    ]
    if not riddles:
        return ()
    embeds = embedder()
    every = max(1, len(examples) // BACKGROUND)
    background = embeds.embed([example.query for example in examples[::every]])
    vectors = embeds.embed([query.text for query in riddles])
    return tuple(propose(riddles, vectors, background=background, taken=config.categories))


def _with_scores(usage: UsageSet) -> list[tuple[DecisionLine, Mapping[str, float]]]:
    scores = usage.scores()
    return [(line, scores.get(line.id, {})) for line in usage.decisions.values()]


def _use(line: DecisionLine, scores: Mapping[str, float]) -> Use:
    calls = Counter((call.expert, call.outcome) for call in line.calls)
    tried = tuple(dict.fromkeys(call.expert for call in line.calls))
    return Use(
        category=line.category or "",
        tried=tried,
        expert=line.expert,
        answered={
            expert: calls[expert, "answered"] > 0
            for expert in tried
            if calls[expert, "answered"] or calls[expert, "failed"]
        },
        scores=scores,
    )
