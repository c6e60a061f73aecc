"""The suite `episodes`: what a policy earns in the evaluation environment.

The same seed gives every policy the same episodes, so that two policies are compared in pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from eval.datasets import DataError, Dataset
from eval.environment import Environment, Rules
from eval.findings import Findings, PerQuery
from eval.metrics import UNDEFINED, Figure, Resampling
from eval.metrics.arrays import Reals
from eval.runs import describe, notes_of
from eval.trajectory import Policy, Progress, Trajectory, fixed, random_expert, run_episodes

__all__ = ["judge_episodes", "policy_of"]

FIGURES: Mapping[str, str] = MappingProxyType(
    {
        "episode_return": "return",
        "episode_score": "score",
        "episode_cost_usd": "cost_usd",
        "episode_latency_s": "latency_s",
        "episode_steps": "steps",
    }
)
NOTES = (
    "n counts episodes; they share records, so the intervals say how far episodes differ, not how other queries would",
    "outcomes are the recorded ones: no expert was asked",
)


def policy_of(name: str, experts: Sequence[str]) -> Policy:
    """`random`, `abstain`, `expert:ID` or `fuse:ID,ID`; raises DataError for anything else."""
    kind, _, argument = name.partition(":")
    chosen = tuple(part.strip() for part in argument.split(","))
    match kind:
        case "random" if not argument:
            return random_expert(experts)
        case "abstain" if not argument:
            return fixed(None)
        case "expert" if argument in experts:
            return fixed(argument)
        case "fuse" if len(set(chosen)) > 1 and set(chosen) <= set(experts):
            return fixed(chosen)
        case _:
            forms = "random, abstain, expert:ID or fuse:ID,ID"
            raise DataError([f"--policy {name}: expected {forms}; experts are {', '.join(experts)}"])


def judge_episodes(
    datasets: Sequence[Dataset],
    rules: Rules,
    *,
    policy: str,
    episodes: int,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[Findings, Trajectory]:
    """Play the episodes: figures over them, and everything that happened.

    Raises:
        DataError: data that these rules cannot be played on, or a policy that is none.
    """
    chooses = policy_of(policy, Environment(datasets, rules).experts)
    trajectory = run_episodes(datasets, rules, chooses, name=policy, episodes=episodes, seed=seed, progress=progress)
    played = trajectory.episodes
    columns = {figure: _column(played, key) for figure, key in FIGURES.items()}
    header = trajectory.lines[0]
    findings = Findings(
        suite="episodes",
        run=describe(datasets, seed=seed, policy=policy, episodes=episodes, rules=header["rules"]),
        figures={name: _mean(column, seed=seed) for name, column in columns.items()},
        queries=PerQuery(ids=tuple(f"episode {line['episode']}" for line in played), values=columns),
        notes=(*notes_of(datasets), _reward_told(rules), *NOTES),
    )
    return findings, trajectory


def _reward_told(rules: Rules) -> str:
    return f"the reward of a query is its score less {rules.cost_weight:g} times its cost in USD; abstaining earns 0"


def _column(played: Sequence[Mapping[str, Any]], key: str) -> Reals:
    return np.array([line[key] for line in played], dtype=np.float64)


def _mean(column: Reals, *, seed: int) -> Figure:
    """UNDEFINED where an episode has no such value: costs that are not recorded are not 0."""
    return UNDEFINED if np.isnan(column).any() else Resampling(len(column), seed=seed).mean(column)
