"""Routing as episodes: a query is seen, an expert is chosen, a reward comes back. Replays recorded outcomes.

`reset` and `step` have the shape of gymnasium's API, so that what is written for it can be put around this in a few
lines; gymnasium itself is not needed, since queries are texts and fit none of its spaces. No expert is asked: what each
would have scored, cost and taken stands in the data, and so an episode can be played again to the byte. A live
pipeline, whose answers differ from run to run, is judged by the suite `pipeline` instead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

import numpy as np

from eval.datasets import DataError, Dataset, Record
from eval.runs import query_ids
from routers.fusion import ballots_of, winners

__all__ = ["Action", "ActionError", "Environment", "Info", "Observation", "Rules"]

Action: TypeAlias = str | tuple[str, ...] | None
"""An expert's id; several, to fuse their drafts; None to abstain."""
Info: TypeAlias = dict[str, Any]
ABSTAINED = (0.0, 0.0, 0.0)


class ActionError(ValueError):
    """Not an action that can be taken here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What an episode is.

    length: queries of an episode, each another record. cost_weight: lambda, the score that one USD is worth; the
    reward of a step is its score less lambda times its cost. budget_usd: of an episode, None for no limit; the step
    that uses it up is the last one. show_category: whether the true category is observed. experts: that can be chosen;
    empty for all that have an outcome in every record.
    """

    length: int = 10
    cost_weight: float = 0.0
    budget_usd: float | None = None
    show_category: bool = False
    experts: tuple[str, ...] = ()

    @property
    def priced(self) -> bool:
        """Whether costs count."""
        return self.cost_weight > 0 or self.budget_usd is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a policy sees before it acts.

    category: None unless the rules show it. left: queries of the episode still to be answered, this one included; 0
    after the last step, where the query is empty. remaining_usd: of the budget, None without one.
    """

    query: str
    options: tuple[str, ...] = ()
    category: str | None = None
    left: int
    remaining_usd: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "options": list(self.options)}


@dataclass(slots=True)
class _Episode:
    """The state of an episode under way. rows: positions of its records; at: how many are done."""

    seed: int
    rows: Sequence[int]
    at: int = 0
    spent_usd: float = 0.0
    over: bool = field(default=False)


class Environment:
    """Episodes over the recorded outcomes of data sets.

    Raises:
        DataError: too few records, no expert with an outcome in all of them, or costs that count and are not there.
    """

    def __init__(self, datasets: Sequence[Dataset], rules: Rules) -> None:
        self._records = [record for dataset in datasets for record in dataset.records]
        self._ids = query_ids(datasets)
        self.experts = rules.experts or _common(self._records)
        self.rules = rules
        self._episode: _Episode | None = None
        _check(self._records, rules, self.experts)

    def reset(self, seed: int) -> tuple[Observation, Info]:
        """A new episode: `length` records drawn by the seed without replacement.

        info: experts (those that can be chosen) and seed.
        """
        drawn = np.random.default_rng(seed).permutation(len(self._records))[: self.rules.length]
        self._episode = _Episode(seed=seed, rows=[int(row) for row in drawn])
        return self._observed(self._episode), {"experts": list(self.experts), "seed": seed}

    def step(self, action: Action) -> tuple[Observation, float, bool, bool, Info]:
        """The next observation, the reward, terminated, truncated, and info on the query that was acted on.

        terminated: all queries are done. truncated: the budget was used up before that. Abstaining scores 0 and costs
        nothing. Several experts: the answer that most of their drafts give counts, ties drawn by the episode's seed;
        their costs add up, and the slowest is waited for. (What a verdict would cost is not recorded.)
        info: id, score, cost_usd, latency_s (None where not recorded), spent_usd of the episode.

        Raises:
            ActionError: an expert that cannot be chosen, or no drafts to fuse.
            RuntimeError: before `reset`, or after the end of the episode.
        """
        episode = self._episode
        if episode is None or episode.over:
            message = "the episode has ended; call reset"
            raise RuntimeError(message)
        row = episode.rows[episode.at]
        score, cost, latency = self._taken(self._records[row], action, seed=f"{episode.seed}\0{self._ids[row]}")
        reward = score - self.rules.cost_weight * cost if self.rules.cost_weight else score
        episode.at += 1
        episode.spent_usd += cost
        terminated = episode.at == len(episode.rows)
        budget = self.rules.budget_usd
        truncated = not terminated and budget is not None and episode.spent_usd >= budget
        episode.over = terminated or truncated
        info: Info = {
            "id": self._ids[row],
            "score": score,
            "cost_usd": _known(cost),
            "latency_s": _known(latency),
            "spent_usd": _known(episode.spent_usd),
        }
        return self._observed(episode), reward, terminated, truncated, info

    def _observed(self, episode: _Episode) -> Observation:
        budget = self.rules.budget_usd
        remaining = None if budget is None else max(0.0, budget - episode.spent_usd)
        if episode.over:
            return Observation(query="", left=0, remaining_usd=remaining)
        record = self._records[episode.rows[episode.at]]
        return Observation(
            query=record.query,
            options=record.options,
            category=record.category if self.rules.show_category else None,
            left=len(episode.rows) - episode.at,
            remaining_usd=remaining,
        )

    def _taken(self, record: Record, action: Action, *, seed: str) -> tuple[float, float, float]:
        """Score, cost in USD and latency in seconds; NaN for what is not recorded."""
        if action is None:
            return ABSTAINED
        chosen = (action,) if isinstance(action, str) else action
        unknown = [expert for expert in chosen if expert not in self.experts]
        if unknown or not chosen or len(set(chosen)) < len(chosen):
            known = ", ".join(self.experts)
            raise ActionError(f"{action!r} is not an expert or several different ones of {known}")
        outcomes = [record.outcomes[expert] for expert in chosen]
        cost = math.fsum(_or_nan(outcome.cost_usd) for outcome in outcomes)
        latency = float(np.max([_or_nan(outcome.latency_s) for outcome in outcomes]))
        score = outcomes[0].score if len(chosen) == 1 else _fused(record, chosen, seed=seed)
        return score, cost, latency


def _fused(record: Record, experts: Sequence[str], *, seed: str) -> float:
    """The score of the answer that most drafts give: what those who gave it were scored; 0 where none gave any."""
    if missing := [expert for expert in experts if expert not in record.drafts]:
        raise ActionError(f"{record.source or record.id}: no draft of {', '.join(missing)}, so nothing can be fused")
    ballots = ballots_of([[record.drafts[expert].answer for expert in experts]], [seed])
    winner = int(winners(ballots, np.ones(len(experts)))[0])
    return record.outcomes[experts[winner]].score if winner >= 0 else 0.0


def _common(records: Sequence[Record]) -> tuple[str, ...]:
    if not records:
        return ()
    return tuple(expert for expert in records[0].outcomes if all(expert in record.outcomes for record in records))


def _check(records: Sequence[Record], rules: Rules, experts: Sequence[str]) -> None:
    problems: list[str] = []
    if not 1 <= rules.length <= len(records):
        problems.append(f"episodes of {rules.length} queries cannot be drawn from {len(records)} records")
    if not experts:
        problems.append("no expert has an outcome in every record; name some, or leave records out")
    for expert in experts:
        lacking = [record for record in records if expert not in record.outcomes]
        costless = [record for record in records if expert in record.outcomes and _costless(record, expert)]
        if lacking:
            problems.append(f"{lacking[0].source}: no outcome of {expert!r} ({len(lacking)} records lack it)")
        elif rules.priced and costless:
            problems.append(f"{costless[0].source}: no cost of {expert!r}, and costs count ({len(costless)} lack it)")
    if problems:
        raise DataError(problems)


def _costless(record: Record, expert: str) -> bool:
    return record.outcomes[expert].cost_usd is None


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
