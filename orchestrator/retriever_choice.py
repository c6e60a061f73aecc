"""Which retrievers a query goes to, of those that are there, by what was learned of them. Asks no retriever."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import numpy as np
import structlog
from anyio import to_thread

from orchestrator.batching import TextEmbedder
from orchestrator.config import Config
from orchestrator.decision import Categorized
from routers.embedding import Embedder, FloatArray
from routers.errors import ArtifactError
from routers.retrievers.arms import Arm
from routers.retrievers.router import ArmRouter
from routers.retrievers.stored import load_router

__all__ = ["RetrieverChoice", "choice_of", "learned_choice"]

log = structlog.get_logger()

MOST_ROUTERS = 64
"""Between different sets of arms, kept: clients may name any retrievers."""


def learned_choice(config: Config, embedder: Embedder) -> ArmRouter | None:
    """What was learned of the retrievers that are configured now; None where nothing was, or nothing is left of it.

    Raises:
        ArtifactError: damaged, or learned with another embedder.

    """
    folder = config.path(config.routing.retrievers)
    found = load_router(folder)
    if found is None:
        return None
    table, facts = found
    if facts.fingerprint != embedder.fingerprint:
        message = f"{folder}: learned on embedder {facts.embedder!r}, not on this one; run 'orchestrator train' again"
        raise ArtifactError(message)
    here = [arm for arm in table.arms if all(expert in config.experts for expert in arm)]
    return ArmRouter(table.of(here), rule=facts.rule) if here else None


def choice_of(config: Config, router: ArmRouter | None, embedder: TextEmbedder) -> RetrieverChoice | None:
    """The choice of a running service; None where nothing was learned."""
    if router is None:
        return None
    return RetrieverChoice(config, router, embedder, deadline_s=config.routing.max_latency_ms / 1000)


class RetrieverChoice:
    """Chooses within `deadline_s`, embedding included; what cannot be had in time changes no order."""

    def __init__(self, config: Config, router: ArmRouter, embedder: TextEmbedder, *, deadline_s: float) -> None:
        self._categories = config.categories
        self._router = router
        self._embedder = embedder
        self._deadline_s = deadline_s
        self._routers: dict[tuple[Arm, ...], ArmRouter] = {}

    async def arm(self, query: str, *, among: Sequence[str]) -> Arm:
        """The retriever, or the two, to ask: of `among`, where any of them are known; else all of `among`."""
        arms = tuple(arm for arm in self._router.table.arms if set(arm) <= set(among))
        best = await self._best_first(query, arms)
        return best[0] if best else tuple(among)

    async def ranked(self, query: str, categorized: Categorized) -> tuple[str, ...]:
        """The retrievers of the query's category, best first; none where there is nothing to put in order."""
        block = self._categories.get(categorized.category or "")
        if block is None or block.override or not query:
            return ()
        known = tuple((expert,) for expert in block.experts if (expert,) in self._router.table.arms)
        if len(known) < 2:  # noqa: PLR2004 - nothing to put in order
            return ()
        return tuple(expert for (expert,) in await self._best_first(query, known))

    async def _best_first(self, query: str, arms: tuple[Arm, ...]) -> list[Arm]:
        if not arms:
            return []
        try:
            with anyio.move_on_after(self._deadline_s):
                vectors = await self._embedder.embed([query])
                return await to_thread.run_sync(self._ordered, vectors, arms, abandon_on_cancel=True)
        except Exception as error:  # noqa: BLE001 - supervised border: without an order the plan stands as it is
            log.warning("retrievers.not_ranked", error=repr(error))
            return []
        log.warning("retrievers.late", deadline_ms=self._deadline_s * 1000)
        return []

    def _ordered(self, vectors: FloatArray, arms: tuple[Arm, ...]) -> list[Arm]:
        scores = self._between(arms).scores(vectors)[0]
        return [arms[place] for place in np.argsort(-scores, kind="stable")]

    def _between(self, arms: tuple[Arm, ...]) -> ArmRouter:
        """A router between some arms: who was best among all of them says little of who is second."""
        if arms == self._router.table.arms:
            return self._router
        if arms not in self._routers:
            if len(self._routers) >= MOST_ROUTERS:
                self._routers.clear()
            self._routers[arms] = ArmRouter(self._router.table.of(arms), rule=self._router.rule)
        return self._routers[arms]
