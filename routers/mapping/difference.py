"""What changed between two learned mappings, in lines that a person reads."""

from __future__ import annotations

from collections.abc import Iterator

from routers.mapping.learned import LearnedMapping
from routers.mapping.plan import Plan

__all__ = ["diff"]


def diff(old: LearnedMapping, new: LearnedMapping) -> list[str]:
    """One line a change, none where nothing changed; plans first.

    A score is a change where it left the other's 95 % interval, both ways.
    """
    return [*_general(old, new), *_plans(old, new), *_names(old, new), *_scores(old, new)]


def _general(old: LearnedMapping, new: LearnedMapping) -> Iterator[str]:
    if old.best_single != new.best_single:
        yield f"best single expert: {old.best_single} -> {new.best_single}"
    if old.fallback != new.fallback:
        yield f"categories not learned: {_text(old.fallback)} -> {_text(new.fallback)}"
    for name, limit in new.budget.model_dump().items():
        before = getattr(old.budget, name)
        if before != limit:
            yield f"budget {name}: {_limit(before)} -> {_limit(limit)}"


def _plans(old: LearnedMapping, new: LearnedMapping) -> Iterator[str]:
    for category in dict.fromkeys([*old.categories, *new.categories]):
        before, after = _text(old.plans.get(category)), _text(new.plans.get(category))
        if before != after:  # weights of votes alone are no change to read about
            yield f"category {category}: {before} -> {after}"


def _names(old: LearnedMapping, new: LearnedMapping) -> Iterator[str]:
    yield from (f"expert {expert}: new" for expert in new.experts if expert not in old.experts)
    yield from (f"expert {expert}: gone" for expert in old.experts if expert not in new.experts)
    yield from (f"fuse plan {name}: new" for name in new.fused if name not in old.fused)
    yield from (f"fuse plan {name}: gone" for name in old.fused if name not in new.fused)


def _scores(old: LearnedMapping, new: LearnedMapping) -> Iterator[str]:
    for category, row in new.cells.items():
        for column, after in row.items():
            before = old.cells.get(category, {}).get(column)
            if before is not None and before.moved_to(after):
                yield f"score of {column} in {category}: {before.text()} -> {after.text()}"


def _text(plan: Plan | None) -> str:
    if plan is None:
        return "none"
    if plan.kind == "fuse":
        how = "vote" if plan.weights else f"verdict by {plan.verdict}" if plan.verdict else "verdict"
        return f"fuse {' + '.join(plan.experts)} ({how})"
    chosen, *others = plan.experts
    return f"{chosen} (then {', '.join(others)})" if others else chosen


def _limit(limit: float | None) -> str:
    return "none" if limit is None else f"{limit:g}"
