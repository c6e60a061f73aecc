"""From graded outcomes and a configuration to a learned mapping: whose budget, which experts, which categories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from orchestrator.config import Config
from routers.errors import InfeasibleBudget, TrainingError
from routers.fusion.recorded import candidates, verdict_name
from routers.manifest import MappingPart
from routers.mapping.graded import Graded, GradedSet, graded_sha256, listed, read_graded
from routers.mapping.learn import Budget, learn_mapping
from routers.mapping.learned import Limits
from routers.mapping.shrinkage import Reals
from routers.router import Router
from routers.trained import Mapped

__all__ = ["graded_of", "learned_from", "limits_of", "sizes_of", "unknown_names", "why_learn"]

KEYS = {"cost_per_query_usd": "budget.cost_per_query", "active_params_b": "budget.active_params_b"}
"""Where a limit of the mapping stands in experts.yaml."""


def graded_of(config: Config, file: Path | None = None) -> GradedSet | None:
    """The graded outcomes of `file` or else of `routing.scores`; None where the configuration names none.

    Raises:
        TrainingError: the file cannot be read, has malformed lines, unknown experts or categories, or does not say
            what the budget limits.

    """
    path = file if file is not None else config.routing.scores and config.path(config.routing.scores)
    if path is None:
        return None
    graded = read_graded(path)
    problems = [problem for line in graded.lines for problem in unknown_names(config, line)]
    if not problems:
        problems = _unsaid(config, path, graded.lines)
    if problems:
        raise TrainingError(listed(problems))
    return graded


def learned_from(config: Config, graded: GradedSet, router: Router, *, seed: int = 0) -> Mapped:
    """The mapping that graded outcomes teach within the configuration's budget.

    router: predicts the category of queries that have none.

    Raises:
        TrainingError: the outcomes cannot be learned from.
        InfeasibleBudget: no mapping keeps within the budget; names the key, and the nearest value that would do.

    """
    experts = _graded_experts(config, graded.lines)
    scores, costs = _tables(experts, graded.lines)
    categories = _categories(graded.lines, router)
    fused = candidates(graded.lines, categories, experts, scores, most=config.fusion.max_drafts, seed=seed)
    sizes = sizes_of(config)
    limits = limits_of(config)
    try:
        learned = learn_mapping(
            categories,
            experts,
            scores,
            costs_usd=None if np.isnan(costs).all() else costs,
            active_params_b=[sizes[expert] for expert in experts] if sizes.keys() >= set(experts) else None,
            budget=Budget(cost_per_query_usd=limits.cost_per_query_usd, active_params_b=limits.active_params_b),
            fuse_columns=fused,
            seed=seed,
        )
    except InfeasibleBudget as error:
        raise _in_keys(error) from error
    return Mapped(
        learned=learned,
        data_sha256=graded.sha256,
        active_params_b=sizes,
        max_drafts=config.fusion.max_drafts if _tells_of_fusion(graded.lines) else None,
    )


def why_learn(config: Config, part: MappingPart | None) -> str:
    """Why the mapping has to be learned anew, by what the artifact says of it; empty where it fits.

    Without `routing.scores` any mapping fits: it was learned from a file that the configuration does not know.

    Raises:
        TrainingError: the file of graded outcomes cannot be read.

    """
    if config.routing.scores is None:
        return ""
    if part is None:
        return "no mapping was learned from routing.scores"
    if part.data_sha256 != graded_sha256(config.path(config.routing.scores)):
        return "the graded outcomes have changed"
    if (part.budget, part.active_params_b) != (limits_of(config), sizes_of(config)):
        return "the budget or the experts' active_params_b have changed"
    if part.max_drafts not in {None, config.fusion.max_drafts}:
        return "fusion.max_drafts has changed"
    return ""


def limits_of(config: Config) -> Limits:
    """What a mapping may cost."""
    budget = config.budget
    return Limits(cost_per_query_usd=budget.cost_per_query, active_params_b=budget.active_params_b)


def sizes_of(config: Config) -> dict[str, float]:
    """Billions of active parameters, by expert, where known."""
    blocks = config.experts.items()
    return {expert: block.active_params_b for expert, block in blocks if block.active_params_b is not None}


def _graded_experts(config: Config, lines: Sequence[Graded]) -> list[str]:
    """Those of whom there is a grade, in the order of the configuration."""
    graded = {expert for line in lines for expert in line.outcomes}
    return [expert for expert in config.experts if expert in graded]


def _tables(experts: Sequence[str], lines: Sequence[Graded]) -> tuple[Reals, Reals]:
    """Scores and costs in USD, float64 [n, e], NaN where not known."""
    position = {expert: column for column, expert in enumerate(experts)}
    scores = np.full((len(lines), len(experts)), np.nan)
    costs = np.full((len(lines), len(experts)), np.nan)
    for row, line in enumerate(lines):
        for expert, grade in line.outcomes.items():
            scores[row, position[expert]] = grade.score
            if grade.cost_usd is not None:
                costs[row, position[expert]] = grade.cost_usd
    return scores, costs


def _categories(lines: Sequence[Graded], router: Router) -> list[str]:
    """The category of each line; where it has none, the one that the router would send its query to."""
    queries = [line.query or "" for line in lines if line.category is None]
    routed = iter(router.classify(queries) if queries else ())
    return [line.category if line.category is not None else next(routed).category for line in lines]


def _tells_of_fusion(lines: Sequence[Graded]) -> bool:
    """Whether anything can be learned of fuse plans."""
    return any(line.fused or any(grade.answer is not None for grade in line.outcomes.values()) for line in lines)


def unknown_names(config: Config, line: Graded) -> list[str]:
    """One printable line for each category and expert that the configuration does not have."""
    problems = []
    if line.category is not None and line.category not in config.categories:
        known = ", ".join(config.categories)
        problems.append(f"{line.source}: category {line.category!r} is unknown; known: {known}")
    problems += [
        f"{line.source}: outcomes: expert {expert!r} is unknown; known: {', '.join(config.experts)}"
        for expert in line.outcomes
        if expert not in config.experts
    ]
    for fused in line.fused:
        named = (*fused.experts, *([fused.verdict] if fused.verdict is not None else []))
        problems += [
            f"{line.source}: outcomes.fuse: expert {expert!r} is unknown; known: {', '.join(config.experts)}"
            for expert in named
            if expert not in config.experts
        ]
    return problems


def _unsaid(config: Config, path: Path, lines: Sequence[Graded]) -> list[str]:
    """What has to be known of every graded expert, and of some is not: costs if of any, and what the budget limits.

    Of graded fuse plans too; and their experts have to be graded themselves.
    """
    experts = _graded_experts(config, lines)
    priced = {expert for line in lines for expert, grade in line.outcomes.items() if grade.cost_usd is not None}
    problems = []
    if priced or config.budget.cost_per_query is not None:
        why = "as of others; 0 if nothing" if priced else "since budget.cost_per_query is set; 0 if nothing"
        lacking = [expert for expert in experts if expert not in priced]
        lacking += sorted(_unpriced(lines))
        problems += [f"{path}: no line says what {expert!r} costs (cost_usd); say it, {why}" for expert in lacking]
    problems += _ungraded(path, lines, experts)
    if config.budget.active_params_b is not None:
        lacking = [expert for expert in experts if config.experts[expert].active_params_b is None]
        problems += [
            f"experts.{expert}.active_params_b: needed, since {expert!r} is graded and budget.active_params_b is set"
            for expert in lacking
        ]
    return problems


def _unpriced(lines: Sequence[Graded]) -> set[str]:
    """The graded fuse plans whose whole cost stands in no line: of a verdict nothing can be added up."""
    every = [(verdict_name(fused), fused.grade.cost_usd) for line in lines for fused in line.fused]
    return {name for name, _ in every} - {name for name, cost in every if cost is not None}


def _ungraded(path: Path, lines: Sequence[Graded], experts: Sequence[str]) -> Iterator[str]:
    """Who drafts in a graded fuse plan and was never graded alone: nothing could be compared."""
    drafting = dict.fromkeys(expert for line in lines for fused in line.fused for expert in fused.experts)
    for expert in drafting:
        if expert not in experts:
            yield f"{path}: {expert!r} drafts in a fuse plan; no line says what it scores alone"


def _in_keys(error: InfeasibleBudget) -> InfeasibleBudget:
    """The same in the words of experts.yaml."""
    problems = []
    for problem in error.problems:
        name, colon, rest = problem.partition(":")
        problems.append(KEYS.get(name, name) + colon + rest)
    nearest = {KEYS.get(name, name): least for name, least in error.nearest.items()}
    return InfeasibleBudget(problems, nearest=nearest, together=error.together)
