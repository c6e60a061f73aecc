"""What a search through the retriever experts comes to: the same for REST and for agents. Knows no HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from orchestrator.errors import ExpertError, InvalidRequest, NoExpertLeft, RequestError
from orchestrator.searching import by_rank, by_score, gathered
from orchestrator.wire import Citation, citation
from routers.retrievers.arms import DEPTH, Arm

if TYPE_CHECKING:  # its import takes longer than agents should wait to be greeted
    from orchestrator.engine import Engine
    from orchestrator.fleet.registry import Registry

__all__ = ["Found", "found_passages"]


class Found(BaseModel):
    """Passages, best first; `failed` names the retrievers that could not be asked, `experts` all that were chosen."""

    model_config = ConfigDict(extra="forbid")

    query: str
    passages: list[Citation]
    failed: dict[str, str]
    experts: list[str] = []


async def found_passages(
    engine: Engine, query: str, *, top_k: int, experts: Sequence[str] | None, routed: bool
) -> Found:
    """Ranked passages of these retrievers, or of all.

    routed: the router chooses among them the one, or the two whose scores are added, that it learned to be best.

    Raises:
        RequestError: there is no retriever, or nothing was learned of them.
        InvalidRequest: one of these is no retriever.
        NoExpertLeft: none of them answered.

    """
    among = _searchers(engine.registry, experts)
    arm = await _arm(engine, query, among) if routed else None
    chosen = among if arm is None else list(arm)
    depth = DEPTH if arm is not None and len(arm) > 1 else top_k
    deadline_s = engine.config.budget.deadline_s
    found, failed = await gathered(engine.registry, query, chosen, top_k=depth, deadline_s=deadline_s)
    if not found:
        raise NoExpertLeft([ExpertError(expert, reason) for expert, reason in failed.items()])
    lists = [found[expert] for expert in chosen if expert in found]
    passages = by_rank(lists) if arm is None else by_score(lists)[:top_k]
    return Found(query=query, passages=[citation(passage) for passage in passages], failed=failed, experts=chosen)


async def _arm(engine: Engine, query: str, among: list[str]) -> Arm:
    if engine.retrievers is None:
        raise RequestError("Nothing was learned of the retrievers; see 'routing.retrieval'.")
    return await engine.retrievers.arm(query, among=among)


def _searchers(registry: Registry, asked: Sequence[str] | None) -> list[str]:
    known = registry.searchers()
    if not known:
        raise RequestError("No retriever expert is configured.")
    if asked is None:
        return known
    for name in asked:
        if name not in known:
            raise InvalidRequest(f"No retriever {name!r}. Known: {', '.join(known)}.", param="experts")
    return list(dict.fromkeys(asked))
