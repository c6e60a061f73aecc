"""Asks several retrievers for passages, and makes one list of what they find. Knows no surface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from orchestrator.errors import ExpertError
from orchestrator.experts import Searcher
from orchestrator.types import Passage
from routers.retrievers.arms import blended

if TYPE_CHECKING:
    from orchestrator.fleet.registry import Registry

__all__ = ["by_rank", "by_score", "gathered"]


async def gathered(
    registry: Registry, query: str, experts: Sequence[str], *, top_k: int, deadline_s: float
) -> tuple[dict[str, list[Passage]], dict[str, str]]:
    """The passages of each retriever that answered in time, and why the others did not."""
    found: dict[str, list[Passage]] = {}
    failed: dict[str, str] = {}

    async def one(expert: str) -> None:
        try:
            await registry.start(expert)
            searcher = registry[expert]
            if isinstance(searcher, Searcher):
                found[expert] = list(await searcher.search(query, top_k=top_k))
        except ExpertError as error:
            failed[expert] = str(error)

    with anyio.move_on_after(deadline_s):
        async with anyio.create_task_group() as group:
            for expert in experts:
                group.start_soon(one, expert)
    late = {expert: "no answer in time" for expert in experts if expert not in found | failed}
    return found, failed | late


def by_rank(lists: Sequence[Sequence[Passage]]) -> list[Passage]:
    """All passages by their own ranks, those of equal rank in the order of the lists."""
    return sorted((passage for passages in lists for passage in passages), key=lambda passage: passage.rank)


def by_score(lists: Sequence[Sequence[Passage]]) -> list[Passage]:
    """One ranking of all passages, as `routers.retrievers.arms.blended` has it; a single list stays as it is."""
    if len(lists) == 1:
        return list(lists[0])
    known: dict[str, Passage] = {}
    for passages in lists:
        for passage in passages:
            known.setdefault(_key(passage), passage)
    scored = blended([[(_key(passage), passage.score) for passage in passages] for passages in lists])
    return [replace(known[key], rank=rank, score=score) for rank, (key, score) in enumerate(scored, start=1)]


def _key(passage: Passage) -> str:
    """The same for what two retrievers of one corpus find alike."""
    return f"{passage.document}\0{passage.start}\0{passage.end}"
